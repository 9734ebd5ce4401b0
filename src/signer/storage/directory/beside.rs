//! A directory that is made beside the place it will have in the end.

use super::super::{Lock, StorageFault};
use super::{Directory, PARTIAL, rename_new, sync_directory};
use coldsign_verify::files::Folder;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// How many hex digits tell one attempt at a place from another.
const MARK: usize = 12;
/// How often a directory is made anew that others take for abandoned.
const TRIES: u32 = 8;

impl Directory {
    /// A new directory beside the place it will have in the end ([`Directory::rename_to`]), under a
    /// name of its own (`mark`, twelve hex digits), itself locked. What attempts that are over left
    /// beside that place is removed; others that are still at it are left alone.
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
            match Lock::of_folder(&made) {
                Ok(lock) => return Ok((made, lock)),
                // Swept by another attempt before it was locked.
                Err(StorageFault::Missing(_)) => {}
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
        let Ok(folder) = Folder::open(&above) else { return Ok(Vec::new()) };
        let mut swept = Vec::new();
        for left in folder.names().map_err(StorageFault::system("read", &above))? {
            let Some(left) = left.to_str() else { continue };
            let mark = left.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(PARTIAL));
            if !mark.is_some_and(|mark| mark.len() == MARK && mark.bytes().all(|b| b.is_ascii_hexdigit())) {
                continue;
            }
            let opened = folder.below(left).and_then(|left| left.as_fd().try_clone_to_owned()).map(File::from);
            let Ok(opened) = opened else { continue };
            if opened.try_lock().is_ok() && folder.leads_to(left, &opened) {
                let path = above.join(left);
                folder.remove(left).map_err(StorageFault::system("removed", &path))?;
                swept.push(path);
            }
        }
        Ok(swept)
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
}

/// The folder above a place, and how names of what is made beside the place begin.
fn beside(place: &Path) -> Result<(PathBuf, String), StorageFault> {
    let place = std::path::absolute(place).map_err(StorageFault::system("read", place))?;
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((place.parent().unwrap_or(&place).to_owned(), format!(".{name}.")))
}
