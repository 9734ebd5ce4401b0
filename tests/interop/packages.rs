//! Pinned Python and Node packages, installed once into `target/interop` and then found there.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::binary::interop_folder;
use crate::skipped;

/// How long one installation may take, and how long another test waits for it.
const DEADLINE: Duration = Duration::from_secs(600);

/// A Python of its own with pinned packages.
#[derive(Debug)]
pub struct Python {
    interpreter: PathBuf,
}

impl Python {
    /// The packages of `python/requirements-<name>.txt`; `None`, visibly, where they can't be had.
    pub fn with(name: &str) -> Option<Self> {
        let requirements = source("python").join(format!("requirements-{name}.txt"));
        let python = needed("python3")?;
        let version = Command::new(&python).arg("--version").output().expect("python3").stdout;
        let pins = fs::read(&requirements).expect("requirements");
        let folder = ready(&format!("python-{name}"), &[&version, &pins], |folder| {
            install(Command::new(&python).args(["-m", "venv"]).arg(folder))?;
            let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"];
            install(Command::new(folder.join("bin/python")).args(pip).arg(&requirements))
        })?;
        Some(Self { interpreter: folder.join("bin/python") })
    }

    /// The system's Python, for scripts that need no packages; `None`, visibly, where there is none.
    pub fn of_system() -> Option<Self> {
        Some(Self { interpreter: needed("python3")? })
    }

    /// `python python/<script>`.
    pub fn script(&self, script: &str) -> Command {
        self.program(&source("python").join(script))
    }

    /// `python PROGRAM`.
    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg("-B").arg(program);
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command
    }

    /// The same with the variables of a published file, sourced by a shell as start scripts do.
    pub fn script_after_sourcing(&self, script: &str, variables: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#"set -a; . "$1"; set +a; shift; exec "$@""#, "sh"]).arg(variables);
        let python = self.script(script);
        command.arg(python.get_program()).args(python.get_args());
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command
    }

    /// The same as `docker run --env-file` reads such a file: line by line, quotes and all.
    pub fn script_with_env_file(&self, script: &str, variables: &Path) -> Command {
        let text = fs::read_to_string(variables).expect("published variables");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut command = self.script(script);
        command.envs(lines.map(|line| line.split_once('=').expect("NAME=value")));
        command
    }
}

/// Node with pinned packages.
#[derive(Debug)]
pub struct Node {
    folder: TempDir,
}

impl Node {
    /// The packages of `node/package-lock.json`; `None`, visibly, where they can't be had.
    pub fn with_packages() -> Option<Self> {
        let modules = node_modules()?.join("node_modules");
        let folder = tempfile::tempdir().expect("temporary folder");
        std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).expect("symbolic link");
        Some(Self { folder })
    }

    /// `node node/<script>`.
    pub fn script(&self, script: &str) -> Command {
        // Node looks for modules beside the script.
        let beside = self.folder.path().join(script);
        fs::copy(source("node").join(script), &beside).expect("script");
        let mut command = Command::new("node");
        command.arg(beside);
        command
    }
}

/// The folder with `node_modules` as `node/package-lock.json` pins them; `None`, visibly, where they can't be had.
pub fn node_modules() -> Option<PathBuf> {
    let node = needed("node")?;
    let npm = needed("npm")?;
    let version = Command::new(node).arg("--version").output().expect("node").stdout;
    let [package, lock] = ["package.json", "package-lock.json"].map(|name| source("node").join(name));
    ready("node", &[&version, &fs::read(&lock).expect("package-lock.json")], |folder| {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        for file in [&package, &lock] {
            fs::copy(file, folder.join(file.file_name().expect("file name"))).map_err(|error| error.to_string())?;
        }
        install(Command::new(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))
    })
}

/// A program of this name on the path; `None`, visibly, where there is none.
pub fn on_path(names: &[&str]) -> Option<PathBuf> {
    let found = names.iter().find_map(|name| look_up(name));
    if found.is_none() {
        skipped::skip(&format!("what needs {}: not on this machine", names.join(" or ")));
    }
    found
}

/// A folder of `target/interop` that no other test process uses at the same time.
#[derive(Debug)]
pub struct OwnFolder {
    path: PathBuf,
    _lock: File,
}

impl OwnFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The folder of this name, with what earlier runs left in it; waits for another process that has it.
pub fn folder_of_its_own(name: &str) -> OwnFolder {
    let path = interop_folder().join(name);
    let lock = locked(&path.with_extension("lock"));
    fs::create_dir_all(&path).expect("folder in target/interop");
    OwnFolder { path, _lock: lock }
}

fn needed(name: &str) -> Option<PathBuf> {
    let found = look_up(name);
    if found.is_none() {
        skipped::skip_unless_promised(&format!("what needs {name}: not on this machine"));
    }
    found
}

fn look_up(name: &str) -> Option<PathBuf> {
    skipped::start_afresh();
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn source(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The folder that `fill` has made for exactly these pins, by this process or another one, now or in an earlier run.
fn ready(name: &str, pins: &[&[u8]], fill: impl FnOnce(&Path) -> Result<(), String>) -> Option<PathBuf> {
    let digest = pins.iter().fold(Sha256::new(), |hash, pin| hash.chain_update(pin)).finalize();
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = interop_folder().join(format!("{name}-{digest}"));
    let stamp = folder.join("complete");
    let _lock = locked(&folder.with_extension("lock"));
    if stamp.is_file() {
        return Some(folder);
    }
    // Left over from an installation that was interrupted.
    let _ = fs::remove_dir_all(&folder);
    match fill(&folder) {
        Ok(()) => {
            fs::write(&stamp, "").expect("stamp");
            Some(folder)
        }
        Err(said) => {
            skipped::skip_unless_promised(&format!("what needs the packages of {name}: not installed: {said}"));
            None
        }
    }
}

fn locked(path: &Path) -> File {
    let file = File::options().create(true).append(true).open(path).expect("lock file");
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return file,
            Err(TryLockError::WouldBlock) if started.elapsed() < DEADLINE => {
                std::thread::sleep(Duration::from_millis(200))
            }
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

fn install(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if output.status.success() { Ok(()) } else { Err(last.to_owned()) }
}
