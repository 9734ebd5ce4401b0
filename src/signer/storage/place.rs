//! The place a folder lies in: its file system's room, and who may enter.

use super::{Directory, StorageFault};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Rights of a file's group and of everybody else.
const OTHERS: u32 = 0o077;

/// The room left on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this user can still write, in bytes.
    pub bytes: u64,
    /// How many files can still be made; none where the file system doesn't count them.
    pub files: Option<u64>,
}

/// The room left where `path` lies.
///
/// # Errors
/// As the system refuses.
pub fn space(path: &Path) -> Result<Space, StorageFault> {
    let found = rustix::fs::statvfs(path).map_err(|error| StorageFault::system("read", path)(error.into()))?;
    let files = (found.f_files > 0).then_some(found.f_favail);
    Ok(Space { bytes: found.f_bavail.saturating_mul(found.f_frsize), files })
}

/// Whether two places are on one file system, as far as the system can tell.
#[must_use]
pub fn same_file_system(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    device(one).is_some_and(|of_one| device(other) == Some(of_one))
}

/// `path` (or the nearest folder above it that is there) without symbolic links.
#[must_use]
pub fn real_place(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find_map(|ancestor| ancestor.canonicalize().ok())
}

/// The first of these names that lies in a folder, whatever it is.
#[must_use]
pub fn holds_any<'a>(folder: &Path, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().find(|name| fs::symlink_metadata(folder.join(name)).is_ok())
}

/// The names in a folder, sorted; none where it can't be read.
#[must_use]
pub fn names_in(folder: &Path) -> Vec<String> {
    Directory::open(folder).and_then(|folder| folder.names("")).unwrap_or_default()
}

/// The entries below a folder, itself first, that group or others have rights to, with their modes.
///
/// # Errors
/// As the system refuses.
pub fn open_to_others(folder: &Path) -> Result<Vec<(PathBuf, u32)>, StorageFault> {
    let mut open = Vec::new();
    walk(folder, &mut |path, found| {
        let mode = found.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 && !found.is_symlink() {
            open.push((path.to_owned(), mode));
        }
    })?;
    Ok(open)
}

/// The entries below a folder, itself first, that belong to another user than this process's.
///
/// # Errors
/// As the system refuses.
pub fn entries_of_others(folder: &Path) -> Result<Vec<PathBuf>, StorageFault> {
    let own = rustix::process::geteuid().as_raw();
    let mut others = Vec::new();
    walk(folder, &mut |path, found| {
        if found.uid() != own {
            others.push(path.to_owned());
        }
    })?;
    Ok(others)
}

fn walk(path: &Path, look: &mut impl FnMut(&Path, &fs::Metadata)) -> Result<(), StorageFault> {
    let fault = || StorageFault::system("read", path);
    let found = fs::symlink_metadata(path).map_err(fault())?;
    look(path, &found);
    if found.is_dir() {
        let mut below: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(path).map_err(fault())? {
            below.push(entry.map_err(fault())?.path());
        }
        below.sort();
        for path in below {
            walk(&path, look)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_may_read_is_found() {
        let temp = tempfile::tempdir().unwrap();
        let store = Directory::create(&temp.path().join("store")).unwrap();
        store.below("sealed").unwrap().create_file("seal.age", b"x").unwrap();
        assert_eq!(open_to_others(store.path()).unwrap(), []);
        assert!(entries_of_others(store.path()).unwrap().is_empty());
        let seal = store.path().join("sealed/seal.age");
        fs::set_permissions(&seal, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(open_to_others(store.path()).unwrap(), [(seal, 0o640)]);
    }

    #[test]
    fn a_place_that_is_not_there_yet_lies_where_it_will_be() {
        let temp = tempfile::tempdir().unwrap();
        let real = temp.path().canonicalize().unwrap();
        assert_eq!(real_place(&temp.path().join("a/b")), Some(real.clone()));
        assert!(space(temp.path()).unwrap().bytes > 0);
        assert!(same_file_system(temp.path(), &real));
        assert!(!same_file_system(&temp.path().join("a"), &temp.path().join("b")));
        assert!(!same_file_system(temp.path(), Path::new("/proc")));
    }
}
