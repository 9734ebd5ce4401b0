//! What a power cut may take: a model of a disk that keeps only what was synchronised.
//!
//! Killing a process loses nothing that it has written, so the order of writes and
//! synchronisations has to be shown by itself. A file's bytes are durable after its own
//! `fsync`/`fdatasync`; a name is durable after its directory's. The rules held against that are
//! those of `docs/formats/journal-v1.md` ("Commit") and `store-v1.md` ("Writing").

use crate::trace::Call;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder of a run: `store`, `out` and `papers` lie in it.
pub struct Disk<'a> {
    folder: &'a Path,
    present: BTreeSet<PathBuf>,
    /// Files whose bytes, and directories whose names, are not durable yet.
    unsynced: BTreeSet<PathBuf>,
    /// Files whose own name is not durable yet.
    nameless: BTreeSet<PathBuf>,
}

impl<'a> Disk<'a> {
    /// A folder before the run, everything in it durable.
    pub fn of(folder: &'a Path) -> Self {
        let none = BTreeSet::new;
        let mut disk = Self { folder, present: none(), unsynced: none(), nameless: none() };
        disk.look(folder);
        disk
    }

    fn look(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            self.present.insert(entry.path());
            if entry.path().is_dir() {
                self.look(&entry.path());
            }
        }
    }

    /// Plays a run that succeeded; the first rule it breaks.
    pub fn play<'c>(mut self, calls: impl Iterator<Item = &'c Call>) -> Result<(), String> {
        for call in calls.filter(|call| call.succeeded()) {
            self.call(call).map_err(|what| format!("{}({}): {what}", call.name, call.arguments))?;
        }
        match self.unsynced(|_| true) {
            Some(path) => Err(format!("the act ends while {} is not durable", path.display())),
            None => Ok(()),
        }
    }

    fn call(&mut self, call: &Call) -> Result<(), String> {
        let paths = call.paths(self.folder);
        match (call.name.as_str(), paths.as_slice()) {
            ("openat", _) => {
                let Some(path) = call.opened().filter(|path| self.counts(path)) else { return Ok(()) };
                if call.arguments.contains("O_CREAT") && !self.present.contains(&path) {
                    self.leaves(&path)?;
                    self.appears(&path);
                }
                if call.arguments.contains("O_TRUNC") {
                    self.unsynced.insert(path);
                }
                Ok(())
            }
            ("mkdir" | "mkdirat", [path]) if self.counts(path) => {
                self.leaves(path)?;
                self.appears(path);
                Ok(())
            }
            ("write", _) if call.arguments.starts_with("1<") => self.everything_in_store("it is said"),
            ("write" | "ftruncate", _) => {
                let Some(path) = call.descriptor().filter(|path| self.counts(path)) else { return Ok(()) };
                self.leaves(&path)?;
                if path.ends_with("journal/entries.jsonl") {
                    self.blobs_are_durable(&path)?;
                }
                self.unsynced.insert(path);
                Ok(())
            }
            ("fsync" | "fdatasync", _) => {
                if let Some(path) = call.descriptor() {
                    self.unsynced.remove(&path);
                    self.nameless.retain(|name| name.parent() != Some(&path));
                }
                Ok(())
            }
            ("rename" | "renameat" | "renameat2", [from, to]) if self.counts(from) => self.rename(from, to),
            ("unlink" | "unlinkat" | "rmdir", [path]) if self.counts(path) => {
                self.present.remove(path);
                self.unsynced.remove(path);
                self.name_changes(path);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whatever entries name, and every output that they may call delivered, must last before they do. A new journal's own name is the exception: no
    /// checkpoint speaks of it yet.
    fn blobs_are_durable(&self, entries: &Path) -> Result<(), String> {
        let journal = entries.parent().unwrap_or(entries);
        let store = journal.parent().unwrap_or(journal);
        let new = self.nameless.contains(entries);
        let outputs = ["out", "papers"].map(|folder| self.folder.join(folder));
        if let Some(path) = self.unsynced(|path| outputs.iter().any(|folder| path.starts_with(folder))) {
            return Err(format!("entries are written while {} is not durable", path.display()));
        }
        let blob = self.unsynced(|path| path.starts_with(store) && path != entries && !(new && path == journal));
        match blob {
            Some(blob) => Err(format!("entries are written while {} is not durable", blob.display())),
            None => Ok(()),
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), String> {
        if let Some(path) = self.unsynced(|path| path.starts_with(from)) {
            return Err(format!("renamed while {} is not durable", path.display()));
        }
        if to.ends_with("journal/checkpoint")
            && let Some(entries) = self.unsynced(|path| path.ends_with("journal/entries.jsonl"))
        {
            return Err(format!("the checkpoint is replaced while {} is not durable", entries.display()));
        }
        let moved = |path: &Path| {
            path.strip_prefix(from)
                .map(|below| if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) })
        };
        self.present = std::mem::take(&mut self.present).into_iter().map(|path| moved(&path).unwrap_or(path)).collect();
        self.name_changes(from);
        self.name_changes(to);
        Ok(())
    }

    fn appears(&mut self, path: &Path) {
        self.present.insert(path.to_owned());
        self.nameless.insert(path.to_owned());
        self.name_changes(path);
    }

    fn name_changes(&mut self, path: &Path) {
        if let Some(parent) = path.parent().filter(|parent| self.counts(parent) || *parent == self.folder) {
            self.unsynced.insert(parent.to_owned());
        }
    }

    /// Nothing leaves while anything in the store can still be lost.
    fn leaves(&self, path: &Path) -> Result<(), String> {
        if path.starts_with(self.folder.join("out")) { self.everything_in_store("something leaves") } else { Ok(()) }
    }

    fn everything_in_store(&self, when: &str) -> Result<(), String> {
        match self.unsynced(|path| path.starts_with(self.folder.join("store"))) {
            Some(path) => Err(format!("{when} while {} is not durable", path.display())),
            None => Ok(()),
        }
    }

    fn unsynced(&self, which: impl Fn(&PathBuf) -> bool) -> Option<&PathBuf> {
        self.unsynced.iter().find(|path| which(path))
    }

    fn counts(&self, path: &Path) -> bool {
        // The lock holds nothing; the trace is ours.
        path.starts_with(self.folder) && path != self.folder && !path.ends_with("lock") && !path.ends_with("trace")
    }
}
