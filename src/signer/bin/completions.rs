//! `coldsign completions`

use super::Ended;
use super::screen::Screen;
use clap_complete::{Shell, generate};

/// Print the completions of a shell
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign completions bash > /etc/bash_completion.d/coldsign
  coldsign completions fish > ~/.config/fish/completions/coldsign.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: Args, screen: &mut Screen) -> Ended {
    let mut text = Vec::new();
    generate(args.shell, &mut super::definition(), "coldsign", &mut text);
    screen.product(&text);
    Ok(())
}
