//! Files for services that read files: all of a publication's change at once, or none.
//!
//! The directory stays what it is, so that a container can mount it; in it `..data` is a link to a
//! numbered folder, and every other name a link through `..data`. Renaming a new link over `..data`
//! is the switch. Format: `docs/formats/trust-v1.md`.

use crate::refusal::Refusal;
use crate::screen::word;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const DATA: &str = "..data";
const NEW_LINK: &str = "..data.partial";
const PARTIAL: &str = "..partial";
const FOLDER: &str = "..export-";

/// An export directory, locked while this is held.
pub struct Export {
    directory: PathBuf,
    #[expect(dead_code, reason = "held, not read")]
    lock: File,
}

/// New files beside the ones in use.
pub struct Staged {
    export: Export,
    names: BTreeSet<String>,
    /// Of the folder that they get; `None` where they are in use already.
    number: Option<u64>,
}

impl Export {
    /// Opens or makes the directory; waits while another process is at it.
    pub fn open(directory: &Path) -> Result<Self, Refusal> {
        let fault = |error: io::Error| fault(directory, &error);
        make_directory(directory).map_err(fault)?;
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(directory.join("..lock"));
        let lock = lock.map_err(fault)?;
        lock.lock().map_err(fault)?;
        Ok(Self { directory: directory.to_owned(), lock })
    }

    /// The directory's one name, however it was given.
    pub fn name(&self) -> Result<String, Refusal> {
        fs::canonicalize(&self.directory).map(|path| name(&path)).map_err(|error| fault(&self.directory, &error))
    }

    /// Writes the files beside those in use, durably. Nothing that a service reads changes.
    pub fn stage(self, files: BTreeMap<String, Vec<u8>>) -> Result<Staged, Refusal> {
        let names: BTreeSet<String> =
            files.keys().map(|path| path.split('/').next().unwrap_or(path).to_owned()).collect();
        for name in &names {
            self.check_free(name)?;
        }
        let fault = |error: io::Error| fault(&self.directory, &error);
        let number = if self.holds(&files) { None } else { Some(next(&self.directory).map_err(fault)?) };
        if number.is_some() {
            self.write(&files).map_err(fault)?;
        }
        Ok(Staged { export: self, names, number })
    }

    /// A name may be free, or a link of ours.
    fn check_free(&self, name: &str) -> Result<(), Refusal> {
        let place = self.directory.join(name);
        match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Ok(_) if self.is_ours(name) => Ok(()),
            _ => Err(Refusal::new(format!("{} is in the way", place.display()))
                .rule("EXPORT-IN-THE-WAY")
                .why("it is not the gate's: move it, or export into a directory of its own")
                .hint(format!("ls -ld {}", crate::screen::word(&place)))),
        }
    }

    fn is_ours(&self, name: &str) -> bool {
        fs::read_link(self.directory.join(name)).is_ok_and(|target| target == Path::new(DATA).join(name))
    }

    /// Whether what is in use is exactly this.
    fn holds(&self, files: &BTreeMap<String, Vec<u8>>) -> bool {
        let data = self.directory.join(DATA);
        let same = |(path, bytes): (&String, &Vec<u8>)| fs::read(data.join(path)).is_ok_and(|found| found == *bytes);
        files.iter().all(same) && count(&data) == Some(files.len())
    }

    fn write(&self, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
        let partial = self.directory.join(PARTIAL);
        remove_tree(&partial)?;
        step()?;
        make_folder(&partial)?;
        for (path, bytes) in files {
            let place = partial.join(path);
            let folder = place.parent().unwrap_or(&partial).to_owned();
            if folder != partial && !folder.is_dir() {
                make_folder(&folder)?;
            }
            step()?;
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o644).open(&place)?;
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.write_all(bytes)?;
            step()?;
            file.sync_all()?;
            sync(&folder)?;
        }
        sync(&partial)
    }
}

impl Staged {
    /// Whether the files are other ones than those in use.
    pub fn is_new(&self) -> bool {
        self.number.is_some()
    }

    /// Makes the new files the ones in use; `false` where they were already. Afterwards links and
    /// folders that nothing needs any more are removed, but for the folder that was in use before:
    /// a reader may be on its way into it.
    pub fn switch(&self) -> Result<bool, Refusal> {
        let directory = &self.export.directory;
        let before = fs::read_link(directory.join(DATA)).ok().and_then(|folder| number(&folder.to_string_lossy()));
        // Names that only the new files have are there, leading nowhere, before the switch, and names
        // that only the old ones had until after it: either way all that is in use can be read.
        self.link()
            .and_then(|()| self.number.map_or(Ok(()), |number| switch(directory, number)))
            .and_then(|()| self.unlink())
            .and_then(|()| self.number.map_or(Ok(()), |number| sweep(directory, &[Some(number), before])))
            .and_then(|()| remove_tree(&directory.join(PARTIAL)))
            .and_then(|()| sync(directory))
            .map_err(|error| fault(directory, &error))?;
        Ok(self.is_new())
    }

    fn link(&self) -> io::Result<()> {
        let directory = &self.export.directory;
        for name in &self.names {
            step()?;
            match symlink(Path::new(DATA).join(name), directory.join(name)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn unlink(&self) -> io::Result<()> {
        let directory = &self.export.directory;
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with("..") && !self.names.contains(&name) && self.export.is_ours(&name) {
                step()?;
                fs::remove_file(directory.join(&name))?;
            }
        }
        Ok(())
    }
}

fn switch(directory: &Path, number: u64) -> io::Result<()> {
    let folder = format!("{FOLDER}{number:06}");
    step()?;
    fs::rename(directory.join(PARTIAL), directory.join(&folder))?;
    sync(directory)?;
    step()?;
    match fs::remove_file(directory.join(NEW_LINK)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(&folder, directory.join(NEW_LINK))?;
    step()?;
    fs::rename(directory.join(NEW_LINK), directory.join(DATA))?;
    step()?;
    sync(directory)
}

/// Removes all folders but these. After a crash only the next switch knows which one was in use.
fn sweep(directory: &Path, keep: &[Option<u64>]) -> io::Result<()> {
    for number in numbers(directory)? {
        if !keep.contains(&Some(number)) {
            step()?;
            remove_tree(&directory.join(format!("{FOLDER}{number:06}")))?;
        }
    }
    Ok(())
}

/// A number above those of all folders.
fn next(directory: &Path) -> io::Result<u64> {
    let last = numbers(directory)?.into_iter().max().unwrap_or(0);
    last.checked_add(1).ok_or_else(|| io::Error::other(format!("no number comes after {FOLDER}{last}")))
}

fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(number(&entry?.file_name().to_string_lossy()));
    }
    Ok(numbers)
}

fn number(folder: &str) -> Option<u64> {
    folder.strip_prefix(FOLDER)?.parse().ok()
}

/// A path as the trust store keeps it.
pub fn name(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.to_str().map_or_else(|| bytes.escape_ascii().to_string(), str::to_owned)
}

/// The directory and all above it, as [`make_folder`]; what is there stays as it is.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    directory.parent().filter(|above| !above.as_os_str().is_empty()).map_or(Ok(()), make_directory)?;
    make_folder(directory)
}

/// Readable by services of other users, whatever the umask.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn count(folder: &Path) -> Option<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        files += if entry.file_type().ok()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Some(files)
}

fn sync(directory: &Path) -> io::Result<()> {
    step()?;
    File::open(directory)?.sync_all()
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
