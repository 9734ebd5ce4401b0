//! What leaves: single files and whole folders, often on removable media without modes.

use super::directory::{begin, partial_of, put_durably, rename_new, sync_directory, write_durably};
use super::{Directory, StorageFault};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Marks a private file that is still being written into a folder of the operator's.
const MARK: (&str, &str) = (".coldsign.", ".partial");

/// A directory of the operator's into which products are put.
#[derive(Debug, Clone)]
pub struct Outbox {
    path: PathBuf,
}

impl Outbox {
    /// An existing directory, or one below an existing parent that is made with the first product.
    ///
    /// # Errors
    /// As the system refuses; [`StorageFault::Exists`] where a file has that name.
    pub fn open(path: &Path) -> Result<Self, StorageFault> {
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => return Err(StorageFault::Exists(path.to_owned())),
            Ok(_) => {}
            Err(_) => {
                fs::metadata(above(path)).map_err(StorageFault::system("read", above(path)))?;
            }
        }
        Ok(Self { path: path.to_owned() })
    }

    fn make(&self) -> Result<(), StorageFault> {
        match fs::create_dir(&self.path) {
            // A directory whose name is not durable loses all that is in it.
            Ok(()) => sync_directory(above(&self.path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(StorageFault::system("created", &self.path)(error)),
        }
    }

    /// Whether it lies in that directory, or is it.
    pub fn lies_in(&self, directory: &Path) -> bool {
        lies_in(&self.path, directory)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses names that are taken, however they are capitalised (FAT knows no difference).
    ///
    /// # Errors
    /// [`StorageFault::Exists`] with the first such name.
    pub fn refuse_taken(&self, names: &[String]) -> Result<(), StorageFault> {
        let mut taken = self.names()?;
        match names.iter().find(|name| !taken.insert(name.to_lowercase())) {
            Some(name) => Err(StorageFault::Exists(self.path.join(name))),
            None => Ok(()),
        }
    }

    /// The names of what is there, in small letters: as FAT takes them.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn names(&self) -> Result<HashSet<String>, StorageFault> {
        let mut names = HashSet::new();
        if fs::metadata(&self.path).is_ok() {
            for entry in fs::read_dir(&self.path).map_err(StorageFault::system("read", &self.path))? {
                let entry = entry.map_err(StorageFault::system("read", &self.path))?;
                names.insert(entry.file_name().to_string_lossy().to_lowercase());
            }
        }
        Ok(names)
    }

    /// A folder in it, which may be there. A link is none: whoever made it says where it leads.
    ///
    /// # Errors
    /// [`StorageFault::Exists`] where something else has that name.
    pub fn below(&self, name: &str) -> Result<Self, StorageFault> {
        let path = self.path.join(name);
        self.make()?;
        match fs::symlink_metadata(&path) {
            Ok(found) if !found.is_dir() => Err(StorageFault::Exists(path)),
            _ => Ok(Self { path }),
        }
    }

    /// Whether a file of that name is there with exactly these bytes.
    pub fn holds_file(&self, name: &str, bytes: &[u8]) -> bool {
        Directory::open(&self.path)
            .and_then(|directory| directory.read(name, bytes.len() as u64))
            .is_ok_and(|found| found == bytes)
    }

    /// Whether a folder of that name is there with exactly these files.
    pub fn holds_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>, cap: u64) -> bool {
        Directory::open(&self.path)
            .and_then(|directory| directory.read_folder(name, cap))
            .is_ok_and(|found| found == *files)
    }

    /// Removes the private files that acts which are over left half written here; those that another
    /// act is still writing are left alone. What can't be removed stays: it is nobody's product.
    pub fn sweep(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(MARK.0) && name.ends_with(MARK.1) && entry.file_type().is_ok_and(|kind| kind.is_file())
            {
                let abandoned = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
                if abandoned {
                    remove_file(&entry.path());
                }
            }
        }
    }

    /// A new private file (0600 where the file system can), durable when this returns.
    ///
    /// # Errors
    /// As the system refuses; then no file of that name has appeared.
    pub fn create_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        self.make()?;
        create_private_file(&self.path.join(name), bytes)
    }

    /// A file for all to read, replaced where it is there.
    ///
    /// # Errors
    /// As the system refuses; the old file then stands.
    pub fn replace_public_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        self.make()?;
        let path = self.path.join(name);
        let partial = partial_of(&path);
        write_durably(&partial, bytes, 0o644)
            .and_then(|()| fs::rename(&partial, &path).map_err(StorageFault::system("written", &path)))
            .inspect_err(|_| remove_file(&partial))?;
        sync_directory(&self.path)
    }

    /// A new folder with these files (relative paths, `/` between parts), readable by all, written
    /// as `<name>.partial` and renamed when everything in it is durable.
    ///
    /// # Errors
    /// [`StorageFault::Exists`]; on any error nothing of that name has appeared.
    pub fn create_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), StorageFault> {
        self.make()?;
        create_folder(&self.path, name, files, Modes { folder: 0o755, file: 0o644 })
    }

    /// As [`Outbox::create_folder`], readable by its owner alone where the file system can.
    ///
    /// # Errors
    /// As [`Outbox::create_folder`].
    pub fn create_private_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), StorageFault> {
        self.make()?;
        create_folder(&self.path, name, files, Modes { folder: 0o700, file: 0o600 })
    }
}

/// Modes of what a folder is made of.
#[derive(Clone, Copy)]
pub(super) struct Modes {
    pub folder: u32,
    pub file: u32,
}

pub(super) fn create_folder(
    parent: &Path,
    name: &str,
    files: &BTreeMap<String, Vec<u8>>,
    modes: Modes,
) -> Result<(), StorageFault> {
    let target = parent.join(name);
    if fs::symlink_metadata(&target).is_ok() {
        return Err(StorageFault::Exists(target));
    }
    let partial = parent.join(format!("{name}.partial"));
    if fs::symlink_metadata(&partial).is_ok() {
        fs::remove_dir_all(&partial).map_err(StorageFault::system("removed", &partial))?;
    }
    let written = fill(&partial, files, modes)
        .and_then(|()| rename_new(&partial, &target).map_err(StorageFault::system("written", &target)));
    if let Err(fault) = written {
        let _ = fs::remove_dir_all(&partial);
        return Err(fault);
    }
    // Without its name durable it has not appeared.
    sync_directory(parent).inspect_err(|_| {
        let _ = fs::remove_dir_all(&target);
    })
}

/// A new private file anywhere, durable when this returns.
///
/// # Errors
/// [`StorageFault::Exists`]; on any error no file of that name has appeared.
pub fn create_private_file(path: &Path, bytes: &[u8]) -> Result<(), StorageFault> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(StorageFault::Exists(path.to_owned()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!("{}{name}{}", MARK.0, MARK.1));
    let file = begin(&partial, 0o600)?;
    // Held until it has its name: a sweep beside us leaves it alone, where the file system has locks.
    let _ = file.try_lock();
    let written = put_durably(file, &partial, bytes).and_then(|held| {
        rename_new(&partial, path).map_err(StorageFault::system("written", path))?;
        drop(held);
        Ok(())
    });
    if let Err(fault) = written {
        remove_file(&partial);
        return Err(fault);
    }
    // Without its name durable it has not appeared.
    sync_directory(path.parent().unwrap_or(Path::new("."))).inspect_err(|_| remove_file(path))
}

/// Removes a file that an act made and takes back.
pub fn remove_file(path: &Path) {
    let _ = fs::remove_file(path);
}

/// A new folder of the operator's, private to them.
///
/// # Errors
/// [`StorageFault::Exists`], or as the system refuses.
pub fn new_folder(path: &Path) -> Result<(), StorageFault> {
    Directory::create(path).map(|_| ())
}

/// The folder that a folder lies in, and its own name there, however the path to it is written.
pub fn folder_above(folder: &Path) -> Option<(PathBuf, String)> {
    let real = folder.canonicalize().ok()?;
    let name = real.file_name()?.to_string_lossy().into_owned();
    Some((real.parent()?.to_owned(), name))
}

/// Whether a path, of something that is there or not yet, lies in a directory, or is it. Neither
/// has to be there.
pub fn lies_in(path: &Path, directory: &Path) -> bool {
    let (Some(path), Some(directory)) = (real(path), real(directory)) else { return false };
    path.starts_with(directory)
}

/// A path by what is there of it, links followed, and the rest as it is written.
fn real(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find_map(|above| {
        let rest = absolute.strip_prefix(above).ok()?;
        above.canonicalize().ok().map(|above| if rest.as_os_str().is_empty() { above } else { above.join(rest) })
    })
}

/// Gives a file that was written under another name its own, durably.
///
/// # Errors
/// [`StorageFault::Exists`], or as the system refuses; the file then keeps the name it had.
pub fn give_name(file: &Path, name: &Path) -> Result<(), StorageFault> {
    rename_new(file, name).map_err(StorageFault::system("written", name))?;
    sync_directory(name.parent().unwrap_or(Path::new(".")))
}

/// Whether nothing of that name is there, or an empty directory.
pub fn is_vacant(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        Ok(_) => fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_none()),
    }
}

/// Whether anything of that name is there.
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether a file of that name lies in a folder.
pub fn holds_file(folder: &Path, name: &str) -> bool {
    folder.join(name).is_file()
}

/// The git work tree that `path` (or the directory it will be made in) lies in.
pub fn inside_git_work_tree(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let existing = absolute.ancestors().find(|ancestor| ancestor.exists())?;
    let real = existing.canonicalize().ok()?;
    real.ancestors().find(|ancestor| ancestor.join(".git").exists()).map(Path::to_owned)
}

fn fill(folder: &Path, files: &BTreeMap<String, Vec<u8>>, modes: Modes) -> Result<(), StorageFault> {
    let mut directories = DirBuilder::new();
    directories.mode(modes.folder).create(folder).map_err(StorageFault::system("created", folder))?;
    directories.recursive(true);
    for (name, bytes) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        directories.create(parent).map_err(StorageFault::system("created", parent))?;
        write_durably(&path, bytes, modes.file)?;
    }
    let inner = files.keys().filter_map(|name| folder.join(name).parent().map(Path::to_owned));
    let folders: BTreeSet<PathBuf> = inner.chain([folder.to_owned()]).collect();
    folders.iter().try_for_each(|folder| sync_directory(folder))
}

/// The directory that a path's last name is in.
fn above(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let temp = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(&temp.path().join("stick")).unwrap();
        let files = BTreeMap::from([
            ("SHA256SUMS".to_owned(), b"x".to_vec()),
            ("for-api/jwks.json".to_owned(), b"{}".to_vec()),
        ]);
        outbox.create_folder("p-1", &files).unwrap();
        assert_eq!(fs::read(temp.path().join("stick/p-1/for-api/jwks.json")).unwrap(), b"{}");
        assert!(matches!(outbox.create_folder("p-1", &files), Err(StorageFault::Exists(_))));
        let bad = BTreeMap::from([("a".to_owned(), b"x".to_vec()), ("a/b".to_owned(), b"x".to_vec())]);
        assert!(outbox.create_folder("p-2", &bad).is_err());
        assert_eq!(fs::read_dir(outbox.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_crashes_left_half_written_goes_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(temp.path()).unwrap();
        let path = |name: &str| temp.path().join(name);
        for name in [".coldsign.a.jwt.partial", ".coldsign.b.jwt.partial", ".other.partial", "c.jwt"] {
            fs::write(path(name), b"x").unwrap();
        }
        fs::create_dir(path(".coldsign.folder.partial")).unwrap();
        let at_work = File::open(path(".coldsign.b.jwt.partial")).unwrap();
        at_work.lock().unwrap();
        outbox.sweep();
        let left = super::super::names_in(temp.path());
        assert_eq!(left, [".coldsign.b.jwt.partial", ".coldsign.folder.partial", ".other.partial", "c.jwt"]);
    }

    #[test]
    fn names_that_differ_in_capitals_only_are_taken() {
        let temp = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(temp.path()).unwrap();
        outbox.create_file("Ann.jwt", b"x").unwrap();
        assert!(outbox.refuse_taken(&["ann.jwt".to_owned()]).is_err());
        let twins = ["b.jwt".to_owned(), "B.jwt".to_owned()];
        assert!(outbox.refuse_taken(&twins).is_err());
        assert!(outbox.refuse_taken(&["c.jwt".to_owned()]).is_ok());
    }

    #[test]
    fn a_git_work_tree_is_seen_from_below() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join(".git")).unwrap();
        let store = temp.path().join("deep/store");
        assert!(inside_git_work_tree(&store).is_some());
    }
}
