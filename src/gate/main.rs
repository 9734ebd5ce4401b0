//! The command `coldsign-gate`: the service side of coldsign.
//!
//! It knows public material only: it can't read a store, and the one key it makes signs receipts
//! and nothing else. What comes on a stick is believed as far as the root that was pinned here
//! vouches for it; what stock services read is written from that alone.

mod check;
mod export;
mod install;
mod key;
mod pin;
mod place;
mod reach;
mod receipt;
mod refusal;
mod reload;
mod screen;
mod status;

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};
use coldsign_verify::UnixTime;
use coldsign_verify::escape::escaped;
use refusal::Refusal;
use screen::Screen;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

/// Where the trust store lies unless something else is said.
const USUAL_PLACE: &str = "/var/lib/coldsign-gate";

/// Installs what a pinned root vouches for, and checks tokens against it
#[derive(Parser)]
#[command(name = "coldsign-gate", version, propagate_version = true)]
struct Arguments {
    /// The trust store of this verifier [default: $COLDSIGN_TRUST, else /var/lib/coldsign-gate]
    #[arg(long, global = true, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// One JSON object on standard output, refusals as one on standard error
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Pin(pin::Args),
    Install(install::Args),
    Check(check::Args),
    Receipt(receipt::Args),
    Status(status::Args),
}

/// How a command ends.
type Ended = Result<(), Refusal>;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return ExitCode::from(told(usage)),
    };
    let named = || std::env::var_os("COLDSIGN_TRUST").filter(|place| !place.is_empty()).map(PathBuf::from);
    let trust = arguments.trust.or_else(named).unwrap_or_else(|| PathBuf::from(USUAL_PLACE));
    let is_judge = std::env::args_os().next().is_some_and(|called| called == reload::JUDGE);
    let mut screen = Screen::new(arguments.json, &trust, is_judge);
    if let Command::Install(install::Args { reload: Some(command), .. }) = &arguments.command
        && !is_judge
    {
        return match reload::supervise(command, &mut screen) {
            Ok(status) => ExitCode::from(screen.end(Ok(())).max(status)),
            Err(refusal) => ExitCode::from(screen.end(Err(refusal))),
        };
    }
    // Before the first byte of anything is read. What judges is never more than this.
    let _ = reach::confine(&arguments.command, &trust);
    let ended = now().and_then(|now| run(arguments.command, &trust, now, &mut screen));
    coldsign_confine::tidy();
    ExitCode::from(screen.end(ended))
}

/// Help, or what is wrong with the command line; the exit status.
fn told(mut usage: clap::Error) -> u8 {
    let status = u8::try_from(usage.exit_code()).unwrap_or(2);
    if usage.use_stderr() {
        escape_given(&mut usage);
        screen::usage(&usage.render().to_string());
        return status;
    }
    // `| head` is no error, a full disk is.
    let lost = usage.print().is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
    if lost { 1 } else { status }
}

/// What was typed stands in clap's errors as it came: escaped there.
fn escape_given(usage: &mut clap::Error) {
    let shown = |text: &String| escaped(text).to_string();
    let given: Vec<(ContextKind, ContextValue)> = usage
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(shown(text)))),
            ContextValue::Strings(texts) => Some((kind, ContextValue::Strings(texts.iter().map(shown).collect()))),
            _ => None,
        })
        .collect();
    for (kind, value) in given {
        usage.insert(kind, value);
    }
}

fn run(command: Command, trust: &std::path::Path, now: UnixTime, screen: &mut Screen) -> Ended {
    match command {
        Command::Pin(args) => pin::run(&args, trust, screen),
        Command::Install(args) => install::run(&args, trust, now, screen),
        Command::Check(args) => check::run(&args, trust, now, screen),
        Command::Receipt(args) => receipt::run(&args, trust, now, screen),
        Command::Status(_) => status::run(trust, now, screen),
    }
}

fn now() -> Result<UnixTime, Refusal> {
    UnixTime::try_from(SystemTime::now()).map_err(|_| Refusal::new("the machine's clock is before 1970"))
}
