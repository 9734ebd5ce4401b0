//! Commands: gather what an act needs, do the one act, print what it did.
//!
//! Only this floor reads the clock, the terminal and the environment.

mod ask;
mod backup;
mod clock;
mod completions;
mod context;
mod demo;
mod doctor;
mod fault;
mod init;
mod journal;
mod key;
mod lookalikes;
mod man;
mod medium;
mod policy;
mod publication;
mod publish;
mod reach;
mod revoke;
mod root;
mod rotate;
mod screen;
mod sheet;
mod status;
mod store;
mod table;
mod token;
mod unlock;
mod verifier;
mod when;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use coldsign::refusal::Refusal;
use coldsign::storage::tidy;
use coldsign_verify::escape::escaped;
use context::Context;
use screen::Screen;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// An offline signing appliance for access tokens.
///
/// Keeps encrypted private keys on a machine without a network, issues tokens (JWTs) for services
/// that check them with public material carried over by hand, and records every act in a journal.
#[derive(Parser)]
#[command(name = "coldsign", version, propagate_version = true)]
#[command(after_help = "\
Examples:
  coldsign demo                                    see all of it, in a throwaway store
  coldsign init --issuer https://tokens.example    make a store
  coldsign token issue api/reader ann --to STICK   issue a token
  coldsign publish --to STICK                      what services need to check tokens
  coldsign status                                  what to do next")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The store [default: $COLDSIGN_STORE, else $XDG_DATA_HOME/coldsign]
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Read the passphrase from the first line of a file; - for standard input
    #[arg(long, global = true, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Open the store with this unlock; `recovery` takes the recovery code
    #[arg(long, global = true, value_name = "NAME")]
    unlock: Option<String>,
    /// The machine's time was compared with another clock (scripts, after a long pause)
    #[arg(long, global = true)]
    time_confirmed: bool,
    /// Print one JSON object instead of words
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    /// Make keys and change their states
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign key generate default\n  coldsign key list\n  coldsign key activate default/2"
    )]
    Key(key::Command),
    /// Ways to open the store: list, add, change, remove, refresh, test
    #[command(subcommand)]
    Unlock(unlock::Command),
    /// Check, compare, apply and show the policy
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign policy check\n  coldsign policy diff\n  coldsign policy apply"
    )]
    Policy(policy::Command),
    /// Issue, list, inspect and verify tokens
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign token issue api/reader ann --to /media/usb\n  coldsign token list --live\n  coldsign token inspect api-ann.jwt"
    )]
    Token(token::Command),
    Publish(publish::Args),
    /// Replace keys on schedule: plan, do what is due, emergencies
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign rotate plan\n  coldsign rotate next --to /media/usb\n  coldsign rotate emergency default --dry-run"
    )]
    Rotate(rotate::Command),
    /// Take tokens back before they expire: by id, subject, role, service, key, or all of them
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign revoke subject ann --dry-run\n  coldsign revoke subject ann --reason 'left the project'\n  coldsign revoke list"
    )]
    Revoke(revoke::Command),
    /// List, show, compare, check and copy publications
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign publication list\n  coldsign publication copy 3 --to /media/usb"
    )]
    Publication(publication::Command),
    /// The root of trust: what verifiers pin, and who may change it
    #[command(subcommand, after_help = "Examples:\n  coldsign root show\n  coldsign root rotate")]
    Root(root::Command),
    /// Verifiers and their receipts: who has installed what, who lags
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign verifier list\n  coldsign verifier receipt /media/usb/receipt-api-1-3.jwt"
    )]
    Verifier(verifier::Command),
    /// Back the store up into one sealed file, check backups, restore one
    #[command(subcommand)]
    Backup(backup::Command),
    /// Show, verify, export the journal; prove what is in it
    #[command(subcommand)]
    Journal(journal::Command),
    /// Which time acts go by; put right what a wrong clock left in the journal
    #[command(subcommand)]
    Clock(clock::Command),
    /// Look for faults in the store's files
    #[command(subcommand)]
    Store(store::Command),
    Completions(completions::Args),
    Man(man::Args),
}

/// How a command ended.
pub type Ended = Result<(), Refusal>;

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    coldsign::storage::restrict_process();
    coldsign::storage::lock_memory();
    ExitCode::from(run(std::env::args_os(), true))
}

/// Runs one command line; its exit status: 0 done, 1 refused, 2 usage. Confines the process first,
/// unless it is confined already.
fn run(arguments: impl IntoIterator<Item = OsString>, confines: bool) -> u8 {
    let parsed = definition().try_get_matches_from(arguments);
    let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches).map(|cli| (cli, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(mut usage) => {
            escape_given(&mut usage);
            let status = u8::try_from(usage.exit_code()).unwrap_or(2);
            // Help goes to stdout: `| head` is no error there either, a full disk is.
            if usage.use_stderr() {
                screen::usage(&usage.render().to_string());
                return status;
            }
            let told = usage.print();
            let lost = told.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
            return if lost && status == 0 { 1 } else { status };
        }
    };
    let mut screen = Screen::new(cli.global.json, cli.global.store.as_deref());
    let mut context = Context::new(cli.global);
    if confines {
        context.confine(&matches);
    }
    let ended = dispatch(cli.command, &context, &mut screen);
    if confines {
        tidy();
    }
    screen.end(ended)
}

/// What was typed stands in clap's errors as it came: escaped there.
fn escape_given(usage: &mut clap::Error) {
    let given: Vec<(ContextKind, ContextValue)> = usage
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(escaped(text).to_string()))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(|text| escaped(text).to_string()).collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in given {
        usage.insert(kind, value);
    }
}

fn dispatch(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Demo(args) => demo::run(args, screen),
        Command::Init(args) => init::run(args, context, screen),
        Command::Status(args) => status::run(args, context, screen),
        Command::Doctor(args) => doctor::run(args, context, screen),
        Command::Key(command) => key::run(command, context, screen),
        Command::Unlock(command) => unlock::run(command, context, screen),
        Command::Policy(command) => policy::run(command, context, screen),
        Command::Token(command) => token::run(command, context, screen),
        Command::Publish(args) => publish::run(args, context, screen),
        Command::Rotate(command) => rotate::run(command, context, screen),
        Command::Revoke(command) => revoke::run(command, context, screen),
        Command::Publication(command) => publication::run(command, context, screen),
        Command::Root(command) => root::run(command, context, screen),
        Command::Verifier(command) => verifier::run(command, context, screen),
        Command::Backup(command) => backup::run(command, context, screen),
        Command::Journal(command) => journal::run(command, context, screen),
        Command::Clock(command) => clock::run(command, context, screen),
        Command::Store(command) => store::run(command, context, screen),
        Command::Completions(args) => completions::run(args, screen),
        Command::Man(args) => man::run(args, context, screen),
    }
}

/// The definition of the command line, for completions and manual pages.
fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        definition().debug_assert();
    }
}
