//! The places the gate works in: who else may write there, and files read from anywhere.

use crate::refusal::Refusal;
use crate::screen::{Screen, word};
use coldsign_verify::files::{self, Exposed, Links, ReadFault};
use std::io;
use std::path::{Path, PathBuf};

/// Refuses, as root, a way that others can exchange: whatever is written there would go where they
/// want it. Warns of the folder itself where it is theirs, and of every one where this is not root.
pub fn check(folder: &Path, rule: &'static str, screen: &mut Screen) -> Result<(), Refusal> {
    let exposed = exposed(folder);
    if let Some(one) = exposed.iter().find(|one| one.above && files::runs_as_root()) {
        return Err(Refusal::new(format!(
            "root does not go to {} by a way that others can exchange",
            folder.display()
        ))
        .rule(rule)
        .why(told(one))
        .why("nothing was changed: give every folder above it to root, or run the gate as that user")
        .hint(format!("namei -l {}", word(folder))));
    }
    tell(folder, screen);
    Ok(())
}

/// Warns of every folder on the way that others may write.
pub fn tell(folder: &Path, screen: &mut Screen) {
    for one in exposed(folder) {
        let (told, folder) = (told(&one), folder.display());
        screen.warning(&format!("{told}: whoever may write there can exchange what is in {folder}"));
    }
}

/// Of a folder that is not there yet: what it would be made in counts as above it.
fn exposed(folder: &Path) -> Vec<Exposed> {
    let there = existing(folder);
    let to_be_made = std::path::absolute(folder).is_ok_and(|folder| folder != there);
    // What can't be looked at is told by whatever opens it.
    let mut exposed = files::exposed(&there).unwrap_or_default();
    exposed.iter_mut().for_each(|one| one.above |= to_be_made);
    exposed
}

fn told(exposed: &Exposed) -> String {
    let (folder, owner, mode) = (exposed.folder.display(), exposed.owner, exposed.mode);
    match exposed.mode & 0o022 {
        0 => format!("{folder} belongs to user {owner}"),
        _ => format!("{folder} can be written by others (mode {mode:04o})"),
    }
}

/// The folder, or the lowest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = absolute.ancestors().find(|step| step.canonicalize().is_ok());
    there.unwrap_or(Path::new("/")).to_owned()
}

/// A file that the command line names, at most `limit` bytes of it.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Refusal> {
    files::read_ordinary(path, limit, Links::Followed).map_err(|fault| not_read(path, &fault))
}

fn not_read(path: &Path, fault: &ReadFault) -> Refusal {
    match fault {
        ReadFault::System(error) => Refusal::system("read", path, error),
        ReadFault::Missing => Refusal::system("read", path, &io::ErrorKind::NotFound.into()),
        ReadFault::NotAFile => Refusal::new(format!("{} is no ordinary file", path.display()))
            .why("pipes, devices and folders are not read here")
            .hint(format!("ls -ld {}", word(path))),
        other => Refusal::new(format!("{}: {other}", path.display())),
    }
}
