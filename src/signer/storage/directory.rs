//! A directory of the store: durable writes, bounded reads.

mod beside;

use super::held::Held;
use super::outbox::{Modes, fill};
use super::{Ending, Lock, StorageFault};
use coldsign_verify::files::{Folder, Links, open_ordinary, read_ordinary};
use rustix::fs::{CWD, Mode, OFlags};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Marks a file that is still being written; the next act removes it.
pub(super) const PARTIAL: &str = ".partial";
/// The most that a folder's files may hold together, in bytes: a publication has a hundredth of it.
const LARGEST_FOLDER: u64 = 64 << 20;
/// What each entry of a folder counts besides.
const ENTRY: u64 = 1 << 10;

/// One directory with mode 0700 whose files have mode 0600; or files held in memory, for reading.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    held: Option<Arc<Held>>,
    /// Unfinished and final names of what waits for its entry in the journal (`staged.rs`).
    pub(super) staged: Arc<Mutex<Vec<(String, String)>>>,
    lock: Option<Lock>,
}

impl Directory {
    fn at(path: PathBuf) -> Self {
        Self { path, held: None, staged: Arc::default(), lock: None }
    }

    /// A directory that is there.
    ///
    /// # Errors
    /// [`StorageFault::Missing`] where it is not, or is no directory.
    pub fn open(path: &Path) -> Result<Self, StorageFault> {
        let found = fs::metadata(path).map_err(StorageFault::system("read", path))?;
        if !found.is_dir() {
            return Err(StorageFault::Missing(path.to_owned()));
        }
        Ok(Self::at(path.to_owned()))
    }

    /// A new directory; its parent must exist.
    ///
    /// # Errors
    /// [`StorageFault::Exists`] where something of that name is there.
    pub fn create(path: &Path) -> Result<Self, StorageFault> {
        DirBuilder::new().mode(0o700).create(path).map_err(StorageFault::system("created", path))?;
        if let Some(parent) = path.parent() {
            // Without its name durable it has not appeared.
            sync_directory(parent).inspect_err(|_| {
                let _ = fs::remove_dir(path);
            })?;
        }
        Ok(Self::at(path.to_owned()))
    }

    /// The same directory, in which the lock's file is read and appended to by the descriptor that is
    /// held.
    #[must_use]
    pub fn holding(&self, lock: &Lock) -> Self {
        Self { lock: Some(lock.clone()), ..self.clone() }
    }

    fn lock_of(&self, name: &str) -> Option<&Lock> {
        self.lock.as_ref().filter(|lock| lock.is_of(name))
    }

    /// Files in memory, by relative path, that can be read as if they lay at `shown`. Nothing can be
    /// written there.
    pub fn held(shown: &Path, files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { held: Some(Arc::new(Held(files))), ..Self::at(shown.to_owned()) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A directory below this one, made if it is not there.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn below(&self, name: &str) -> Result<Self, StorageFault> {
        self.writable()?;
        let path = self.path.join(name);
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => Ok(Self::at(path)),
            Ok(_) => Err(StorageFault::Exists(path)),
            Err(_) => Self::create(&path),
        }
    }

    /// Whether a file or directory of that name is there.
    pub fn has(&self, name: &str) -> bool {
        if let Some(held) = &self.held {
            return held.has(name);
        }
        fs::symlink_metadata(self.path.join(name)).is_ok()
    }

    /// Whether a folder of that name is there.
    pub fn has_folder(&self, name: &str) -> bool {
        match &self.held {
            Some(held) => held.has_folder(name),
            None => fs::symlink_metadata(self.path.join(name)).is_ok_and(|found| found.is_dir()),
        }
    }

    /// The names in it, sorted; a directory that is not there has none.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn names(&self, below: &str) -> Result<Vec<String>, StorageFault> {
        if let Some(held) = &self.held {
            return Ok(held.names(below));
        }
        let path = self.path.join(below);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StorageFault::system("read", &path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StorageFault::system("read", &path))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// A file's bytes, at most `cap` of them.
    ///
    /// # Errors
    /// [`StorageFault::TooLarge`], [`StorageFault::NotAFile`] (a symbolic link too), or the system's.
    pub fn read(&self, name: &str, cap: u64) -> Result<Vec<u8>, StorageFault> {
        if let Some(held) = &self.held {
            return held.read(name, cap, &self.path);
        }
        let path = self.path.join(name);
        match self.lock_of(name) {
            Some(lock) => lock.read(&path, cap),
            None => read_ordinary(&path, cap, Links::Refused).map_err(|fault| StorageFault::read(&path, fault)),
        }
    }

    /// As [`Directory::read`], for text.
    ///
    /// # Errors
    /// [`StorageFault::NotText`] besides.
    pub fn read_text(&self, name: &str, cap: u64) -> Result<String, StorageFault> {
        String::from_utf8(self.read(name, cap)?).map_err(|_| StorageFault::NotText(self.path.join(name)))
    }

    /// A new file, durable under its name when this returns.
    ///
    /// # Errors
    /// [`StorageFault::Exists`]; on any error no file of that name has appeared.
    pub fn create_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        let path = self.path.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(StorageFault::Exists(path));
        }
        self.place(name, bytes, rename_new)?;
        // Without its name durable it has not appeared.
        sync_directory(path.parent().unwrap_or(&self.path)).inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })
    }

    /// A new empty file; durable with what is appended to it and with the next change of its folder.
    ///
    /// # Errors
    /// [`StorageFault::Exists`].
    pub fn begin_file(&self, name: &str) -> Result<(), StorageFault> {
        self.writable()?;
        create_new(&self.path.join(name)).map(drop)
    }

    /// A new folder with these files (relative paths, `/` between parts), as private as the directory;
    /// it appears when everything in it is durable.
    ///
    /// # Errors
    /// [`StorageFault::Exists`]; on any error nothing of that name has appeared.
    pub fn create_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), StorageFault> {
        self.writable()?;
        let target = self.path.join(name);
        let partial = format!("{name}{PARTIAL}");
        let folder = Folder::open(&self.path).map_err(StorageFault::system("read", &self.path))?;
        let fault = || StorageFault::system("written", &target);
        if folder.has(name) {
            return Err(StorageFault::Exists(target));
        }
        folder.remove(&partial).map_err(StorageFault::system("removed", &self.path.join(&partial)))?;
        let made = folder.create_below(&partial, 0o700).map_err(fault())?;
        let written = fill(&made, files, Modes { folder: 0o700, file: 0o600 })
            .and_then(|()| folder.rename_new(&partial, name).map_err(fault()));
        if let Err(fault) = written {
            let _ = folder.remove(&partial);
            return Err(fault);
        }
        // Without its name durable it has not appeared.
        folder.sync().map_err(StorageFault::system("synchronised", &self.path)).inspect_err(|_| {
            let _ = folder.remove(name);
        })
    }

    /// A file replaced whole, durable when this returns.
    ///
    /// # Errors
    /// As the system refuses; the old file then stands.
    pub fn replace_file(&self, name: &str, bytes: &[u8]) -> Result<(), StorageFault> {
        self.place(name, bytes, |from, to| fs::rename(from, to))?;
        sync_directory(self.path.join(name).parent().unwrap_or(&self.path))
    }

    /// Gives a file the name of another, which it replaces; durable when this returns.
    ///
    /// # Errors
    /// As the system refuses; both files then keep their names.
    pub fn replace_with(&self, from: &str, to: &str) -> Result<(), StorageFault> {
        self.writable()?;
        let (from, to) = (self.path.join(from), self.path.join(to));
        fs::rename(&from, &to).map_err(StorageFault::system("written", &to))?;
        sync_directory(to.parent().unwrap_or(&self.path))
    }

    fn place(
        &self,
        name: &str,
        bytes: &[u8],
        rename: impl FnOnce(&Path, &Path) -> std::io::Result<()>,
    ) -> Result<(), StorageFault> {
        self.writable()?;
        let path = self.path.join(name);
        let partial = partial_of(&path);
        let written = write_durably(&partial, bytes)
            .and_then(|()| rename(&partial, &path).map_err(StorageFault::system("written", &path)));
        if let Err(fault) = written {
            let _ = fs::remove_file(&partial);
            return Err(fault);
        }
        Ok(())
    }

    /// Cuts off what came after a file's last bytes that count, appends `bytes` there, and synchronises
    /// it. Only for the file whose lock is held ([`Directory::holding`]), and only where it is as it was
    /// read. Where appending fails the file is cut back.
    ///
    /// # Errors
    /// [`StorageFault::Exchanged`]; or as the system refuses.
    pub fn append(&self, name: &str, ending: &Ending<'_>, bytes: &[u8]) -> Result<(), StorageFault> {
        self.writable()?;
        let path = self.path.join(name);
        match self.lock_of(name) {
            Some(lock) => lock.append(&path, ending, bytes),
            None => Err(StorageFault::ReadOnly(path)),
        }
    }

    /// Whether the file whose lock is held still has its name and ends so.
    ///
    /// # Errors
    /// [`StorageFault::Exchanged`].
    pub fn check_ending(&self, name: &str, ending: &Ending<'_>) -> Result<(), StorageFault> {
        self.lock_of(name).map_or(Ok(()), |lock| lock.check(&self.path.join(name), ending))
    }

    /// Makes durable what somebody else may have written to a file.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn sync_file(&self, name: &str) -> Result<(), StorageFault> {
        let path = self.path.join(name);
        if let Some(lock) = self.lock_of(name) {
            return lock.sync(&path);
        }
        let file = open_ordinary(CWD, &path, Links::Refused).map_err(|fault| StorageFault::read(&path, fault))?;
        file.sync_data().map_err(StorageFault::system("synchronised", &path))
    }

    /// Removes a file, or whatever was put in its place, durably; one that is not there is no fault.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn remove_file(&self, name: &str) -> Result<(), StorageFault> {
        self.writable()?;
        let path = self.path.join(name);
        match clear(&path) {
            Ok(()) => sync_directory(path.parent().unwrap_or(&self.path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StorageFault::system("removed", &path)(error)),
        }
    }

    /// Removes what earlier acts left half written in the directory `below` (`""`: this one).
    ///
    /// # Errors
    /// As the system refuses.
    pub fn sweep_partials(&self, below: &str) -> Result<(), StorageFault> {
        for name in self.names(below)? {
            if name.starts_with('.') && name.ends_with(PARTIAL) {
                self.remove_file(&Path::new(below).join(name).to_string_lossy())?;
            } else if name.ends_with(PARTIAL) {
                let path = Path::new(below).join(name).to_string_lossy().into_owned();
                if self.has_folder(&path) { self.remove_folder(&path)? } else { self.remove_file(&path)? }
            }
        }
        Ok(())
    }

    /// Removes a folder with all that is in it, durably.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn remove_folder(&self, name: &str) -> Result<(), StorageFault> {
        self.writable()?;
        let path = self.path.join(name);
        fs::remove_dir_all(&path).map_err(StorageFault::system("removed", &path))?;
        sync_directory(path.parent().unwrap_or(&self.path))
    }

    /// The files of a folder and of the folders in it, by relative path; at most `cap` bytes each,
    /// 64 MiB in all.
    ///
    /// # Errors
    /// As [`Directory::read`].
    pub fn read_folder(&self, name: &str, cap: u64) -> Result<BTreeMap<String, Vec<u8>>, StorageFault> {
        let mut files = BTreeMap::new();
        let mut room = LARGEST_FOLDER;
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in self.names(format!("{name}/{folder}").trim_end_matches('/'))? {
                let inner = format!("{folder}{entry}");
                let path = format!("{name}/{inner}");
                // Whatever it is, it takes room: a folder of empty folders has no end either.
                let mut taken = ENTRY;
                if self.has_folder(&path) {
                    folders.push(format!("{inner}/"));
                } else {
                    let bytes = self.read(&path, cap)?;
                    taken += bytes.len() as u64;
                    files.insert(inner, bytes);
                }
                let full = || StorageFault::TooLarge { path: self.path.join(name), cap: LARGEST_FOLDER };
                room = room.checked_sub(taken).ok_or_else(full)?;
            }
        }
        Ok(files)
    }

    pub(super) fn writable(&self) -> Result<(), StorageFault> {
        if self.held.is_some() { Err(StorageFault::ReadOnly(self.path.clone())) } else { Ok(()) }
    }
}

/// The name under which a file is written before it gets its own.
pub(super) fn partial_of(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}{PARTIAL}"))
}

/// Removes what has that name: a folder too, which somebody may have put in a file's place.
pub(super) fn clear(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn create_new(path: &Path) -> Result<File, StorageFault> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o600));
    made.map(File::from).map_err(|error| StorageFault::system("written", path)(error.into()))
}

/// A new file with these bytes, durable. What a killed act has left under that name is removed first,
/// never written to: it may be a link, a pipe, or another user's.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StorageFault> {
    let fault = || StorageFault::system("written", path);
    match clear(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fault()(error)),
        _ => {}
    }
    let mut file = create_new(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault())
}

/// Renames only where nothing of the new name is there; file systems without that flag get a look
/// first (the store's lock, or the operator's own stick, keeps others away meanwhile).
pub(super) fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(std::io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        done => Ok(done?),
    }
}

pub(super) fn sync_directory(path: &Path) -> Result<(), StorageFault> {
    Folder::open(path).and_then(|folder| folder.sync()).map_err(StorageFault::system("synchronised", path))
}

#[cfg(test)]
mod tests;
