//! Files by their descriptors, for both programs: reads that are bounded and never wait, folders in
//! which no link is followed, locks that end.
//!
//! A name can be exchanged at any time by whoever may write the folder it stands in. So a folder is
//! opened once, and everything below it is reached from its descriptor, one name after the other
//! (openat(2) with `O_NOFOLLOW`). What was looked at is what was opened: types and modes are those of
//! the descriptor. Nothing here is for services that only verify tokens.

mod folder;
mod lock;
mod place;
mod temporary;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

pub use folder::{Folder, Found, Identity, Kind};
pub use lock::{LockFault, LockFile, wait_for_lock};
pub use place::{Exposed, exposed, runs_as_root};
pub use temporary::{Replace, Temporary, is_temporary};

/// Whether the last name of a path may be a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Followed: the name is an operator's own.
    Followed,
    /// Refused as no ordinary file.
    Refused,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFault {
    /// There is none.
    #[error("it is not there")]
    Missing,
    /// A link, folder, device, pipe or socket.
    #[error("it is no ordinary file")]
    NotAFile,
    /// More than is read of such a file.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The system refused.
    #[error(transparent)]
    System(io::Error),
}

/// The bytes of an ordinary file, at most `limit` of them.
///
/// Opened without waiting: a pipe without a writer can't hang the reader. The type is asked of the
/// open descriptor, so that no other file can come between.
pub fn read_ordinary(path: &Path, limit: u64, links: Links) -> Result<Vec<u8>, ReadFault> {
    read_from(open_ordinary(CWD, path, links)?, limit)
}

/// Opens an ordinary file for reading, without waiting.
pub fn open_ordinary(at: impl AsFd, path: &Path, links: Links) -> Result<File, ReadFault> {
    let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    if links == Links::Refused {
        flags |= OFlags::NOFOLLOW;
    }
    let file = match rustix::fs::openat(at, path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::NOENT) => return Err(ReadFault::Missing),
        // A link that is not followed; a socket.
        Err(Errno::LOOP) if links == Links::Refused => return Err(ReadFault::NotAFile),
        Err(Errno::NXIO) => return Err(ReadFault::NotAFile),
        Err(error) => return Err(ReadFault::System(error.into())),
    };
    if file.metadata().map_err(ReadFault::System)?.is_file() { Ok(file) } else { Err(ReadFault::NotAFile) }
}

/// All of an open ordinary file from where it stands, at most `limit` bytes.
pub fn read_from(file: File, limit: u64) -> Result<Vec<u8>, ReadFault> {
    let length = file.metadata().map_err(ReadFault::System)?.len();
    if length > limit {
        return Err(ReadFault::TooLarge { limit });
    }
    // Room from the start: a growing buffer would leave copies of a secret behind. Files of /proc have no length.
    let room = usize::try_from(length.max(4 << 10).min(limit).saturating_add(1)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(ReadFault::System)?;
    if bytes.len() as u64 > limit { Err(ReadFault::TooLarge { limit }) } else { Ok(bytes) }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: impl AsFd) -> io::Result<()> {
    match rustix::fs::fsync(directory) {
        // Some removable file systems can't synchronise a directory.
        Err(Errno::INVAL) => Ok(()),
        synced => Ok(synced?),
    }
}

/// Refuses what is more than one name in a folder.
fn one_name(name: &OsStr) -> io::Result<&OsStr> {
    let bytes = name.as_bytes();
    let sound = !bytes.is_empty() && !bytes.iter().any(|byte| matches!(byte, b'/' | 0)) && name != "." && name != "..";
    if sound { Ok(name) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a single name")) }
}

#[cfg(test)]
mod tests;
