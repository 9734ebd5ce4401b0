//! A publication's folder as it lies on a stick: bounded, ordinary files, nothing followed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Fault;
use crate::files::{Folder, ReadFault};

/// The largest file of a publication that is read, but for the bundle and roots, in bytes.
pub const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// A folder that was handed over. Nothing in it is believed, not even that it holds still.
#[derive(Clone, Debug)]
pub struct Publication {
    folder: PathBuf,
}

impl Publication {
    /// The folder at this path.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// A file's bytes; `None` where there is none.
    pub(super) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        let system = |error| Fault::system("read", &self.folder.join(path))(error);
        let folder = match Folder::open(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(Fault::NotAFile { path: path.to_owned() });
            }
            opened => opened.map_err(system)?,
        };
        match folder.read(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadFault::Missing) => Ok(None),
            Err(ReadFault::NotAFile) => Err(Fault::NotAFile { path: path.to_owned() }),
            Err(ReadFault::TooLarge { limit }) => Err(Fault::TooLarge { path: path.to_owned(), limit }),
            Err(ReadFault::System(error)) => Err(system(error)),
        }
    }
}
