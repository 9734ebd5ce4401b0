//! `coldsign man`

use super::Ended;
use super::context::Context;
use super::screen::Screen;
use coldsign::storage::{Outbox, StorageFault};
use std::path::PathBuf;

/// Write the manual pages
///
/// Writes one manual page for each command: coldsign.1, coldsign-token-issue.1, …
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  coldsign man --to man1 && man -l man1/coldsign.1")]
pub struct Args {
    /// Into this directory
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    context.refuse_within(&args.to)?;
    let outbox = Outbox::open(&args.to)?;
    let mut definition = super::definition();
    definition.build();
    let mut pages = Vec::new();
    render(&definition, "coldsign", &mut pages).map_err(|source| StorageFault::System {
        action: "written",
        path: args.to.clone(),
        source,
    })?;
    for (name, page) in &pages {
        outbox.replace_public_file(name, page)?;
    }
    screen.note(&format!("wrote {} pages to {}", pages.len(), args.to.display()));
    Ok(())
}

fn render(command: &clap::Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let mut page = Vec::new();
    // A page is named after its file; clap wants a name that lives as long as the process.
    let titled = command.clone().name(String::leak(name.to_owned()) as &'static str);
    clap_mangen::Man::new(titled).render(&mut page)?;
    pages.push((format!("{name}.1"), page));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        render(below, &format!("{name}-{}", below.get_name()), pages)?;
    }
    Ok(())
}
