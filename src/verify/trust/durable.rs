//! The store's files: whole or not at all, and on the disk before anybody is told.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::Fault;
use crate::files::{Folder, Identity, Links, LockFile, ReadFault, read_from, read_ordinary};

const LOCK: &str = "lock";

/// One change of the store: its folder, opened once; its lock; the file that was read.
///
/// Whoever may write the folder can exchange any of them meanwhile. So each name is looked at again
/// before anything is written, and before success is reported.
pub(super) struct Change {
    directory: PathBuf,
    folder: Folder,
    lock: LockFile,
}

/// A file's bytes, and which file it was.
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) file: Identity,
}

impl Change {
    /// Takes the lock, waiting up to three seconds.
    pub(super) fn begin(directory: &Path) -> Result<Self, Fault> {
        let folder = match Folder::open(directory) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(Fault::Missing { directory: directory.to_owned() });
            }
            opened => opened.map_err(Fault::system("read", directory))?,
        };
        let lock = LockFile::take(&folder, LOCK)?;
        Ok(Self { directory: directory.to_owned(), folder, lock })
    }

    /// At most `limit` bytes of an ordinary file; `None` where there is none.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Read>, Fault> {
        let path = self.directory.join(name);
        let read = || {
            let file = self.folder.open_file(name)?;
            Ok(Read { file: Identity::of(&file).map_err(ReadFault::System)?, bytes: read_from(file, limit)? })
        };
        found(&path, read())
    }

    /// Replaces a file: at every moment it is the old one or the new one, whole. The old one must be
    /// the one that was read, or none where none was.
    pub(super) fn replace(&self, name: &str, bytes: &[u8], read: Option<Identity>) -> Result<(), Fault> {
        let place = self.directory.join(name);
        let fault = || Fault::system("written", &place);
        let partial = format!(".{name}.partial");
        let write = || -> io::Result<_> {
            step()?;
            // Whatever was planted there is not written to.
            self.folder.remove_file(&partial)?;
            let mut file = self.folder.create_file(&partial, 0o644)?;
            step()?;
            let (half, rest) = bytes.split_at(bytes.len() / 2);
            file.write_all(half)?;
            step()?;
            file.write_all(rest)?;
            step()?;
            file.sync_all()?;
            step()?;
            Ok(file)
        };
        let file = write().map_err(fault())?;
        let there = self.folder.find(name).map_err(fault())?.map(|found| found.identity);
        self.check(&place, there == read)?;
        self.folder.rename(&partial, name).map_err(fault())?;
        step().and_then(|()| self.folder.sync()).and_then(|()| step()).map_err(fault())?;
        self.check(&place, self.folder.leads_to(name, &file))
    }

    fn check(&self, place: &Path, leads_there: bool) -> Result<(), Fault> {
        let exchanged = if !leads_there {
            place.to_owned()
        } else if !self.lock.is_still_ours() {
            self.lock.path()
        } else if !self.folder.is_still(&self.directory) {
            self.directory.clone()
        } else {
            return Ok(());
        };
        Err(Fault::Exchanged { path: exchanged })
    }
}

/// What is made can be read by services of other users, whatever the umask; what is there stays as it is.
pub(super) fn make_directory(directory: &Path) -> Result<(), Fault> {
    let above = directory.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A directory whose name is not durable loses all that is in it.
    Folder::make(directory).and_then(|_| Folder::open(above)?.sync()).map_err(Fault::system("made", directory))
}

/// At most `limit` bytes of an ordinary file; `None` where there is none.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
    found(path, read_ordinary(path, limit, Links::Refused))
}

fn found<T>(path: &Path, read: Result<T, ReadFault>) -> Result<Option<T>, Fault> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(ReadFault::Missing) => Ok(None),
        Err(ReadFault::System(error)) => Err(Fault::system("read", path)(error)),
        Err(fault) => Err(Fault::Damaged { path: path.to_owned(), what: fault.to_string() }),
    }
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
