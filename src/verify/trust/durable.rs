//! The store's files: whole or not at all, and on the disk before anybody is told.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::Fault;

/// Held while the store changes; let go when dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    pub(super) fn take(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join("lock");
        let fault = Fault::system("locked", &path);
        if !directory.is_dir() {
            return Err(Fault::Missing { directory: directory.to_owned() });
        }
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) => return Err(fault(error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Fault::Busy),
            Err(TryLockError::Error(error)) => Err(fault(error)),
        }
    }
}

/// What is made can be read by services of other users, whatever the umask; what is there stays as it is.
pub(super) fn make_directory(directory: &Path) -> Result<(), Fault> {
    let made = make_readable(directory);
    // A directory whose name is not durable loses all that is in it.
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    made.and_then(|()| File::open(above)?.sync_all()).map_err(Fault::system("made", directory))
}

fn make_readable(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    directory.parent().filter(|above| !above.as_os_str().is_empty()).map_or(Ok(()), make_readable)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        made => made.and_then(|()| fs::set_permissions(directory, Permissions::from_mode(0o755))),
    }
}

/// At most `limit` bytes of an ordinary file; `None` where there is none.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::system("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Fault::system("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Fault::Damaged { path: path.to_owned(), what: format!("larger than {limit} bytes") });
    }
    Ok(Some(bytes))
}

/// Replaces `directory/name`: at every moment it is the old file or the new one, whole.
pub(super) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Fault> {
    let (place, partial) = (directory.join(name), directory.join(format!(".{name}.partial")));
    let write = || -> io::Result<()> {
        step()?;
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o644).open(&partial)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        step()?;
        let (half, rest) = bytes.split_at(bytes.len() / 2);
        file.write_all(half)?;
        step()?;
        file.write_all(rest)?;
        step()?;
        file.sync_all()?;
        step()?;
        fs::rename(&partial, &place)?;
        step()?;
        File::open(directory)?.sync_all()?;
        step()
    };
    write().map_err(Fault::system("written", &place))
}

#[cfg(test)]
thread_local! {
    /// How many more steps this thread may take before it is stopped where it stands.
    pub(super) static STEPS_LEFT: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

/// A place where tests pull the plug.
fn step() -> io::Result<()> {
    #[cfg(test)]
    match STEPS_LEFT.get() {
        0 => return Err(io::Error::other("stopped here by a test")),
        left => STEPS_LEFT.set(left - 1),
    }
    Ok(())
}
