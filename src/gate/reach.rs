//! What a command may touch: the trust store, and what its command line names.

use crate::Command;
use coldsign_confine::{Confined, Reach};
use std::path::Path;

/// Of the folders that services of other users read.
const READABLE: u32 = 0o755;

/// Confines the process to what its command needs.
pub fn confine(command: &Command, trust: &Path) -> Confined {
    let mut reach = Reach::new();
    match command {
        Command::Pin(args) => {
            reach.read(&args.root);
            reach.make(trust, READABLE);
        }
        Command::Install(args) => {
            reach.read(&args.publication);
            // A copy that was broken off: the publications beside it are looked for.
            let partial = args.publication.extension().is_some_and(|extension| extension == "partial");
            if let Some(beside) =
                args.publication.canonicalize().ok().as_deref().and_then(Path::parent).filter(|_| partial)
            {
                reach.list(beside);
            }
            if let Some(export) = &args.export {
                reach.link_into(export, READABLE);
            }
        }
        Command::Check(args) => args.token.iter().chain(&args.jwks).for_each(|file| reach.read(file)),
        Command::Receipt(args) => args.to.iter().for_each(|to| reach.put_at(&to.join("receipt"))),
        Command::Status(_) => {}
    }
    reach.keep(trust);
    reach.confine()
}
