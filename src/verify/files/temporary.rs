//! A file or folder that is still being written, under a name that nobody can foresee.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::folder::set_mode;
use super::{Folder, Found, Kind};

/// Around 16 hex digits.
const MARK: (&str, &str) = (".coldsign.", ".partial");
/// How often another name is taken, where a sweep beside us was faster.
const TRIES: u32 = 8;

/// Whether what has its name is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// It is a fault.
    Never,
    /// By one renaming.
    Whole,
}

/// A new file or folder of ours in a folder that others may write too; removed when dropped, unless
/// it has got its name. Held by a lock, where the file system has locks, so that no sweep takes it.
#[derive(Debug)]
pub struct Temporary {
    folder: Folder,
    name: String,
    held: File,
    /// The mode it gets with its name.
    mode: u32,
    named: bool,
}

/// Whether a name is that of a temporary.
pub fn is_temporary(name: &str) -> bool {
    let digits = name.strip_prefix(MARK.0).and_then(|rest| rest.strip_suffix(MARK.1));
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

impl Temporary {
    /// A new empty file. `chance` gives eight random bytes: this crate draws none.
    pub fn file(folder: &Folder, mode: u32, chance: impl FnMut() -> io::Result<[u8; 8]>) -> io::Result<Self> {
        Self::make(folder, mode, chance, |name| folder.create_file(name, 0o600))
    }

    /// A new empty folder, for its owner alone until it gets its name.
    pub fn folder(folder: &Folder, mode: u32, chance: impl FnMut() -> io::Result<[u8; 8]>) -> io::Result<Self> {
        Self::make(folder, mode, chance, |name| {
            Ok(File::from(folder.create_below(name, 0o700)?.as_fd().try_clone_to_owned()?))
        })
    }

    fn make(
        folder: &Folder,
        mode: u32,
        mut chance: impl FnMut() -> io::Result<[u8; 8]>,
        create: impl Fn(&str) -> io::Result<File>,
    ) -> io::Result<Self> {
        for _ in 0..TRIES {
            let name = format!("{}{:016x}{}", MARK.0, u64::from_be_bytes(chance()?), MARK.1);
            let held = create(&name)?;
            let made = Self { folder: folder.clone(), name, held, mode, named: false };
            let _ = made.held.try_lock();
            if folder.leads_to(&made.name, &made.held) {
                return Ok(made);
            }
        }
        Err(io::Error::other("somebody takes away every file that is begun there"))
    }

    /// The folder, where it is one.
    pub fn opened(&self) -> io::Result<Folder> {
        let opened = self.folder.below(&self.name)?;
        // By whoever may write there it could have been exchanged.
        if self.folder.leads_to(&self.name, &self.held) { Ok(opened) } else { Err(exchanged()) }
    }

    /// Writes a file's bytes, durably.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.write_all(bytes)?;
        self.held.sync_all()
    }

    /// Gives it its name and its mode, durably. The name then leads to it, or it is a fault: what
    /// somebody else put there is not what was written.
    pub fn give_name(mut self, name: impl AsRef<OsStr>, replace: Replace) -> io::Result<()> {
        let name = name.as_ref();
        set_mode(&self.held, self.mode)?;
        match replace {
            Replace::Never => self.folder.rename_new(&self.name, name)?,
            Replace::Whole => self.folder.rename(&self.name, name)?,
        }
        self.named = true;
        if !self.folder.leads_to(name, &self.held) {
            return Err(exchanged());
        }
        // Without its name durable it has not appeared.
        self.folder.sync().inspect_err(|_| {
            let _ = self.folder.remove(name);
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.named && self.folder.leads_to(&self.name, &self.held) {
            let _ = self.folder.remove(&self.name);
        }
    }
}

impl Folder {
    /// Whether the file system keeps the mode by which only its owner may read a file. Tried on a file
    /// without a name where the file system has those, else on a temporary.
    pub fn keeps_modes(&self, chance: impl FnMut() -> io::Result<[u8; 8]>) -> io::Result<bool> {
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match rustix::fs::openat(self, ".", flags, Mode::from_raw_mode(0o600)) {
            Ok(nameless) => private(&nameless),
            Err(Errno::NOTSUP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
                let tried = Temporary::file(self, 0o600, chance)?;
                let kept = private(&tried.held);
                drop(tried);
                self.sync().and(kept)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the temporaries that ended runs have left here; those that are held are left alone, and
    /// so are all where the file system has no locks. What can't be removed stays: it is nobody's product.
    pub fn sweep_temporaries(&self) {
        for name in self.names().unwrap_or_default() {
            let Some(name) = name.to_str().filter(|name| is_temporary(name)) else { continue };
            let opened = match self.find(name) {
                // For writing: a confined process may make files here that it may not read.
                Ok(Some(found)) if found.kind == Kind::File => {
                    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    rustix::fs::openat(self, name, flags, Mode::empty()).ok().map(File::from)
                }
                Ok(Some(found)) if found.kind == Kind::Folder => {
                    self.below(name).and_then(|it| it.as_fd().try_clone_to_owned()).ok().map(File::from)
                }
                _ => None,
            };
            let Some(opened) = opened else { continue };
            match opened.try_lock() {
                Ok(()) if self.leads_to(name, &opened) => drop(self.remove(name)),
                Ok(()) | Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
            }
        }
    }
}

/// Whether a file has the mode that only its owner may read it by.
fn private(descriptor: impl AsFd) -> io::Result<bool> {
    match rustix::fs::fchmod(&descriptor, Mode::from_raw_mode(0o600)) {
        // As FAT refuses a mode that it can't keep.
        Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => Ok(false),
        set => {
            set?;
            Ok(Found::of(&rustix::fs::fstat(&descriptor)?).mode & 0o077 == 0)
        }
    }
}

fn exchanged() -> io::Error {
    io::Error::other("somebody put something else in its place")
}
