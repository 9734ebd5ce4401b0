//! Who may exchange a folder: the owners and modes of all that lies above it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD};

use super::{Found, Kind};

/// Rights of group and others to write.
const OTHERS_WRITE: u32 = 0o022;
/// In such a folder nobody moves what belongs to others.
const STICKY: u32 = 0o1000;
/// As many as the system follows.
const MOST_LINKS: usize = 40;

/// A folder that another user may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The folder.
    pub folder: PathBuf,
    /// Whether it lies above the one that was asked about: then that one can be exchanged whole.
    pub above: bool,
    /// Its owner's number.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// The folders that others than root and this user may write, and links that others have made: all that
/// is passed on the way to `folder`, and `folder` itself. In the order in which they are passed.
pub fn exposed(folder: &Path) -> io::Result<Vec<Exposed>> {
    let real = folder.canonicalize()?;
    let mut ahead = steps(&std::path::absolute(folder)?);
    let mut place = PathBuf::from("/");
    let mut found: Vec<Exposed> = Vec::new();
    let mut links = 0;
    look(&place, &real, &mut found)?;
    while let Some(step) = ahead.pop() {
        if step == ".." {
            place.pop();
            continue;
        }
        place.push(step);
        if look(&place, &real, &mut found)? == Kind::Link {
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::other("it leads over too many links"));
            }
            let target = rustix::fs::readlinkat(CWD, &place, Vec::new())?;
            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
            place.pop();
            if target.is_absolute() {
                place = PathBuf::from("/");
            }
            ahead.extend(steps(&target));
        }
    }
    Ok(found)
}

/// The names of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    let mut steps: Vec<OsString> = names.map(|part| part.as_os_str().to_owned()).collect();
    steps.reverse();
    steps
}

fn look(place: &Path, real: &Path, found: &mut Vec<Exposed>) -> io::Result<Kind> {
    let stat = Found::of(&rustix::fs::statat(CWD, place, AtFlags::SYMLINK_NOFOLLOW)?);
    let above = place != real;
    let foreign = ![0, user()].contains(&stat.owner);
    // A link has no modes; a folder in which nobody moves what is another's lets nobody exchange one of ours.
    let writable = stat.mode & OTHERS_WRITE != 0 && !(above && stat.mode & STICKY != 0) && stat.kind != Kind::Link;
    if (writable || foreign) && !found.iter().any(|known| known.folder == place) {
        found.push(Exposed { folder: place.to_owned(), above, owner: stat.owner, mode: stat.mode });
    }
    Ok(stat.kind)
}

/// Whether this process may do everything.
pub fn runs_as_root() -> bool {
    user() == 0
}

pub(super) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
