//! `coldsign root …`

use super::Ended;
use super::context::Context;
use super::screen::Screen;
use super::when;
use coldsign::acts::{Store, root};
use coldsign_verify::PublicKey;
use coldsign_verify::root::Root;
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show the root that verifiers pin: its fingerprint, its custodians, its end
    #[command(after_help = "Examples:\n  coldsign root show\n  coldsign root show 1 --json")]
    Show {
        /// Its number; the newest without
        number: Option<u64>,
    },
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Show { number } => show(number, context, screen),
    }
}

fn show(number: Option<u64>, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store()?;
    let root = root::find(&store, number)?;
    if screen.json() {
        screen.object(&as_json(&root));
        return Ok(());
    }
    let terms = root.terms();
    screen.line(&format!("root {} of {}", terms.root_version, terms.issuer));
    screen.line(&format!("made {}, good until {}", when::utc(terms.issued_at.0), when::utc(terms.expires_at.0)));
    screen.line(&format!(
        "signed by {} of {}: {}",
        terms.threshold,
        terms.root_keys.len(),
        named(&store, &terms.root_keys)
    ));
    screen.line(&format!("bundles are signed by {}", named(&store, &terms.bundle_keys)));
    for line in fingerprint_lines(&root) {
        screen.line(&line);
    }
    Ok(())
}

/// The fingerprint as those read it who pin the root, hex and words, beside what was done.
pub fn tell_fingerprint(root: &Root, screen: &mut Screen) {
    screen.note(&format!(
        "for whoever pins root {}, by another way than the stick, its fingerprint:",
        root.root_version()
    ));
    for line in fingerprint_lines(root) {
        screen.note(&line);
    }
}

/// A root as the commands' JSON has it.
pub fn as_json(root: &Root) -> Value {
    let terms = root.terms();
    let kids = |keys: &[PublicKey]| keys.iter().map(PublicKey::thumbprint).collect::<Vec<_>>();
    json!({
        "root_version": terms.root_version, "fingerprint": root.fingerprint().to_string(),
        "words": root.fingerprint().words().join(" "), "iat": terms.issued_at.0, "exp": terms.expires_at.0,
        "root_kids": kids(&terms.root_keys), "threshold": terms.threshold, "bundle_kids": kids(&terms.bundle_keys),
    })
}

/// Hex in groups of four, then words in lines of six.
fn fingerprint_lines(root: &Root) -> Vec<String> {
    let hex = root.fingerprint().to_string();
    let groups: Vec<&str> = hex.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    let hex = groups.chunks(8).map(|line| format!("  {}", line.join(" ")));
    let words = root.fingerprint().words();
    hex.chain(words.chunks(6).map(|line| format!("  {}", line.join(" ")))).collect()
}

/// Keys by the names that people call them.
fn named(store: &Store, keys: &[PublicKey]) -> String {
    let name = |key: &PublicKey| {
        let kid = key.thumbprint();
        store.ledger().keys.by_kid(&kid).map_or(kid, coldsign::keystore::KeyRecord::name)
    };
    keys.iter().map(name).collect::<Vec<_>>().join(", ")
}
