//! `coldsign token …`

mod inspect;
mod issue;
mod list;
mod verify;

pub use list::as_json as token_json;

use super::Ended;
use super::context::Context;
use super::fault::Fault;
use super::screen::Screen;
use coldsign::refusal::Refusal;
use coldsign::storage::{read_descriptor, read_file};
use std::os::fd::AsFd;
use std::path::PathBuf;

/// The longest token file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

#[derive(clap::Subcommand)]
pub enum Command {
    Issue(issue::Args),
    List(list::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Issue(args) => issue::run(args, context, screen),
        Command::List(args) => list::run(args, context, screen),
        Command::Inspect(args) => inspect::run(args, context, screen),
        Command::Verify(args) => verify::run(args, context, screen),
    }
}

/// A token from a file, or from standard input where none or `-` is named. A token is never an
/// argument: the process list would show it.
fn read_token(file: Option<&PathBuf>) -> Result<Vec<u8>, Refusal> {
    match file {
        Some(file) if file.as_os_str() != "-" => Ok(read_file(file, LONGEST)?),
        _ => Ok(read_descriptor(std::io::stdin().as_fd(), LONGEST)?),
    }
}

/// The token in a file of any of our forms: bare, header, dotenv, client.yaml.
fn find_token(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let value = line
            .split_once(['=', ':'])
            .filter(|(name, _)| {
                let name = name.trim();
                name == "token" || name.ends_with("_TOKEN") || name == "TOKEN"
            })
            .map(|(_, value)| value.trim().trim_matches(['"', '\'']));
        if let Some(value) = value {
            return value.as_bytes().to_vec();
        }
    }
    bytes.to_vec()
}

/// `SERVICE/ROLE[,ROLE…]`
fn grant(text: &str) -> Result<(String, Vec<String>), Fault> {
    let (service, roles) = text.split_once('/').ok_or_else(|| Fault::Grant(text.to_owned()))?;
    let roles: Vec<String> = roles.split(',').map(str::to_owned).collect();
    if service.is_empty() || roles.iter().any(String::is_empty) {
        return Err(Fault::Grant(text.to_owned()));
    }
    Ok((service.to_owned(), roles))
}
