//! What leaves: single files and whole folders, often on removable media without modes, or in folders
//! that others may write.
//!
//! The folder that the operator named is opened once; below it no link is followed. Everything is
//! begun under a random name that is nobody's, and gets its own when it is durable.

use super::{Directory, StorageFault};
use coldsign_verify::files::{Folder, Kind, Replace, Temporary};
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once, OnceLock};

/// A directory of the operator's into which products are put.
#[derive(Debug, Clone)]
pub struct Outbox {
    path: PathBuf,
    opened: Arc<OnceLock<Folder>>,
    /// What it is made in, and its name there, where it is not there yet.
    above: Option<(Folder, OsString)>,
    swept: Arc<Once>,
}

impl Outbox {
    /// An existing directory, or one below an existing parent that is made with the first product.
    ///
    /// # Errors
    /// As the system refuses; [`StorageFault::Exists`] where a file has that name.
    pub fn open(path: &Path) -> Result<Self, StorageFault> {
        let opened = match Folder::open(path) {
            Ok(folder) => return Ok(Self::of(path, OnceLock::from(folder), None)),
            Err(error) => error,
        };
        match opened.kind() {
            io::ErrorKind::NotADirectory if fs::symlink_metadata(path).is_ok() => {
                Err(StorageFault::Exists(path.to_owned()))
            }
            io::ErrorKind::NotFound => {
                let folder = Folder::open(above(path)).map_err(StorageFault::system("read", above(path)))?;
                let name = name_of(path)?;
                Ok(Self::of(path, OnceLock::new(), Some((folder, name))))
            }
            _ => Err(StorageFault::system("read", path)(opened)),
        }
    }

    fn of(path: &Path, opened: OnceLock<Folder>, above: Option<(Folder, OsString)>) -> Self {
        Self { path: path.to_owned(), opened: Arc::new(opened), above, swept: Arc::new(Once::new()) }
    }

    /// The folder; `None` where it is not there yet.
    fn there(&self) -> Result<Option<Folder>, StorageFault> {
        match (self.opened.get(), &self.above) {
            (Some(opened), _) => Ok(Some(opened.clone())),
            (None, Some((above, name))) => {
                let fault = || StorageFault::system("read", &self.path);
                match above.find(name).map_err(fault())?.map(|found| found.kind) {
                    None => Ok(None),
                    Some(Kind::Folder) => {
                        let found = above.below(name).map_err(fault())?;
                        Ok(Some(self.opened.get_or_init(|| found).clone()))
                    }
                    Some(_) => Err(StorageFault::Exists(self.path.clone())),
                }
            }
            (None, None) => Ok(None),
        }
    }

    /// The folder, made where it is not there yet. What ended runs have left in it is removed first.
    fn make(&self) -> Result<Folder, StorageFault> {
        let folder = match (self.there()?, &self.above) {
            (Some(folder), _) => folder,
            (None, Some((above, name))) => {
                let made = above.create_below(name, 0o755);
                let made = made.map_err(StorageFault::system("created", &self.path))?;
                // A directory whose name is not durable loses all that is in it.
                above.sync().map_err(StorageFault::system("synchronised", above.path()))?;
                self.opened.get_or_init(|| made).clone()
            }
            (None, None) => return Err(StorageFault::Missing(self.path.clone())),
        };
        self.swept.call_once(|| folder.sweep_temporaries());
        Ok(folder)
    }

    /// Whether it lies in that directory, or is it.
    pub fn lies_in(&self, directory: &Path) -> bool {
        lies_in(&self.path, directory)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether only its owner will be able to read a private file there: `false` where the file system
    /// keeps no modes, `None` where that can't be tried. Leaves nothing.
    pub fn keeps_modes(&self) -> Option<bool> {
        let folder = match (self.there().ok()?, &self.above) {
            (Some(folder), _) => folder,
            (None, Some((above, _))) => above.clone(),
            (None, None) => return None,
        };
        folder.keeps_modes(chance).ok()
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
        let Some(folder) = self.there()? else { return Ok(HashSet::new()) };
        let names = folder.names().map_err(StorageFault::system("read", &self.path))?;
        Ok(names.iter().map(|name| name.to_string_lossy().to_lowercase()).collect())
    }

    /// Whether anything of that name is there, a link too.
    pub fn has(&self, name: &str) -> bool {
        self.there().is_ok_and(|folder| folder.is_some_and(|folder| folder.has(name)))
    }

    /// A folder in it, which may be there. A link is none: whoever made it says where it leads.
    ///
    /// # Errors
    /// [`StorageFault::Exists`] where something else has that name.
    pub fn below(&self, name: &str) -> Result<Self, StorageFault> {
        let below = Self::of(&self.path.join(name), OnceLock::new(), Some((self.make()?, name.into())));
        below.there()?;
        Ok(below)
    }

    /// A file's bytes, from the medium itself where the system can be asked to forget its copy.
    ///
    /// # Errors
    /// [`StorageFault::NotAFile`], [`StorageFault::TooLarge`], or the system's.
    pub fn read_back(&self, name: &str, cap: u64) -> Result<Vec<u8>, StorageFault> {
        let path = self.path.join(name);
        let folder = self.there()?.ok_or_else(|| StorageFault::Missing(path.clone()))?;
        if let Ok(file) = folder.open_file(name) {
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
        folder.read(name, cap).map_err(|fault| StorageFault::read(&path, fault))
    }

    /// Whether a file of that name is there with exactly these bytes.
    pub fn holds_file(&self, name: &str, bytes: &[u8]) -> bool {
        self.read_back(name, bytes.len() as u64).is_ok_and(|found| found == bytes)
    }

    /// Whether a folder of that name is there with exactly these files.
    pub fn holds_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>, cap: u64) -> bool {
        Directory::open(&self.path)
            .and_then(|directory| directory.read_folder(name, cap))
            .is_ok_and(|found| found == *files)
    }

    /// Removes a file that this act made and takes back.
    pub fn remove(&self, name: &str) {
        if let Ok(Some(folder)) = self.there() {
            let _ = folder.remove_file(name);
        }
    }

    /// A new private file (0600 where the file system can), durable when this returns.
    ///
    /// # Errors
    /// As the system refuses; then no file of that name has appeared.
    pub fn create_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        write(&self.make()?, name.as_ref(), bytes, 0o600, Replace::Never)
    }

    /// A file for all to read, replaced where it is there.
    ///
    /// # Errors
    /// As the system refuses; the old file then stands.
    pub fn replace_public_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        write(&self.make()?, name.as_ref(), bytes, 0o644, Replace::Whole)
    }

    /// A new folder with these files (relative paths, `/` between parts), readable by all; it gets its
    /// name when everything in it is durable.
    ///
    /// # Errors
    /// [`StorageFault::Exists`]; on any error nothing of that name has appeared.
    pub fn create_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), StorageFault> {
        self.put_folder(name, files, Modes { folder: 0o755, file: 0o644 })
    }

    /// As [`Outbox::create_folder`], readable by its owner alone where the file system can.
    ///
    /// # Errors
    /// As [`Outbox::create_folder`].
    pub fn create_private_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), StorageFault> {
        self.put_folder(name, files, Modes { folder: 0o700, file: 0o600 })
    }

    fn put_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>, modes: Modes) -> Result<(), StorageFault> {
        let folder = self.make()?;
        let path = self.path.join(name);
        if folder.has(name) {
            return Err(StorageFault::Exists(path));
        }
        let fault = || StorageFault::system("written", &path);
        let made = Temporary::folder(&folder, modes.folder, chance).map_err(fault())?;
        fill(&made.opened().map_err(fault())?, files, modes)?;
        made.give_name(name, Replace::Never).map_err(fault())
    }
}

/// Modes of what a folder is made of.
#[derive(Clone, Copy)]
pub(super) struct Modes {
    pub folder: u32,
    pub file: u32,
}

/// Writes files into a new folder, durably.
pub(super) fn fill(folder: &Folder, files: &BTreeMap<String, Vec<u8>>, modes: Modes) -> Result<(), StorageFault> {
    let mut folders = BTreeMap::from([(String::new(), folder.clone())]);
    for (path, bytes) in files {
        let whole = folder.path().join(path);
        let fault = || StorageFault::system("written", &whole);
        let (inside, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at = folder.clone();
        let mut way = String::new();
        for part in inside.split('/').filter(|part| !part.is_empty()) {
            way = format!("{way}/{part}");
            at = match folders.get(&way) {
                Some(known) => known.clone(),
                None => at.create_below(part, modes.folder).map_err(fault())?,
            };
            folders.insert(way.clone(), at.clone());
        }
        let mut file = at.create_file(name, modes.file).map_err(fault())?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault())?;
    }
    folders.values().try_for_each(|folder| folder.sync().map_err(StorageFault::system("synchronised", folder.path())))
}

fn write(folder: &Folder, name: &OsStr, bytes: &[u8], mode: u32, replace: Replace) -> Result<(), StorageFault> {
    let path = folder.path().join(name);
    if replace == Replace::Never && folder.has(name) {
        return Err(StorageFault::Exists(path));
    }
    let write = || {
        let mut made = Temporary::file(folder, mode, chance)?;
        made.write(bytes)?;
        made.give_name(name, replace)
    };
    write().map_err(StorageFault::system("written", &path))
}

fn chance() -> io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| io::Error::other("the system gave no random numbers"))?;
    Ok(bytes)
}

/// A new private file anywhere, durable when this returns.
///
/// # Errors
/// [`StorageFault::Exists`]; on any error no file of that name has appeared.
pub fn create_private_file(path: &Path, bytes: &[u8]) -> Result<(), StorageFault> {
    let folder = Folder::open(above(path)).map_err(StorageFault::system("read", above(path)))?;
    folder.sweep_temporaries();
    write(&folder, &name_of(path)?, bytes, 0o600, Replace::Never)
}

fn name_of(path: &Path) -> Result<OsString, StorageFault> {
    let name = path.file_name().map(OsStr::to_owned);
    name.ok_or_else(|| StorageFault::system("created", path)(io::ErrorKind::InvalidInput.into()))
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

/// Gives a file that was written under another name in the same folder its own, durably.
///
/// # Errors
/// [`StorageFault::Exists`], or as the system refuses; the file then keeps the name it had.
pub fn give_name(file: &Path, name: &Path) -> Result<(), StorageFault> {
    let folder = Folder::open(above(name)).map_err(StorageFault::system("read", above(name)))?;
    let named = folder.rename_new(&name_of(file)?, &name_of(name)?).and_then(|()| folder.sync());
    named.map_err(StorageFault::system("written", name))
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

/// The directory that a path's last name is in.
fn above(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
