//! A directory of the store: durable writes, bounded reads.

use super::held::Held;
use super::outbox::{Modes, create_folder};
use super::{Lock, StorageFault};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Marks a file that is still being written; the next act removes it.
pub(super) const PARTIAL: &str = ".partial";
/// How often a directory is made anew that others take for abandoned.
const TRIES: u32 = 8;
/// The most that a folder's files may hold together, in bytes: a publication has a hundredth of it.
const LARGEST_FOLDER: u64 = 64 << 20;
/// What each entry of a folder counts besides.
const ENTRY: u64 = 1 << 10;

/// One directory with mode 0700 whose files have mode 0600; or files held in memory, for reading.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    held: Option<Arc<Held>>,
    /// Names that wait for their entry in the journal (`staged.rs`).
    pub(super) staged: Arc<Mutex<Vec<String>>>,
}

impl Directory {
    fn at(path: PathBuf) -> Self {
        Self { path, held: None, staged: Arc::default() }
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

    /// A new directory beside the place it will have in the end ([`Directory::rename_to`]), under a
    /// name of its own (`mark`), locked. What attempts that are over left beside that place is
    /// removed; others that are still at it are left alone.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn create_beside(place: &Path, mark: &str) -> Result<(Self, Lock), StorageFault> {
        Self::sweep_beside(place)?;
        let (above, begin) = beside(place)?;
        fs::create_dir_all(&above).map_err(StorageFault::system("created", &above))?;
        let path = above.join(format!("{begin}{mark}{PARTIAL}"));
        for _ in 0..TRIES {
            let made = Self::create(&path)?;
            match Lock::take(&made) {
                Ok(lock) if made.has("lock") => return Ok((made, lock)),
                // Swept by another attempt before it was locked.
                Ok(_) | Err(StorageFault::Missing(_)) => {}
                Err(fault) => {
                    made.discard();
                    return Err(fault);
                }
            }
        }
        Err(StorageFault::Busy(path))
    }

    /// Removes what attempts at that place that are over left beside it; its names.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn sweep_beside(place: &Path) -> Result<Vec<PathBuf>, StorageFault> {
        let (above, begin) = beside(place)?;
        let mut swept = Vec::new();
        for left in (Self::at(above.clone())).names("")? {
            if !left.starts_with(&begin) || !left.ends_with(PARTIAL) {
                continue;
            }
            let path = above.join(&left);
            // An empty one goes, too: whoever was about to lock it makes another.
            let abandoned = fs::remove_dir(&path).is_err() && path.join("lock").is_file();
            if abandoned && Lock::try_take(&Self::at(path.clone())).is_some() {
                fs::remove_dir_all(&path).map_err(StorageFault::system("removed", &path))?;
                swept.push(path);
            }
        }
        Ok(swept)
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
        let found = fs::symlink_metadata(&path).map_err(StorageFault::system("read", &path))?;
        if !found.is_file() {
            return Err(StorageFault::NotAFile(path));
        }
        if found.len() > cap {
            return Err(StorageFault::TooLarge { path, cap });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
        let file = File::open(&path).map_err(StorageFault::system("read", &path))?;
        file.take(cap).read_to_end(&mut bytes).map_err(StorageFault::system("read", &path))?;
        Ok(bytes)
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

    /// A new folder with these files (relative paths, `/` between parts), as private as the directory;
    /// it appears when everything in it is durable.
    ///
    /// # Errors
    /// [`StorageFault::Exists`]; on any error nothing of that name has appeared.
    pub fn create_folder(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), StorageFault> {
        create_folder(&self.path, name, files, Modes { folder: 0o700, file: 0o600 })
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
        let written = write_durably(&partial, bytes, 0o600)
            .and_then(|()| rename(&partial, &path).map_err(StorageFault::system("written", &path)));
        if let Err(fault) = written {
            let _ = fs::remove_file(&partial);
            return Err(fault);
        }
        Ok(())
    }

    /// Cuts a file to `keep` bytes, appends `bytes`, and synchronises it. Where appending fails the
    /// file is cut back to `keep`.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn append(&self, name: &str, keep: u64, bytes: &[u8]) -> Result<(), StorageFault> {
        self.writable()?;
        let path = self.path.join(name);
        let fault = || StorageFault::system("written", &path);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(fault())?;
        file.set_len(keep).map_err(fault())?;
        let appended =
            file.seek(SeekFrom::Start(keep)).and_then(|_| file.write_all(bytes)).and_then(|()| file.sync_data());
        if let Err(error) = appended {
            let _ = file.set_len(keep).and_then(|()| file.sync_data());
            return Err(fault()(error));
        }
        Ok(())
    }

    /// Makes durable what somebody else may have written to a file.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn sync_file(&self, name: &str) -> Result<(), StorageFault> {
        let path = self.path.join(name);
        File::open(&path).and_then(|file| file.sync_data()).map_err(StorageFault::system("synchronised", &path))
    }

    /// Removes a file, durably; one that is not there is no fault.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn remove_file(&self, name: &str) -> Result<(), StorageFault> {
        self.writable()?;
        let path = self.path.join(name);
        match fs::remove_file(&path) {
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

    /// Gives the directory its final name, where nothing or only an empty directory may be. Of two
    /// that want the same name only one gets it.
    ///
    /// # Errors
    /// [`StorageFault::Exists`]; the directory then keeps its name.
    pub fn rename_to(&self, to: &Path) -> Result<Self, StorageFault> {
        self.writable()?;
        if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_none()) {
            fs::remove_dir(to).map_err(StorageFault::system("created", to))?;
        }
        rename_new(&self.path, to).map_err(StorageFault::system("created", to))?;
        if let Some(parent) = to.parent() {
            sync_directory(parent)?;
        }
        Ok(Self::at(to.to_owned()))
    }

    /// Removes the directory with all that is in it: for one that never got its final name.
    pub fn discard(&self) {
        if self.held.is_none() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }

    pub(super) fn writable(&self) -> Result<(), StorageFault> {
        if self.held.is_some() { Err(StorageFault::ReadOnly(self.path.clone())) } else { Ok(()) }
    }
}

/// The folder above a place, and how names of what is made beside the place begin.
fn beside(place: &Path) -> Result<(PathBuf, String), StorageFault> {
    let place = std::path::absolute(place).map_err(StorageFault::system("read", place))?;
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((place.parent().unwrap_or(&place).to_owned(), format!(".{name}.")))
}

/// The name under which a file is written before it gets its own.
pub(super) fn partial_of(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}{PARTIAL}"))
}

pub(super) fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StorageFault> {
    put_durably(begin(path, mode)?, path, bytes).map(|_| ())
}

/// An empty file of that name, for writing.
pub(super) fn begin(path: &Path, mode: u32) -> Result<File, StorageFault> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    options.open(path).map_err(StorageFault::system("written", path))
}

pub(super) fn put_durably(mut file: File, path: &Path, bytes: &[u8]) -> Result<File, StorageFault> {
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(StorageFault::system("written", path))?;
    Ok(file)
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
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    match synced {
        // Some removable file systems can't synchronise a directory.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
        synced => synced.map_err(StorageFault::system("synchronised", path)),
    }
}

#[cfg(test)]
mod tests;
