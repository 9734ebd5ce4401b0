//! A folder with a store, and the real binary run in it within bounds.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const POLICY: &str = include_str!("../scenarios/policy.toml");
pub const PASSPHRASE: &str = "correct horse battery staple";
/// Whatever is handed in, a command ends within this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Address space of a command, in KiB: far below the giants it is handed.
const MEMORY: u32 = 256 << 10;

/// A folder with `pass`, `policy.toml`, `out` and, but for [`Place::empty`], a store.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pass"), PASSPHRASE).unwrap();
        fs::write(folder.path().join("policy.toml"), POLICY).unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        Self { folder }
    }

    pub fn with_store() -> Self {
        let made = Self::empty();
        made.done(&[
            "init",
            "--issuer",
            "https://tokens.example",
            "--policy",
            "policy.toml",
            "--recovery-sheet",
            "sheet",
            "--kdf-log-n",
            "10",
        ]);
        made
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn place(&self) -> PathBuf {
        self.path("store")
    }

    /// Runs a command that must succeed; its standard output.
    pub fn done<S: AsRef<OsStr>>(&self, arguments: &[S]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{:?}: {told}", shown(arguments));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must be refused in good order; what it says.
    pub fn refused<S: AsRef<OsStr>>(&self, arguments: &[S]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let shown = shown(arguments);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{shown:?}: {:?} {told}", output.status);
        // The time of an act is said before it is refused.
        let error = |line: &str| line.starts_with("coldsign: error: ") || line.starts_with("error: ");
        assert!(told.lines().any(error), "{shown:?}: {told}");
        told
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        self.run_on(Stdio::null(), arguments)
    }

    /// Runs a command on that standard input, within [`PATIENCE`] and [`MEMORY`].
    pub fn run_on<S: AsRef<OsStr>>(&self, input: Stdio, arguments: &[S]) -> Output {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\""));
        command.arg(env!("CARGO_BIN_EXE_coldsign"));
        if !arguments.iter().any(|argument| argument.as_ref() == "--passphrase-file") {
            command.args(["--passphrase-file", "pass"]);
        }
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("TZ", "UTC");
        if !arguments.iter().any(|argument| argument.as_ref() == "--store") {
            command.env("COLDSIGN_STORE", self.place());
        }
        let (out, err) = (self.path(".stdout"), self.path(".stderr"));
        command.stdin(input).stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("hangs: {:?}", shown(arguments));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Output { status, stdout: fs::read(out).unwrap(), stderr: fs::read(err).unwrap() }
    }
}

/// Any bytes as an argument.
pub fn os(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}

fn shown<S: AsRef<OsStr>>(arguments: &[S]) -> Vec<String> {
    let cut = |argument: &S| argument.as_ref().to_string_lossy().chars().take(60).collect();
    arguments.iter().map(cut).collect()
}
