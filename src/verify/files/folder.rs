//! A folder by its descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::{Links, ReadFault, one_name, open_ordinary, read_from, sync_directory};

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How deep a tree of folders is removed; a deeper one is nobody's product.
const DEEPEST: usize = 64;

/// A folder, open. What is done below it is done from its descriptor, and follows no link.
#[derive(Clone, Debug)]
pub struct Folder {
    descriptor: Arc<OwnedFd>,
    path: PathBuf,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A pipe, socket or device.
    Other,
}

/// What stands under a name, itself: a link is not followed.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Which one it is.
    pub identity: Identity,
    /// Permission bits.
    pub mode: u32,
    /// Its owner's number.
    pub owner: u32,
    /// In bytes.
    pub length: u64,
}

impl Identity {
    /// Of an open file or folder.
    pub fn of(descriptor: impl AsFd) -> io::Result<Self> {
        Ok(Found::of(&rustix::fs::fstat(descriptor)?).identity)
    }
}

impl Found {
    #[allow(clippy::unnecessary_cast, reason = "the types differ from one system to the next")]
    pub(super) fn of(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        Self {
            kind,
            identity: Identity { device: stat.st_dev as u64, inode: stat.st_ino as u64 },
            mode: stat.st_mode as u32 & 0o7777,
            owner: stat.st_uid,
            length: u64::try_from(stat.st_size).unwrap_or(0),
        }
    }
}

impl Folder {
    /// The folder that a path leads to. Links in it are followed: the name is an operator's own.
    pub fn open(path: &Path) -> io::Result<Self> {
        let place = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let descriptor = rustix::fs::open(place, OPEN, Mode::empty())?;
        Ok(Self { descriptor: Arc::new(descriptor), path: path.to_owned() })
    }

    /// The folder that a path leads to, made where there is none, with all above it. What is made can
    /// be read by all, whatever the umask; what is there stays as it is.
    pub fn make(path: &Path) -> io::Result<Self> {
        match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let above = Self::make(above)?;
        match above.create_below(name, 0o755) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::open(path),
            // A folder whose name is not durable loses all that is in it.
            made => made.and_then(|made| above.sync().map(|()| made)),
        }
    }

    /// How it was called, for people. Nothing is reached by it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a path still leads here.
    pub fn is_still(&self, path: &Path) -> bool {
        let place = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let there = rustix::fs::stat(place).map(|stat| Found::of(&stat).identity);
        there.is_ok_and(|there| Identity::of(self).is_ok_and(|own| own == there))
    }

    /// A folder in it.
    pub fn below(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let descriptor = rustix::fs::openat(self, one_name(name.as_ref())?, OPEN | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { descriptor: Arc::new(descriptor), path: self.path.join(name.as_ref()) })
    }

    /// A new folder in it, with exactly this mode where the file system has modes.
    pub fn create_below(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<Self> {
        rustix::fs::mkdirat(self, one_name(name.as_ref())?, Mode::from_raw_mode(0o700))?;
        let made = self.below(name)?;
        set_mode(&made, mode)?;
        Ok(made)
    }

    /// What it is itself.
    pub fn itself(&self) -> io::Result<Found> {
        Ok(Found::of(&rustix::fs::fstat(self)?))
    }

    /// What stands under a name; nothing is no fault.
    pub fn find(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Found>> {
        match rustix::fs::statat(self, one_name(name.as_ref())?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Found::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether anything, whatever it is, has that name.
    pub fn has(&self, name: impl AsRef<OsStr>) -> bool {
        self.find(name).is_ok_and(|found| found.is_some())
    }

    /// Whether a name leads to this open file or folder.
    pub fn leads_to(&self, name: impl AsRef<OsStr>, open: impl AsFd) -> bool {
        let there = self.find(name).ok().flatten().map(|found| found.identity);
        there.is_some() && there == Identity::of(open).ok()
    }

    /// The names in it, sorted.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The bytes of an ordinary file, at most `limit` of them; `/` between the folders on the way.
    pub fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, ReadFault> {
        read_from(self.open_file(path)?, limit)
    }

    /// An ordinary file for reading; `/` between the folders on the way.
    pub fn open_file(&self, path: &str) -> Result<File, ReadFault> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut folder = self.clone();
        for part in folders.split('/').filter(|_| !folders.is_empty()) {
            folder = match folder.below(part) {
                Ok(below) => below,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ReadFault::Missing),
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::LOOP | Errno::NOTDIR)) => {
                    return Err(ReadFault::NotAFile);
                }
                Err(error) => return Err(ReadFault::System(error)),
            };
        }
        open_ordinary(&folder, Path::new(one_name(OsStr::new(name)).map_err(ReadFault::System)?), Links::Refused)
    }

    /// A new file for writing, with exactly this mode where the file system has modes. Whatever has
    /// that name already, a link that leads nowhere too, is a fault.
    pub fn create_file(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self, one_name(name.as_ref())?, flags, Mode::from_raw_mode(0o600))?;
        set_mode(&file, mode)?;
        Ok(File::from(file))
    }

    /// A symbolic link in it.
    pub fn create_link(&self, name: impl AsRef<OsStr>, target: &Path) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, self, one_name(name.as_ref())?)?)
    }

    /// Where a link in it leads; `None` where no link has that name.
    pub fn link(&self, name: impl AsRef<OsStr>) -> Option<PathBuf> {
        let target = rustix::fs::readlinkat(self, one_name(name.as_ref()).ok()?, Vec::new()).ok()?;
        Some(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// Gives a file another name besides; what has it already is a fault.
    pub fn link_file(&self, name: impl AsRef<OsStr>, other: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::linkat(self, one_name(name.as_ref())?, self, one_name(other.as_ref())?, AtFlags::empty())?)
    }

    /// Gives a file or folder another name; what has that name is replaced.
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::renameat(self, one_name(from.as_ref())?, self, one_name(to.as_ref())?)?)
    }

    /// As [`rename`](Self::rename), where nothing has the new name. File systems without that get a
    /// look first.
    pub fn rename_new(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        match rustix::fs::renameat_with(
            self,
            one_name(from.as_ref())?,
            self,
            one_name(to.as_ref())?,
            RenameFlags::NOREPLACE,
        ) {
            Err(Errno::INVAL | Errno::NOSYS) if self.find(&to)?.is_some() => Err(io::ErrorKind::AlreadyExists.into()),
            Err(Errno::INVAL | Errno::NOSYS) => self.rename(from, to),
            renamed => Ok(renamed?),
        }
    }

    /// Removes a file or link; none of that name is no fault.
    pub fn remove_file(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes whatever has that name; of a folder all that is in it, without following links.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.remove_to(name.as_ref(), DEEPEST)
    }

    fn remove_to(&self, name: &OsStr, depth: usize) -> io::Result<()> {
        let Some(found) = self.find(name)? else { return Ok(()) };
        if found.kind != Kind::Folder {
            return self.remove_file(name);
        }
        let depth = depth.checked_sub(1).ok_or_else(|| io::Error::other("its folders lie too deep"))?;
        let folder = self.below(name)?;
        for inside in folder.names()? {
            folder.remove_to(&inside, depth)?;
        }
        self.unlink(name, AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: impl AsRef<OsStr>, flags: AtFlags) -> io::Result<()> {
        match rustix::fs::unlinkat(self, one_name(name.as_ref())?, flags) {
            Err(Errno::NOENT) => Ok(()),
            unlinked => Ok(unlinked?),
        }
    }

    /// Makes the names in it durable.
    pub fn sync(&self) -> io::Result<()> {
        sync_directory(self)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// By descriptor. A file system without modes is no fault: [`Folder::keeps_modes`] tells.
pub(super) fn set_mode(descriptor: impl AsFd, mode: u32) -> io::Result<()> {
    match rustix::fs::fchmod(descriptor, Mode::from_raw_mode(mode)) {
        Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => Ok(()),
        set => Ok(set?),
    }
}
