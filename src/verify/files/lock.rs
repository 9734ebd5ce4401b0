//! Locks that end, held on what their name still leads to.

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::{Folder, Found, Kind, one_name};

/// How often and how long somebody waits for a lock: three seconds in all.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockFault {
    /// Another process held it all the time.
    #[error("{} is held by another process", .0.display())]
    Held(PathBuf),
    /// What has its name is no ordinary file, or another user's.
    #[error("{} is no lock of this program: it is no ordinary file, or another user's", .0.display())]
    Foreign(PathBuf),
    /// The system refused.
    #[error("{} could not be locked: {source}", path.display())]
    System {
        /// The lock.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Locks an open file or folder, waiting up to three seconds; whether it was got.
pub fn wait_for_lock(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// A lock file in a folder; let go when dropped.
#[derive(Debug)]
pub struct LockFile {
    folder: Folder,
    name: String,
    file: File,
}

impl LockFile {
    /// Takes the lock of that name, made where there is none, for its owner alone: somebody who may
    /// only read the folder can't hold it against us.
    pub fn take(folder: &Folder, name: &str) -> Result<Self, LockFault> {
        let path = || folder.path().join(name);
        let fault = |source: io::Error| LockFault::System { path: path(), source };
        for _ in 0..TRIES {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let opened = one_name(name.as_ref())
                .and_then(|name| Ok(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?));
            let file = match opened {
                Ok(descriptor) => File::from(descriptor),
                Err(_) if folder.find(name).is_ok_and(|it| it.is_some_and(|it| it.kind != Kind::File)) => {
                    return Err(LockFault::Foreign(path()));
                }
                Err(error) => return Err(fault(error)),
            };
            let found = Found::of(&rustix::fs::fstat(&file).map_err(|error| fault(error.into()))?);
            let around = folder.itself().map_err(fault)?.owner;
            if found.kind != Kind::File || ![0, around, super::place::user()].contains(&found.owner) {
                return Err(LockFault::Foreign(path()));
            }
            if !wait_for_lock(&file).map_err(fault)? {
                return Err(LockFault::Held(path()));
            }
            let taken = Self { folder: folder.clone(), name: name.to_owned(), file };
            // Removed by a clean-up while it was waited for: another process has another one.
            if taken.is_still_ours() {
                return Ok(taken);
            }
        }
        Err(LockFault::Held(path()))
    }

    /// Whether its name still leads to the file that is held: only then nobody else has the lock.
    pub fn is_still_ours(&self) -> bool {
        self.folder.leads_to(&self.name, &self.file)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}
