//! One act at a time, by a lock on the file that an act reads and appends to.
//!
//! A lock on a file beside it would be void as soon as somebody removes that file. Here the lock, the
//! bytes that were read and the bytes that are appended belong to one descriptor, and the file's name
//! must still lead to it when something is appended.

use super::{Directory, StorageFault};
use coldsign_verify::files::{Folder, read_from, wait_for_lock};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// How often a file is opened anew that was exchanged while its lock was waited for.
const TRIES: u32 = 8;

/// A lock, held until the last copy is dropped. The system lets go of it when the process ends, however.
#[derive(Debug, Clone)]
pub struct Lock {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    /// The file's name in its directory; none where a folder is locked.
    name: Option<String>,
    file: File,
    /// Whether its mode lets this user write it.
    writable: bool,
}

/// How a file ended when it was read.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// How many bytes count: what is appended comes after them.
    pub keep: u64,
    /// The last of those.
    pub last: &'a [u8],
    /// What came after them, and is cut off.
    pub torn: &'a [u8],
}

impl Lock {
    /// Locks a file of a directory, waiting up to three seconds; where there is none, the directory
    /// itself: nothing can be appended then, but nobody else does anything either.
    ///
    /// # Errors
    /// [`StorageFault::Busy`] where another act still holds it then.
    pub fn take(store: &Directory, name: &str) -> Result<Self, StorageFault> {
        let path = store.path().join(name);
        for _ in 0..TRIES {
            let Some((file, writable)) = open(&path)? else { return Self::of_folder(store) };
            wait(&file, store.path(), &path)?;
            if leads_to(&path, &file) {
                let held = Held { name: Some(name.to_owned()), file, writable };
                return Ok(Self { held: Arc::new(held) });
            }
        }
        Err(StorageFault::Busy(store.path().to_owned()))
    }

    /// Locks a directory itself, waiting up to three seconds.
    ///
    /// # Errors
    /// As [`Lock::take`]; [`StorageFault::Missing`] where it was removed meanwhile.
    pub(super) fn of_folder(store: &Directory) -> Result<Self, StorageFault> {
        let path = store.path();
        let fault = || StorageFault::system("locked", path);
        let folder = Folder::open(path).map_err(StorageFault::system("read", path))?;
        let file = File::from(folder.as_fd().try_clone_to_owned().map_err(fault())?);
        wait(&file, path, path)?;
        if !folder.is_still(path) {
            return Err(StorageFault::Missing(path.to_owned()));
        }
        Ok(Self { held: Arc::new(Held { name: None, file, writable: false }) })
    }

    /// Whether this is the lock of that file.
    pub(super) fn is_of(&self, name: &str) -> bool {
        self.held.name.as_deref() == Some(name)
    }

    /// The file's bytes, from the descriptor that is held.
    pub(super) fn read(&self, path: &Path, cap: u64) -> Result<Vec<u8>, StorageFault> {
        let fault = || StorageFault::system("read", path);
        let mut file = self.held.file.try_clone().map_err(fault())?;
        file.rewind().map_err(fault())?;
        read_from(file, cap).map_err(|read| StorageFault::read(path, read))
    }

    /// Makes durable what somebody else may have written to the file.
    pub(super) fn sync(&self, path: &Path) -> Result<(), StorageFault> {
        self.held.file.sync_data().map_err(StorageFault::system("synchronised", path))
    }

    /// Cuts the torn bytes off and appends others, durably; both only where all is as it was read.
    pub(super) fn append(&self, path: &Path, ending: &Ending<'_>, bytes: &[u8]) -> Result<(), StorageFault> {
        let fault = || StorageFault::system("written", path);
        self.check(path, ending)?;
        if !self.held.writable {
            return Err(fault()(io::ErrorKind::PermissionDenied.into()));
        }
        let (mut file, keep) = (&self.held.file, ending.keep);
        file.set_len(keep).map_err(fault())?;
        let appended = file.seek(SeekFrom::Start(keep)).and_then(|_| file.write_all(bytes));
        if let Err(error) = appended.and_then(|()| file.sync_data()) {
            let _ = file.set_len(keep).and_then(|()| file.sync_data());
            return Err(fault()(error));
        }
        self.check(path, &Ending { keep: keep.saturating_add(bytes.len() as u64), last: bytes, torn: &[] })
    }

    /// The name leads to the file that is held, and it ends as it did.
    ///
    /// # Errors
    /// [`StorageFault::Exchanged`].
    pub(super) fn check(&self, path: &Path, ending: &Ending<'_>) -> Result<(), StorageFault> {
        let exchanged = || StorageFault::Exchanged(path.to_owned());
        let fault = || StorageFault::system("read", path);
        let file = &self.held.file;
        let length = ending.keep.checked_add(ending.torn.len() as u64).ok_or_else(exchanged)?;
        let start = ending.keep.checked_sub(ending.last.len() as u64).ok_or_else(exchanged)?;
        if !leads_to(path, file) || file.metadata().map_err(fault())?.len() != length {
            return Err(exchanged());
        }
        let mut found = vec![0; ending.last.len() + ending.torn.len()];
        match file.read_exact_at(&mut found, start) {
            Ok(()) if found.starts_with(ending.last) && found.ends_with(ending.torn) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(fault()(error)),
            _ => Err(exchanged()),
        }
    }
}

/// For reading and writing; for reading alone where its mode forbids more. `None` where no ordinary
/// file has that name.
fn open(path: &Path) -> Result<Option<(File, bool)>, StorageFault> {
    let common = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = |access| rustix::fs::openat(CWD, path, access | common, Mode::empty());
    let (opened, writable) = match open(OFlags::RDWR) {
        Err(Errno::ACCESS) => (open(OFlags::RDONLY), false),
        opened => (opened, true),
    };
    let file = match opened {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::NOTDIR | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(StorageFault::system("locked", path)(error.into())),
    };
    let ordinary = file.metadata().map_err(StorageFault::system("locked", path))?.is_file();
    Ok(ordinary.then_some((file, writable)))
}

fn wait(file: &File, store: &Path, path: &Path) -> Result<(), StorageFault> {
    match wait_for_lock(file).map_err(StorageFault::system("locked", path))? {
        true => Ok(()),
        false => Err(StorageFault::Busy(store.to_owned())),
    }
}

fn leads_to(path: &Path, file: &File) -> bool {
    let name = path.file_name().unwrap_or_default();
    let folder = path.parent().and_then(|above| Folder::open(above).ok());
    folder.is_some_and(|folder| folder.leads_to(name, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A directory with a file `j` of one line and a torn one.
    fn place() -> (tempfile::TempDir, Directory) {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("j"), b"one\ntorn").unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        (temp, directory)
    }

    const READ: Ending<'_> = Ending { keep: 4, last: b"one\n", torn: b"torn" };

    #[test]
    fn the_second_act_fails_clearly_and_the_third_goes_on() {
        let (_temp, store) = place();
        let first = Lock::take(&store, "j").unwrap();
        assert!(matches!(Lock::take(&store, "j"), Err(StorageFault::Busy(_))));
        drop(first);
        Lock::take(&store, "j").unwrap();
        // Without the file the directory stands for it.
        let first = Lock::take(&store, "none").unwrap();
        assert!(!first.is_of("none") && matches!(Lock::take(&store, "none"), Err(StorageFault::Busy(_))));
    }

    #[test]
    fn appending_cuts_the_torn_bytes_that_were_read() {
        let (_temp, store) = place();
        let held = store.holding(&Lock::take(&store, "j").unwrap());
        assert_eq!(held.read("j", 100).unwrap(), b"one\ntorn");
        held.append("j", &READ, b"two\n").unwrap();
        assert_eq!(store.read("j", 100).unwrap(), b"one\ntwo\n");
        let ending = Ending { keep: 8, last: b"two\n", torn: &[] };
        held.check_ending("j", &ending).unwrap();
        let refused = store.append("j", &ending, b"x");
        assert!(matches!(refused, Err(StorageFault::ReadOnly(_))), "without the lock: {refused:?}");
    }

    #[test]
    fn a_file_that_is_not_as_it_was_read_is_left_alone() {
        let attacks: [fn(&Path); 6] = [
            |path| fs::write(path, b"one\ntorn more").unwrap(),
            |path| fs::write(path, b"one\ntor").unwrap(),
            |path| fs::write(path, b"one\nTorn").unwrap(),
            |path| fs::write(path, b"One\ntorn").unwrap(),
            |path| {
                fs::rename(path, path.with_file_name("aside")).unwrap();
                fs::copy(path.with_file_name("aside"), path).unwrap();
            },
            |path| {
                fs::rename(path, path.with_file_name("aside")).unwrap();
                std::os::unix::fs::symlink("aside", path).unwrap();
            },
        ];
        for (at, attack) in attacks.into_iter().enumerate() {
            let (temp, store) = place();
            let held = store.holding(&Lock::take(&store, "j").unwrap());
            attack(&temp.path().join("j"));
            let before = fs::read(temp.path().join("j")).unwrap();
            let done = held.append("j", &READ, b"two\n");
            assert!(matches!(done, Err(StorageFault::Exchanged(_))), "{at}: {done:?}");
            assert_eq!(fs::read(temp.path().join("j")).unwrap(), before, "{at}");
        }
    }

    #[test]
    fn what_is_no_ordinary_file_is_not_waited_for() {
        let (temp, store) = place();
        let pipe = temp.path().join("pipe");
        rustix::fs::mkfifoat(CWD, &pipe, Mode::from_raw_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("j", temp.path().join("link")).unwrap();
        for name in ["pipe", "link"] {
            assert!(!Lock::take(&store, name).unwrap().is_of(name));
        }
    }
}
