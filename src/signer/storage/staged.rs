//! What waits for its entry: durable, but under a name that marks it as unfinished.
//!
//! A file or folder of the store gets its final name only after the journal has named it. Until then
//! it is `.<name>.partial` or `<folder>.partial`. So a final name that the journal does not know was
//! never left by an act of ours that was interrupted.

use super::directory::{PARTIAL, clear, partial_of, rename_new, sync_directory, write_durably};
use super::{Directory, StorageFault};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::PoisonError;

/// How many things of one name are put aside.
const MOST_ASIDE: usize = 1000;
/// How much of a name tells where it lay, in bytes: with a number after it it must fit into a name.
const LONGEST_ASIDE: usize = 200;

impl Directory {
    /// A new file, durable under its unfinished name when this returns; [`Directory::finish_staged`]
    /// gives it its own.
    ///
    /// # Errors
    /// [`StorageFault::Exists`] where its final name is taken, or the system's.
    pub fn stage_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        let path = self.free(name)?;
        let partial = partial_of(&path);
        // What an act before this one had not finished.
        let _ = clear(&partial);
        let above = path.parent().unwrap_or(self.path());
        if let Err(fault) = write_durably(&partial, bytes).and_then(|()| sync_directory(above)) {
            let _ = fs::remove_file(&partial);
            return Err(fault);
        }
        self.remember(&hidden(name), name);
        Ok(())
    }

    /// A new empty folder under its unfinished name, for filling; [`Directory::finish_staged`] gives it
    /// its own. Returns its unfinished name.
    ///
    /// # Errors
    /// As [`Directory::stage_file`].
    pub fn stage_folder(&self, name: &str) -> Result<String, StorageFault> {
        self.free(name)?;
        let partial = format!("{name}{PARTIAL}");
        if self.has(&partial) {
            self.remove_folder(&partial)?;
        }
        if let Some((above, _)) = name.rsplit_once('/') {
            self.below(above)?;
        }
        self.below(&partial)?;
        self.remember(&partial, name);
        Ok(partial)
    }

    /// A new folder with these files (relative paths, `/` between parts), durable under its unfinished
    /// name when this returns.
    ///
    /// # Errors
    /// As [`Directory::stage_file`].
    pub fn stage_files(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), StorageFault> {
        let partial = self.stage_folder(name)?;
        for (path, bytes) in files {
            let mut folder = self.below(&partial)?;
            let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
            for part in folders.split('/').filter(|part| !part.is_empty()) {
                folder = folder.below(part)?;
            }
            folder.create_file(file, bytes)?;
        }
        Ok(())
    }

    /// Takes back what was staged under a name and never named by the journal.
    pub fn discard_staged(&self, name: &str) {
        let path = self.path().join(name);
        let _ = fs::remove_file(partial_of(&path));
        let _ = fs::remove_dir_all(path.with_file_name(folder_name(&path)));
        self.staged().retain(|(_, staged)| staged != name);
    }

    /// Forgets what was staged through this directory and not named by the journal: it keeps its
    /// unfinished name, and the next act removes it.
    pub fn forget_staged(&self) {
        self.staged().clear();
    }

    /// Moves a file or folder into another folder of this directory, under a name that tells where it
    /// lay.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn put_aside(&self, name: &str, folder: &str) -> Result<(), StorageFault> {
        self.free_folder(folder)?;
        // A name that is as long as a name can be gets no longer.
        let mut flat = name.replace('/', "_");
        while flat.len() > LONGEST_ASIDE {
            flat.pop();
        }
        let from = self.path().join(name);
        let lie_there = self.names(folder)?.len();
        for attempt in (1..=MOST_ASIDE).chain(lie_there..=lie_there.saturating_add(MOST_ASIDE)) {
            let to = self.path().join(folder).join(format!("{flat}.{attempt}"));
            match rename_new(&from, &to) {
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {}
                Err(error) => return Err(StorageFault::system("moved", &from)(error)),
                Ok(()) => {
                    sync_directory(&self.path().join(folder))?;
                    return sync_directory(from.parent().unwrap_or(self.path()));
                }
            }
        }
        Err(StorageFault::Exists(self.path().join(folder).join(flat)))
    }

    /// A folder of that name; what is no folder and has the name gets another.
    fn free_folder(&self, folder: &str) -> Result<(), StorageFault> {
        let path = self.path().join(folder);
        for attempt in 1..=MOST_ASIDE {
            if !self.has(folder) || self.has_folder(folder) {
                break;
            }
            let to = path.with_file_name(format!("{folder}.{attempt}"));
            match rename_new(&path, &to) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(StorageFault::system("moved", &path)(error));
                }
                _ => {}
            }
        }
        self.below(folder).map(drop)
    }

    /// Gives everything that was staged through this directory its final name, durably: once the
    /// journal names it.
    ///
    /// # Errors
    /// As the system refuses; what has no final name yet keeps its unfinished one.
    pub fn finish_staged(&self) -> Result<(), StorageFault> {
        let names = self.staged().clone();
        for (unfinished, name) in names {
            self.finish_from(&unfinished, &name)?;
            self.staged().retain(|(_, staged)| *staged != name);
        }
        Ok(())
    }

    /// Gives one file that an act had staged its final name.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn finish(&self, name: &str) -> Result<(), StorageFault> {
        self.finish_from(&hidden(name), name)
    }

    /// Gives one folder that an act had staged its final name.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn finish_folder(&self, name: &str) -> Result<(), StorageFault> {
        self.finish_from(&format!("{name}{PARTIAL}"), name)
    }

    fn finish_from(&self, unfinished: &str, name: &str) -> Result<(), StorageFault> {
        self.writable()?;
        let path = self.path().join(name);
        rename_new(&self.path().join(unfinished), &path).map_err(StorageFault::system("written", &path))?;
        sync_directory(path.parent().unwrap_or(self.path()))
    }

    /// A file's bytes where `holds` says that they are the right ones: under its final name, or where an
    /// act left it before it had that. `None` where there are only other bytes.
    ///
    /// # Errors
    /// [`StorageFault::Missing`] where there is none at all; as [`Directory::read`].
    pub fn find(&self, name: &str, cap: u64, holds: impl Fn(&[u8]) -> bool) -> Result<Option<Vec<u8>>, StorageFault> {
        let mut missing = None;
        let mut differs = false;
        for place in std::iter::once(name.to_owned()).chain(unfinished_names(name)) {
            match self.read(&place, cap) {
                Ok(bytes) if holds(&bytes) => return Ok(Some(bytes)),
                Ok(_) => differs = true,
                Err(fault @ StorageFault::Missing(_)) => drop(missing.get_or_insert(fault)),
                // Something else in its place is not it.
                Err(fault) if place == name => return Err(fault),
                Err(_) => differs = true,
            }
        }
        match missing {
            Some(fault) if !differs => Err(fault),
            _ => Ok(None),
        }
    }

    fn free(&self, name: &str) -> Result<std::path::PathBuf, StorageFault> {
        self.writable()?;
        let path = self.path().join(name);
        if fs::symlink_metadata(&path).is_ok() { Err(StorageFault::Exists(path)) } else { Ok(path) }
    }

    fn remember(&self, unfinished: &str, name: &str) {
        self.staged().push((unfinished.to_owned(), name.to_owned()));
    }

    fn staged(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a file can lie before it, or a folder that it is in, has its final name.
fn unfinished_names(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('/').collect();
    let mut names = Vec::new();
    for at in 0..parts.len() {
        let marked = |(index, part): (usize, &&str)| match index == at {
            true if index + 1 == parts.len() => format!(".{part}{PARTIAL}"),
            true => format!("{part}{PARTIAL}"),
            false => (*part).to_owned(),
        };
        names.push(parts.iter().enumerate().map(marked).collect::<Vec<_>>().join("/"));
    }
    names
}

/// The unfinished name of a file.
fn hidden(name: &str) -> String {
    partial_of(Path::new(name)).to_string_lossy().into_owned()
}

fn folder_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{name}{PARTIAL}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_staged_is_found_and_gets_its_name_when_it_is_finished() {
        let temp = tempfile::tempdir().unwrap();
        let store = Directory::open(temp.path()).unwrap();
        store.below("keys").unwrap();
        store.stage_file("keys/a", b"one").unwrap();
        store.stage_files("folder/1", &BTreeMap::from([("inner/b".to_owned(), b"two".to_vec())])).unwrap();
        assert!(!store.has("keys/a") && !store.has("folder/1"));
        let find = |name: &str, wanted: &[u8]| store.find(name, 10, |bytes| bytes == wanted);
        assert_eq!(find("keys/a", b"one").unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(find("keys/a", b"other").unwrap(), None);
        assert_eq!(find("folder/1/inner/b", b"two").unwrap().as_deref(), Some(&b"two"[..]));
        assert!(matches!(find("keys/b", b"one"), Err(StorageFault::Missing(_))));
        store.finish_staged().unwrap();
        assert_eq!(store.read("keys/a", 10).unwrap(), b"one");
        assert_eq!(store.read("folder/1/inner/b", 10).unwrap(), b"two");
        assert_eq!(store.names("keys").unwrap(), ["a"]);
        assert_eq!(store.names("folder").unwrap(), ["1"]);
        assert!(matches!(store.stage_file("keys/a", b"x"), Err(StorageFault::Exists(_))));
    }

    #[test]
    fn what_has_the_name_of_the_folder_or_fills_it_is_no_obstacle() {
        let temp = tempfile::tempdir().unwrap();
        let store = Directory::open(temp.path()).unwrap();
        fs::write(temp.path().join("aside"), b"planted").unwrap();
        fs::write(temp.path().join("strange"), b"one").unwrap();
        store.put_aside("strange", "aside").unwrap();
        assert_eq!(store.names("aside").unwrap(), ["strange.1"]);
        assert_eq!(fs::read(temp.path().join("aside.1")).unwrap(), b"planted");
        for number in 1..=MOST_ASIDE {
            let _ = fs::write(temp.path().join(format!("aside/more.{number}")), b"planted");
        }
        fs::write(temp.path().join("more"), b"two").unwrap();
        store.put_aside("more", "aside").unwrap();
        assert!(!store.has("more"));
    }

    #[test]
    fn what_is_discarded_is_gone_and_is_never_finished() {
        let temp = tempfile::tempdir().unwrap();
        let store = Directory::open(temp.path()).unwrap();
        store.stage_file("a", b"one").unwrap();
        store.stage_folder("b").unwrap();
        store.discard_staged("a");
        store.discard_staged("b");
        store.finish_staged().unwrap();
        assert!(store.names("").unwrap().is_empty());
    }
}
