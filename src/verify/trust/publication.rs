//! A publication's folder as it lies on a stick: bounded, ordinary files, nothing followed.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Fault;

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
        let place = self.folder.join(path);
        let not_a_file = || Fault::NotAFile { path: path.to_owned() };
        let Some(seen) = self.look(path)? else { return Ok(None) };
        if seen.len() > limit {
            return Err(Fault::TooLarge { path: path.to_owned(), limit });
        }
        let file = File::open(&place).map_err(Fault::system("read", &place))?;
        let opened = file.metadata().map_err(Fault::system("read", &place))?;
        // What was looked at is what was opened: no link came between.
        if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) || !opened.is_file() {
            return Err(not_a_file());
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(Fault::system("read", &place))?;
        if bytes.len() as u64 > limit {
            return Err(Fault::TooLarge { path: path.to_owned(), limit });
        }
        Ok(Some(bytes))
    }

    /// Folder by folder down to the file, following no link.
    fn look(&self, path: &str) -> Result<Option<Metadata>, Fault> {
        let mut place = self.folder.clone();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            place.push(part);
            let found = match fs::symlink_metadata(&place) {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(Fault::system("read", &place)(error)),
            };
            let fits = if parts.peek().is_some() { found.is_dir() } else { found.is_file() };
            if !fits {
                return Err(Fault::NotAFile { path: path.to_owned() });
            }
            if parts.peek().is_none() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
