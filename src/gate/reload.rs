//! The `--reload` command, and the process that may run it.
//!
//! What judges a publication is confined and can start nothing. So the process that was started judges
//! nothing: it starts itself once more, as the judge, waits, and runs the operator's command when the
//! judge asks for it. On the judge's standard output one letter goes before each thing: `R` asks for the
//! command, `P` begins the product. The answer comes back on its standard input.

use crate::refusal::Refusal;
use crate::screen::Screen;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

/// What the judge is called among the system's processes, and how it knows what it is.
pub const JUDGE: &str = "coldsign-gate (judge)";

const RELOAD: u8 = b'R';
const PRODUCT: u8 = b'P';
/// The answer to a command that ended well.
const WELL: &str = "well";
/// The longest answer, and the longest product, in bytes.
const LONGEST_ANSWER: u64 = 4 << 10;
const LONGEST_PRODUCT: u64 = 16 << 20;

/// Runs this command line in a judge, and the operator's command when the judge asks for it; the judge's
/// exit status.
pub fn supervise(command: &str, screen: &mut Screen) -> Result<u8, Refusal> {
    let failed = |error: io::Error| {
        Refusal::new(format!("the process that judges could not be started: {error}")).why("nothing was changed")
    };
    let judge = Command::new(own_program())
        .arg0(JUDGE)
        .args(std::env::args_os().skip(1))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut judge = judge.map_err(failed)?;
    let (Some(answers), Some(asked)) = (judge.stdin.take(), judge.stdout.take()) else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    if let Some(product) = serve(command, answers, asked) {
        screen.product(&product);
    }
    match judge.wait().map(|ended| ended.code().and_then(|code| u8::try_from(code).ok())) {
        Ok(Some(status)) => Ok(status),
        _ => Err(Refusal::new("the process that judges did not end by itself")
            .why("what it had done is whole; the same installation does the rest")
            .hint("coldsign-gate status")),
    }
}

/// Answers the judge until it ends; its product, if it made one.
fn serve(command: &str, mut answers: ChildStdin, mut asked: ChildStdout) -> Option<Vec<u8>> {
    let mut letter = [0];
    while asked.read_exact(&mut letter).is_ok() {
        match letter[0] {
            RELOAD => {
                let answer = run(command).err().unwrap_or_else(|| WELL.to_owned());
                // A judge that has gone needs no answer.
                let _ = answers.write_all(format!("{}\n", answer.replace('\n', " ")).as_bytes());
            }
            _ => {
                let mut product = Vec::new();
                asked.take(LONGEST_PRODUCT).read_to_end(&mut product).ok()?;
                return Some(product);
            }
        }
    }
    None
}

/// The operator's command, with sh. Its output is not the product.
fn run(command: &str) -> Result<(), String> {
    let ended =
        Command::new("/bin/sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::from(io::stderr())).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("ended with {status}")),
        Err(error) => Err(format!("could not be started: {error}")),
    }
}

/// In the judge: has the command run; what went wrong with it.
pub fn ask() -> Result<(), String> {
    let gone = |_| "was not run: the process that would run it has ended".to_owned();
    let mut out = io::stdout().lock();
    out.write_all(&[RELOAD]).and_then(|()| out.flush()).map_err(gone)?;
    let mut answer = String::new();
    // Byte by byte: nothing else comes on that pipe, and its end means that nobody is there.
    let mut input = io::stdin().lock().take(LONGEST_ANSWER);
    io::BufRead::read_line(&mut input, &mut answer).map_err(gone)?;
    match answer.trim_end() {
        WELL => Ok(()),
        "" => Err(gone(io::ErrorKind::UnexpectedEof.into())),
        other => Err(other.to_owned()),
    }
}

/// In the judge: says that what follows is the product.
pub fn begin_product(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[PRODUCT])
}

/// The running program, even where its file was replaced since; the name it was called by where there
/// is no `/proc`.
fn own_program() -> OsString {
    let running = Path::new("/proc/self/exe");
    let found = if running.exists() { Some(PathBuf::from(running)) } else { std::env::current_exe().ok() };
    found.map(PathBuf::into_os_string).or_else(|| std::env::args_os().next()).unwrap_or_else(|| "coldsign-gate".into())
}
