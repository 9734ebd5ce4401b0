//! Files for services that read files: all of a publication's change at once, or none.
//!
//! The directory stays what it is, so that a container can mount it; in it `..data` is a link to a
//! numbered folder, and every other name a link through `..data`. Renaming a new link over `..data`
//! is the switch. Format: `docs/formats/trust-v1.md`.
//!
//! A service's user may be able to write the directory, and the gate may be root. So the directory is
//! opened once, all is done from its descriptor, and no link is followed in it.

use crate::refusal::Refusal;
use crate::screen::word;
use coldsign_verify::files::{Folder, Kind, LockFault, LockFile};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const DATA: &str = "..data";
const NEW_LINK: &str = "..data.partial";
const PARTIAL: &str = "..partial";
const FOLDER: &str = "..export-";
const LOCK: &str = "..lock";
/// How deep folders lie in a publication, and more.
const DEEPEST: usize = 16;

/// An export directory, locked while this is held.
pub struct Export {
    directory: PathBuf,
    folder: Folder,
    lock: LockFile,
}

/// New files beside the ones in use.
pub struct Staged {
    export: Export,
    names: BTreeSet<String>,
    /// The folder that has them, and the number it gets; `None` where they are in use already.
    new: Option<(Folder, u64)>,
}

impl Export {
    /// Opens or makes the directory; waits three seconds while another process is at it.
    pub fn open(directory: &Path) -> Result<Self, Refusal> {
        let folder = Folder::make(directory).map_err(|error| fault(directory, &error))?;
        let lock = LockFile::take(&folder, LOCK).map_err(|fault| not_locked(directory, &fault))?;
        let export = Self { directory: directory.to_owned(), folder, lock };
        export.check()?;
        Ok(export)
    }

    /// The directory's one name, however it was given.
    pub fn name(&self) -> Result<String, Refusal> {
        fs::canonicalize(&self.directory).map(|path| name(&path)).map_err(|error| fault(&self.directory, &error))
    }

    /// Its name still leads here, and nobody else can have the lock.
    fn check(&self) -> Result<(), Refusal> {
        let exchanged = if !self.folder.is_still(&self.directory) {
            self.directory.clone()
        } else if !self.lock.is_still_ours() {
            self.lock.path()
        } else {
            return Ok(());
        };
        Err(Refusal::new(format!("{} was exchanged meanwhile", exchanged.display()))
            .rule("EXPORT-EXCHANGED")
            .why("what services read there may not be what this installation wrote")
            .hint(format!("ls -ld {}", word(&exchanged))))
    }

    /// Writes the files beside those in use, durably. Nothing that a service reads changes.
    pub fn stage(self, files: BTreeMap<String, Vec<u8>>) -> Result<Staged, Refusal> {
        self.check()?;
        let names: BTreeSet<String> =
            files.keys().map(|path| path.split('/').next().unwrap_or(path).to_owned()).collect();
        for name in &names {
            self.check_free(name)?;
        }
        let fault = |error: io::Error| fault(&self.directory, &error);
        let new = if self.holds(&files) {
            None
        } else {
            let number = self.next().map_err(fault)?;
            Some((self.write(&files).map_err(fault)?, number))
        };
        Ok(Staged { export: self, names, new })
    }

    /// A name may be free, or a link of ours.
    fn check_free(&self, name: &str) -> Result<(), Refusal> {
        let place = self.directory.join(name);
        match self.folder.find(name) {
            Ok(None) => Ok(()),
            Ok(_) if self.is_ours(name) => Ok(()),
            _ => Err(Refusal::new(format!("{} is in the way", place.display()))
                .rule("EXPORT-IN-THE-WAY")
                .why("it is not the gate's: move it, or export into a directory of its own")
                .hint(format!("ls -ld {}", word(&place)))),
        }
    }

    fn is_ours(&self, name: &str) -> bool {
        self.folder.link(name).is_some_and(|target| target == Path::new(DATA).join(name))
    }

    /// The number of the folder in use.
    fn in_use(&self) -> Option<u64> {
        number(self.folder.link(DATA)?.to_str()?)
    }

    /// Whether what is in use is exactly this.
    fn holds(&self, files: &BTreeMap<String, Vec<u8>>) -> bool {
        let Some(data) = self.in_use().and_then(|number| self.folder.below(numbered(number)).ok()) else {
            return false;
        };
        let same =
            |(path, bytes): (&String, &Vec<u8>)| data.read(path, bytes.len() as u64).is_ok_and(|found| found == *bytes);
        files.iter().all(same) && count(&data, DEEPEST) == Some(files.len())
    }

    fn write(&self, files: &BTreeMap<String, Vec<u8>>) -> io::Result<Folder> {
        self.folder.remove(PARTIAL)?;
        step()?;
        let partial = self.folder.create_below(PARTIAL, 0o755)?;
        for (path, bytes) in files {
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            let mut folder = partial.clone();
            for part in folders.split('/').filter(|part| !part.is_empty()) {
                folder = if folder.has(part) { folder.below(part)? } else { folder.create_below(part, 0o755)? };
            }
            step()?;
            let mut file = folder.create_file(name, 0o644)?;
            file.write_all(bytes)?;
            step()?;
            file.sync_all()?;
            sync(&folder)?;
        }
        sync(&partial)?;
        Ok(partial)
    }

    /// A number above those of all folders.
    fn next(&self) -> io::Result<u64> {
        let last = self.numbers()?.into_iter().max().unwrap_or(0);
        last.checked_add(1).ok_or_else(|| io::Error::other(format!("no number comes after {FOLDER}{last}")))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        Ok(self.folder.names()?.iter().filter_map(|name| number(name.to_str()?)).collect())
    }
}

impl Staged {
    /// Whether the files are other ones than those in use.
    pub fn is_new(&self) -> bool {
        self.new.is_some()
    }

    /// Makes the new files the ones in use; `false` where they were already. Afterwards links and
    /// folders that nothing needs any more are removed, but for the folder that was in use before:
    /// a reader may be on its way into it.
    pub fn switch(&self) -> Result<bool, Refusal> {
        let export = &self.export;
        export.check()?;
        let before = export.in_use();
        // Names that only the new files have are there, leading nowhere, before the switch, and names
        // that only the old ones had until after it: either way all that is in use can be read.
        self.link()
            .and_then(|()| self.new.as_ref().map_or(Ok(()), |(folder, number)| self.put_in_use(folder, *number)))
            .and_then(|()| self.unlink())
            .and_then(|()| self.new.as_ref().map_or(Ok(()), |(_, number)| self.sweep(&[Some(*number), before])))
            .and_then(|()| export.folder.remove(PARTIAL))
            .and_then(|()| sync(&export.folder))
            .map_err(|error| fault(&export.directory, &error))?;
        export.check()?;
        Ok(self.is_new())
    }

    fn link(&self) -> io::Result<()> {
        for name in &self.names {
            step()?;
            match self.export.folder.create_link(name, &Path::new(DATA).join(name)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn unlink(&self) -> io::Result<()> {
        for name in self.export.folder.names()? {
            let Some(name) = name.to_str() else { continue };
            if !name.starts_with("..") && !self.names.contains(name) && self.export.is_ours(name) {
                step()?;
                self.export.folder.remove_file(name)?;
            }
        }
        Ok(())
    }

    fn put_in_use(&self, new: &Folder, number: u64) -> io::Result<()> {
        let (folder, name) = (&self.export.folder, numbered(number));
        step()?;
        folder.rename(PARTIAL, &name)?;
        if !folder.leads_to(&name, new) {
            return Err(io::Error::other(format!("somebody put something else in the place of {PARTIAL}")));
        }
        sync(folder)?;
        step()?;
        folder.remove_file(NEW_LINK)?;
        folder.create_link(NEW_LINK, Path::new(&name))?;
        step()?;
        folder.rename(NEW_LINK, DATA)?;
        if self.export.in_use() != Some(number) {
            return Err(io::Error::other(format!("somebody put something else in the place of {DATA}")));
        }
        step()?;
        sync(folder)
    }

    /// Removes all folders but these. After a crash only the next switch knows which one was in use.
    fn sweep(&self, keep: &[Option<u64>]) -> io::Result<()> {
        for number in self.export.numbers()? {
            if !keep.contains(&Some(number)) {
                step()?;
                self.export.folder.remove(numbered(number))?;
            }
        }
        Ok(())
    }
}

fn numbered(number: u64) -> String {
    format!("{FOLDER}{number:06}")
}

fn number(folder: &str) -> Option<u64> {
    folder.strip_prefix(FOLDER)?.parse().ok()
}

/// A path as the trust store keeps it.
pub fn name(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.to_str().map_or_else(|| bytes.escape_ascii().to_string(), str::to_owned)
}

fn count(folder: &Folder, depth: usize) -> Option<usize> {
    let mut files = 0;
    for name in folder.names().ok()? {
        let name = name.to_str()?;
        let is_folder = folder.find(name).ok()??.kind == Kind::Folder;
        files += if is_folder { count(&folder.below(name).ok()?, depth.checked_sub(1)?)? } else { 1 };
    }
    Some(files)
}

fn sync(folder: &Folder) -> io::Result<()> {
    step()?;
    folder.sync()
}

fn not_locked(directory: &Path, lock: &LockFault) -> Refusal {
    match lock {
        LockFault::Held(path) => Refusal::new(lock.to_string())
            .rule("EXPORT-BUSY")
            .why("one process exports to a directory at a time; try again when it has ended")
            .hint(format!("fuser -v {}", word(path))),
        LockFault::Foreign(path) => Refusal::new(lock.to_string())
            .rule("EXPORT-LOCK")
            .why("somebody else put it there: look who, and remove it")
            .hint(format!("ls -ld {}", word(path))),
        LockFault::System { source, .. } => fault(directory, source),
        other => Refusal::new(other.to_string()).rule("EXPORT-SYSTEM"),
    }
}

fn fault(directory: &Path, error: &io::Error) -> Refusal {
    Refusal::new(format!("{} could not be written: {error}", directory.display()))
        .rule("EXPORT-SYSTEM")
        .hint(format!("ls -ld {}", word(directory)))
}

#[cfg(test)]
thread_local! {
    /// How many more steps this thread may take before it is stopped where it stands.
    pub static STEPS_LEFT: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

/// A place where tests pull the plug.
fn step() -> io::Result<()> {
    #[cfg(test)]
    match STEPS_LEFT.get() {
        0 => return Err(io::Error::other("stopped here by a test")),
        left => STEPS_LEFT.set(left - 1),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
