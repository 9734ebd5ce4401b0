//! Everything that lies in a store, with its modes.

use super::{Directory, StorageFault};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How deep a store is; a tree that is deeper is not followed.
const DEEPEST: usize = 8;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary file.
    File,
    /// A directory.
    Folder,
    /// A symbolic link, pipe, socket or device.
    Other,
}

/// One name below a store.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its path below the store, `/` between parts.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
}

impl Directory {
    /// Everything below it, folders before what is in them, sorted; links are not followed.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn inventory(&self) -> Result<Vec<Found>, StorageFault> {
        let mut found = Vec::new();
        self.take_stock("", 0, &mut found)?;
        Ok(found)
    }

    /// The directory's own permission bits.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn mode(&self) -> Result<u32, StorageFault> {
        let found = fs::metadata(self.path()).map_err(StorageFault::system("read", self.path()))?;
        Ok(found.permissions().mode() & 0o7777)
    }

    /// Sets the permission bits of a file or folder below (`""`: of the directory itself).
    ///
    /// # Errors
    /// As the system refuses.
    pub fn set_mode(&self, name: &str, mode: u32) -> Result<(), StorageFault> {
        let path = if name.is_empty() { self.path().to_owned() } else { self.path().join(name) };
        let fault = || StorageFault::system("changed", &path);
        let links = if name.is_empty() { OFlags::empty() } else { OFlags::NOFOLLOW };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | links;
        // By descriptor, so that no link is followed; but what may not be read can't be opened.
        match rustix::fs::openat(CWD, &path, flags, Mode::empty()) {
            Ok(found) => rustix::fs::fchmod(found, Mode::from_raw_mode(mode)).map_err(|error| fault()(error.into())),
            Err(Errno::ACCESS) => fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(fault()),
            Err(error) => Err(fault()(error.into())),
        }
    }

    fn take_stock(&self, below: &str, depth: usize, found: &mut Vec<Found>) -> Result<(), StorageFault> {
        for name in self.names(below)? {
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let whole = self.path().join(&path);
            let seen = match fs::symlink_metadata(&whole) {
                // A name that is no UTF-8 is found under no other.
                Err(_) if path.contains(char::REPLACEMENT_CHARACTER) => {
                    found.push(Found { path, kind: Kind::Other, mode: 0 });
                    continue;
                }
                seen => seen.map_err(StorageFault::system("read", &whole))?,
            };
            let kind = match seen.file_type() {
                kind if kind.is_file() => Kind::File,
                kind if kind.is_dir() => Kind::Folder,
                _ => Kind::Other,
            };
            found.push(Found { path: path.clone(), kind, mode: seen.permissions().mode() & 0o7777 });
            if kind == Kind::Folder && depth < DEEPEST {
                self.take_stock(&path, depth + 1, found)?;
            }
        }
        Ok(())
    }
}

/// Whether an existing directory has that path.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_and_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        directory.below("a").unwrap().create_file("b", b"x").unwrap();
        std::os::unix::fs::symlink("/", temp.path().join("link")).unwrap();
        directory.set_mode("a/b", 0o644).unwrap();
        let found: Vec<_> =
            directory.inventory().unwrap().into_iter().map(|found| (found.path, found.kind, found.mode)).collect();
        assert_eq!(found[0], ("a".to_owned(), Kind::Folder, 0o700));
        assert_eq!(found[1], ("a/b".to_owned(), Kind::File, 0o644));
        assert_eq!((found[2].0.as_str(), found[2].1, found.len()), ("link", Kind::Other, 3));
    }
}
