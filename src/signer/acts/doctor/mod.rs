//! `doctor`: is this machine, this program, this store's place as they should be? Changes nothing,
//! needs no passphrase.

mod clock;
mod machine;
mod network;
mod place;
mod program;
mod store;

pub use program::Program;

use crate::storage::{Calls, Files, Restrictions, holds_any, names_in, read_file};
use std::path::{Path, PathBuf};

/// The longest text that is read of what the kernel tells, in bytes.
const LONGEST: u64 = 1 << 20;

/// How a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Deserves a look: the operator decides.
    Look,
    /// Not a machine for real keys.
    Bad,
}

impl Verdict {
    /// `ok`, `look`, `bad`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Look => "look",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: one name for scripts and for the page.
    pub topic: &'static str,
    /// How it counts.
    pub verdict: Verdict,
    /// What was found; may hold text from outside.
    pub fact: String,
    /// Why it matters, where it is not as it should be.
    pub why: Option<&'static str>,
    /// The command that helps.
    pub command: Option<String>,
}

impl Finding {
    fn ok(topic: &'static str, fact: impl Into<String>) -> Self {
        Self { topic, verdict: Verdict::Ok, fact: fact.into(), why: None, command: None }
    }

    fn look(topic: &'static str, fact: impl Into<String>, why: &'static str) -> Self {
        Self { topic, verdict: Verdict::Look, fact: fact.into(), why: Some(why), command: None }
    }

    fn bad(topic: &'static str, fact: impl Into<String>, why: &'static str) -> Self {
        Self { verdict: Verdict::Bad, ..Self::look(topic, fact, why) }
    }

    fn try_this(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

/// What to look at.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where the system's files are: `/`, or a folder laid out like it.
    pub root: PathBuf,
    /// Where the store is or is to be, if that is known.
    pub store: Option<PathBuf>,
    /// The file of the running program, if that is known.
    pub program: Option<PathBuf>,
    /// What holds for the running process.
    pub restrictions: Restrictions,
    /// Which files and system calls the kernel can keep from a command.
    pub confinement: (Files, Calls),
    /// Whether the program was built for use, not for development.
    pub release_build: bool,
    /// The machine's clock, in seconds since the epoch.
    pub now: u64,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The running program, where its file could be read.
    pub program: Option<Program>,
    /// Everything that was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings count so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

/// Looks at everything.
#[must_use]
pub fn examine(request: &Request) -> Report {
    let system = System { root: &request.root };
    let program = request.program.as_deref().and_then(program::read);
    let mut findings = network::findings(&system);
    findings.extend(machine::findings(&system, &request.restrictions));
    findings.push(machine::confinement(request.confinement));
    findings.extend(clock::findings(&system, request.now));
    findings.extend(program::findings(program.as_ref(), request.release_build));
    match &request.store {
        Some(store) => {
            findings.extend(place::findings(&system, store));
            findings.extend(store::findings(store, request.now));
        }
        None => findings.push(
            Finding::look("store", "no place for a store is known", "there is no home directory to look in")
                .try_this("coldsign --store DIR doctor"),
        ),
    }
    Report { program, findings }
}

/// What the kernel and the system tell in files.
struct System<'a> {
    root: &'a Path,
}

impl System<'_> {
    /// A file's text; none where it can't be read.
    fn text(&self, path: &str) -> Option<String> {
        let bytes = read_file(&self.root.join(path), LONGEST).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file's one line.
    fn line(&self, path: &str) -> Option<String> {
        self.text(path).map(|text| text.trim().to_owned())
    }

    fn has(&self, path: &str) -> bool {
        holds_any(self.root, &[path]).is_some()
    }

    fn names(&self, path: &str) -> Vec<String> {
        names_in(&self.root.join(path))
    }
}

#[cfg(test)]
mod tests;
