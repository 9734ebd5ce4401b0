//! System calls of the real binary, as `strace` tells them, and faults it puts into them.

use crate::world::spelled_out;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Calls that change what is on a disk or what others see.
pub const CHANGING: &str =
    "openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,flock";

/// What goes wrong at which call: the `nth` of its name in the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The call's name.
    pub call: String,
    /// Which one, from 1.
    pub nth: usize,
    /// What happens instead of it.
    pub what: What,
}

/// What happens instead of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The process gets this signal. After SIGKILL the call never happens; other signals end the
    /// process when the call is done.
    Killed(&'static str),
    /// The call fails once with this error.
    Fails(&'static str),
    /// This call and all later ones of its name fail.
    FailsForGood(&'static str),
}

impl Fault {
    fn inject(&self) -> String {
        let (effect, on) = match self.what {
            What::Killed(signal) => (format!("signal={signal}"), ""),
            What::Fails(error) => (format!("error={error}"), ""),
            What::FailsForGood(error) => (format!("error={error}"), "+"),
        };
        format!("inject={}:{effect}:when={}{on}", self.call, self.nth)
    }
}

/// One system call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments, as strace writes them with `-y`.
    pub arguments: String,
    /// What it returned, with the path of a descriptor.
    pub result: String,
    /// The how many-th of its name this is, from 1.
    pub nth: usize,
}

impl Call {
    /// The path of the descriptor that is its first argument.
    pub fn descriptor(&self) -> Option<PathBuf> {
        path_of_descriptor(&self.arguments)
    }

    /// The path of the descriptor it returned.
    pub fn opened(&self) -> Option<PathBuf> {
        path_of_descriptor(&self.result)
    }

    /// The paths among its arguments, each below the directory it is relative to.
    pub fn paths(&self, current: &Path) -> Vec<PathBuf> {
        let mut base = current.to_owned();
        let mut paths = Vec::new();
        let mut rest = self.arguments.as_str();
        while !rest.is_empty() {
            let argument = rest.split(", ").next().unwrap_or(rest);
            if let Some(quoted) = argument.strip_prefix('"') {
                paths.push(base.join(quoted.trim_end_matches('"')));
            } else if let Some(directory) = path_of_descriptor(argument) {
                base = directory;
            }
            rest = rest[argument.len()..].trim_start_matches(", ");
        }
        paths
    }

    /// Whether it did what it was asked.
    pub fn succeeded(&self) -> bool {
        !self.result.starts_with('-') && !self.result.starts_with('?')
    }
}

fn path_of_descriptor(text: &str) -> Option<PathBuf> {
    let text = text.split(", ").next()?;
    let (number, path) = text.split_once('<')?;
    let number = number == "AT_FDCWD" || number.parse::<u32>().is_ok();
    number.then(|| PathBuf::from(path.trim_end().trim_end_matches('>')))
}

/// How the binary can be traced here, so that its paths can be seen: it closes its memory to others
/// of the same user, and then only root may look, or root in a name space of its own.
fn tracer() -> Result<&'static [&'static str], String> {
    static FOUND: OnceLock<Result<&'static [&'static str], String>> = OnceLock::new();
    let try_all = || {
        let mut why = String::new();
        for tracer in [&["strace"] as &[&str], &["unshare", "-Ur", "strace"]] {
            match sees_paths(tracer) {
                Ok(()) => return Ok(tracer),
                Err(what) => why += &format!("{}: {what}; ", tracer.join(" ")),
            }
        }
        Err(why)
    };
    FOUND.get_or_init(try_all).clone()
}

fn sees_paths(tracer: &[&str]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(tracer[0]);
    command.args(&tracer[1..]).args(["-f", "-y", "-o", "trace", "-e", "trace=openat,fsync"]);
    command.args(["-e", "inject=flock:error=EIO", env!("CARGO_BIN_EXE_coldsign"), "man", "--to", "pages"]);
    let output = command.current_dir(folder.path()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let trace = std::fs::read_to_string(folder.path().join("trace")).unwrap_or_default();
    let seen = trace.lines().any(|line| line.contains("fsync(") && line.contains("/pages"));
    if seen { Ok(()) } else { Err("the paths of its files can't be seen".to_owned()) }
}

/// Why nothing can be traced here, where that is so.
pub fn why_not() -> Option<String> {
    tracer().err()
}

/// Runs the binary in a folder under `strace`, with a fault where one is given.
pub fn run(folder: &Path, arguments: &[&str], fault: Option<&Fault>) -> Output {
    let tracer = tracer().unwrap();
    let mut command = Command::new(tracer[0]);
    command
        .args(&tracer[1..])
        .args(["-f", "-y", "-qq", "-s", "0", "-o", "trace", "-e"])
        .arg(format!("trace={CHANGING}"));
    if let Some(fault) = fault {
        command.arg("-e").arg(fault.inject());
    }
    command
        .arg(env!("CARGO_BIN_EXE_coldsign"))
        .args(["--passphrase-file", "pass"])
        .args(spelled_out(folder, arguments));
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TZ", "UTC").env("HOME", folder).env("COLDSIGN_STORE", folder.join("store"));
    command.stdin(Stdio::null()).output().unwrap()
}

/// The calls of the run before, in order.
pub fn calls(folder: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(folder.join("trace")).unwrap();
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines() {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let Some((name, rest)) = line.split_once('(') else { continue };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { continue };
        let arguments = arguments.trim_end().trim_end_matches(')').to_owned();
        let nth = calls.iter().filter(|call| call.name == name).count() + 1;
        calls.push(Call { name: name.to_owned(), arguments, result: result.to_owned(), nth });
    }
    calls
}

/// Those calls of a run that change something below the folder, or that say something on stdout.
pub fn changing(calls: &[Call], folder: &Path) -> Vec<Call> {
    let below = |path: &Path| path.starts_with(folder) && !path.ends_with("trace");
    let changes = |call: &&Call| match call.name.as_str() {
        "openat" => {
            let writes = ["O_CREAT", "O_TRUNC", "O_WRONLY", "O_RDWR"].iter().any(|flag| call.arguments.contains(flag));
            writes && call.paths(folder).iter().any(|path| below(path))
        }
        "write" => call.arguments.starts_with("1<") || call.descriptor().is_some_and(|path| below(&path)),
        "flock" | "fsync" | "fdatasync" | "ftruncate" => call.descriptor().is_some_and(|path| below(&path)),
        _ => call.paths(folder).iter().any(|path| below(path)),
    };
    calls.iter().filter(changes).cloned().collect()
}
