//! Files and streams that come from outside: bounded, ordinary, read once.

use super::StorageFault;
use coldsign_verify::files::{Links, read_ordinary};
use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The bytes of a file that an operator names, at most `cap` of them.
///
/// # Errors
/// [`StorageFault::NotAFile`] for anything but an ordinary file, which is never waited for;
/// [`StorageFault::TooLarge`], or the system's.
pub fn read_file(path: &Path, cap: u64) -> Result<Vec<u8>, StorageFault> {
    read_ordinary(path, cap, Links::Followed).map_err(|fault| StorageFault::read(path, fault))
}

/// All of standard input, past any buffer that would keep a copy.
///
/// # Errors
/// As [`read_stream`].
pub fn read_descriptor(input: BorrowedFd<'_>, cap: u64) -> Result<Vec<u8>, StorageFault> {
    let name = Path::new("standard input");
    let own = input.try_clone_to_owned().map_err(StorageFault::system("read", name))?;
    read_stream(File::from(own), name, cap)
}

/// All of a stream, at most `cap` bytes; `name` stands for it in errors.
///
/// # Errors
/// [`StorageFault::TooLarge`], or the system's.
pub fn read_stream(stream: impl Read, name: &Path, cap: u64) -> Result<Vec<u8>, StorageFault> {
    // Room from the start: a growing buffer would leave copies of a secret behind.
    let mut bytes = Vec::with_capacity(usize::try_from(cap.saturating_add(1).min(64 << 10)).unwrap_or(0));
    stream.take(cap.saturating_add(1)).read_to_end(&mut bytes).map_err(StorageFault::system("read", name))?;
    if bytes.len() as u64 > cap {
        return Err(StorageFault::TooLarge { path: name.to_owned(), cap });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_directories_and_giants_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        assert!(matches!(read_file(Path::new("/dev/zero"), 10), Err(StorageFault::NotAFile(_))));
        assert!(matches!(read_file(temp.path(), 10), Err(StorageFault::NotAFile(_))));
        let sparse = temp.path().join("sparse");
        let file = std::fs::File::create(&sparse).unwrap();
        file.set_len(1 << 30).unwrap();
        assert!(matches!(read_file(&sparse, 1000), Err(StorageFault::TooLarge { cap: 1000, .. })));
        std::fs::write(temp.path().join("ok"), b"ok").unwrap();
        assert_eq!(read_file(&temp.path().join("ok"), 2).unwrap(), b"ok");
    }

    #[test]
    fn a_pipe_without_a_writer_does_not_hang() {
        let temp = tempfile::tempdir().unwrap();
        let pipe = temp.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(read_file(&pipe, 10), Err(StorageFault::NotAFile(_))));
    }
}
