//! `coldsign backup …`

mod create;
mod list;
mod restore;
mod verify;

use super::Ended;
use super::context::Context;
use super::screen::Screen;
use super::when;
use coldsign::acts::backup::{Backup, LARGEST, Sealed};
use coldsign::keystore::Passphrase;
use coldsign::refusal::Refusal;
use coldsign::storage::read_file;
use std::path::Path;

#[derive(clap::Subcommand)]
pub enum Command {
    Create(create::Args),
    Verify(verify::Args),
    List(list::Args),
    Restore(restore::Args),
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Create(args) => create::run(args, context, screen),
        Command::Verify(args) => verify::run(args, context, screen),
        Command::List(args) => list::run(args, context, screen),
        Command::Restore(args) => restore::run(args, context, screen),
    }
}

/// Reads a backup, says whose it is, asks for a passphrase of its day, and checks all of it.
fn opened(file: &Path, context: &Context, screen: &mut Screen) -> Result<Backup, Refusal> {
    opened_with(file, &mut None, context, screen)
}

/// As [`opened`], with the passphrase that the same unlock was opened with before, where there is one.
fn opened_with(
    file: &Path,
    typed: &mut Option<(String, Passphrase)>,
    context: &Context,
    screen: &mut Screen,
) -> Result<Backup, Refusal> {
    let bytes = read_file(file, LARGEST)?;
    let sealed = Sealed::read(file, &bytes)?;
    let header = sealed.header();
    screen.note(&format!(
        "a backup of {} with {} journal lines, of store {}; it opens as on that day",
        when::both(header.made),
        header.size,
        header.store_id
    ));
    let unlock = sealed.unlock_name(context.unlock_named())?;
    let open = |passphrase: &Passphrase| Backup::open(file, &bytes, &sealed, &unlock, passphrase);
    let (backup, passphrase) = match typed.take() {
        Some((name, passphrase)) if name == unlock => (open(&passphrase)?, passphrase),
        _ => context.with_passphrase_kept(&unlock, open)?,
    };
    *typed = Some((unlock, passphrase));
    Ok(backup)
}

/// Names publications that a backup or a store has no longer as they were published.
fn tell_lacking(lacking: &[u64], screen: &mut Screen) {
    for seq in lacking {
        screen.warning(&format!(
            "publications/{seq:06} is gone or not as it was published; it is public: copy it back from a stick's \
             coldsign-publication-{seq:06}"
        ));
    }
}
