//! What a process may still touch: the files that its command line names, and no network.
//!
//! A program says what it needs ([`Reach`]) once its command line is read, before the first byte of
//! input, and before a second thread. From then on the system refuses everything else: other files
//! (Landlock), sockets, other programs, other processes (seccomp). Refused calls fail with an error;
//! nothing is killed. Where the kernel can't, the program goes on, and [`Confined`] tells.
//!
//! It reads no environment, prints nothing, and has no unsafe code of its own.

mod calls;
mod files;

pub use calls::Calls;
pub use files::Files;

use std::fs::{self, DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How a path is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Read, with everything below.
    Read,
    /// Read, written and removed, with everything below.
    Keep,
    /// As `Keep`, and links are made there.
    KeepLinks,
    /// Files appear in this folder and get their names there; none is read.
    Put,
    /// Listed, and made durable.
    List,
    /// Empty folders below, which were made for the act, are removed.
    Tidy,
    /// Read, written, and asked for its settings.
    Terminal,
}

/// Everything that a process needs from now on.
#[derive(Debug, Default)]
pub struct Reach {
    uses: Vec<(PathBuf, Use)>,
    makes_nothing: bool,
}

/// What holds for the process since it was confined.
#[derive(Debug, Clone, Copy, Default)]
pub struct Confined {
    /// Which files it may open.
    pub files: Files,
    /// Which system calls it may make.
    pub calls: Calls,
}

/// Folders that were made for products and have none yet.
static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Whether this folder was missing, and was made for the command's products.
#[must_use]
pub fn has_made(folder: &Path) -> bool {
    MADE.lock().is_ok_and(|made| made.iter().any(|made| made == folder))
}

/// Removes the folders that were made for products and stayed empty: at the end of a command, and
/// where a signal ends it before.
pub fn tidy() {
    let made = MADE.lock().map(|mut made| std::mem::take(&mut *made)).unwrap_or_default();
    for folder in made.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

impl Reach {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on no folder is made: the command will be refused, and is to leave nothing behind.
    pub fn make_nothing(&mut self) {
        self.makes_nothing = true;
    }

    /// A file that is read, or a folder with everything below.
    pub fn read(&mut self, path: &Path) {
        self.uses.push((path.to_owned(), Use::Read));
    }

    /// The names in a folder and below, but no file.
    pub fn list(&mut self, folder: &Path) {
        self.uses.push((folder.to_owned(), Use::List));
    }

    /// A folder that is the program's own, with everything below.
    pub fn keep(&mut self, folder: &Path) {
        self.uses.push((folder.to_owned(), Use::Keep));
    }

    /// A folder for products, with everything below. It is made here where only it is missing.
    pub fn put_into(&mut self, folder: &Path) {
        if !self.makes_nothing && is_missing(folder) && DirBuilder::new().create(folder).is_ok() {
            self.made(folder);
        }
        self.keep(folder);
    }

    /// A folder that is the program's own. It and those above it are made with that mode, whatever the umask.
    pub fn make(&mut self, folder: &Path, mode: u32) {
        self.make_all(folder, Some(mode));
        self.list(&above(folder));
        self.keep(folder);
    }

    /// As [`Reach::put_into`], for a folder in which links are made, too. It and those above it are
    /// made with that mode, whatever the umask.
    pub fn link_into(&mut self, folder: &Path, mode: u32) {
        self.make_all(folder, Some(mode));
        self.uses.push((folder.to_owned(), Use::KeepLinks));
    }

    /// A folder that may not be there yet, with everything below and all that lies beside it: it gets
    /// its name when it is complete. The folders above it are made here.
    pub fn keep_beside(&mut self, folder: &Path) {
        let above = above(folder);
        self.make_all(&above, None);
        self.keep(&above);
        self.keep(folder);
    }

    /// A new file: made, named and removed in the folder it lies in, where no other can be read.
    pub fn put_at(&mut self, file: &Path) {
        self.uses.push((above(file), Use::Put));
    }

    /// A terminal.
    pub fn terminal(&mut self, path: &Path) {
        self.uses.push((path.to_owned(), Use::Terminal));
    }

    /// From now on the process and all its threads to come may touch nothing else.
    #[must_use]
    pub fn confine(self) -> Confined {
        let files = files::restrict(&self.uses);
        Confined { files, calls: calls::restrict() }
    }

    fn make_all(&mut self, folder: &Path, mode: Option<u32>) {
        if self.makes_nothing || !is_missing(folder) {
            return;
        }
        self.make_all(&above(folder), mode);
        // 0777 less the umask, unless a mode is wanted whatever the umask.
        let made = DirBuilder::new().mode(mode.unwrap_or(0o777)).create(folder);
        let made =
            made.and_then(|()| mode.map_or(Ok(()), |mode| fs::set_permissions(folder, Permissions::from_mode(mode))));
        if made.is_ok() {
            self.made(folder);
        }
    }

    fn made(&mut self, folder: &Path) {
        let above = above(folder);
        // A folder whose name is not durable loses all that is in it. Some media can't say so.
        let _ = File::open(&above).and_then(|above| above.sync_all());
        self.uses.push((above, Use::Tidy));
        if let Ok(mut made) = MADE.lock() {
            made.push(folder.to_owned());
        }
    }
}

fn is_missing(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The folder that a path lies in, however it is written.
fn above(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned)
}
