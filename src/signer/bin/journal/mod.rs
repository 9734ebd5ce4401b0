//! `coldsign journal …`

mod export;
mod prove;
mod show;
mod verify;

use super::Ended;
use super::context::Context;
use super::screen::Screen;

#[derive(clap::Subcommand)]
pub enum Command {
    Show(show::Args),
    Verify(verify::Args),
    Export(export::Args),
    Prove(prove::Args),
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Show(args) => show::run(args, context, screen),
        Command::Verify(args) => verify::run(args, context, screen),
        Command::Export(args) => export::run(args, context, screen),
        Command::Prove(args) => prove::run(args, context, screen),
    }
}
