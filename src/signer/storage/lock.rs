//! One act at a time.

use super::{Directory, StorageFault};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// How often and how long a second act tries before it gives up: three seconds in all.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// The store's lock, held until dropped. The system lets go of it when the process ends, however.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a store, waiting up to three seconds.
    ///
    /// # Errors
    /// [`StorageFault::Busy`] where another act still holds it then.
    pub fn take(store: &Directory) -> Result<Self, StorageFault> {
        let path = store.path().join("lock");
        let file = open(&path).map_err(StorageFault::system("locked", &path))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => sleep(PAUSE),
                Err(TryLockError::Error(error)) => {
                    return Err(StorageFault::system("locked", &path)(error));
                }
            }
        }
        Err(StorageFault::Busy(store.path().to_owned()))
    }

    /// The lock where nobody holds it, at once.
    pub fn try_take(store: &Directory) -> Option<Self> {
        let file = open(&store.path().join("lock")).ok()?;
        file.try_lock().ok()?;
        Some(Self { _file: file })
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_act_fails_clearly_and_the_third_goes_on() {
        let temp = tempfile::tempdir().unwrap();
        let store = Directory::open(temp.path()).unwrap();
        let first = Lock::take(&store).unwrap();
        assert!(matches!(Lock::take(&store), Err(StorageFault::Busy(_))));
        drop(first);
        Lock::take(&store).unwrap();
    }
}
