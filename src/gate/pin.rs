//! `coldsign-gate pin`

use crate::Ended;
use crate::place;
use crate::refusal::Refusal;
use crate::screen::Screen;
use coldsign_verify::Digest;
use coldsign_verify::root;
use coldsign_verify::trust::{Fault, TrustStore};
use serde_json::json;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Trust a root, once: the one whose fingerprint came by another way
///
/// The fingerprint is what the signer's operator wrote down or read out, as 64 hex digits or as 24
/// words. It must not come on the same stick as the root.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign-gate pin /media/usb/coldsign-publication-000001/root.1.json --name api-1 \\
      --fingerprint '1f0c 93aa …'
  coldsign-gate pin root.1.json --name api-1 --fingerprint - < words.txt")]
pub struct Args {
    /// The root's file
    pub root: PathBuf,
    /// This verifier's name: one process, one name
    #[arg(long)]
    name: String,
    /// The fingerprint that came by another way: hex or 24 words; - reads it from standard input
    #[arg(long, value_name = "HEX|WORDS|-")]
    fingerprint: String,
}

pub fn run(args: &Args, trust: &Path, screen: &mut Screen) -> Ended {
    let mut typed = args.fingerprint.clone();
    if typed == "-" {
        typed.clear();
        let read = io::stdin().take(4_096).read_to_string(&mut typed);
        read.map_err(|error| Refusal::system("read", Path::new("standard input"), &error))?;
    }
    let fingerprint = Digest::from_paper(&typed).map_err(|_| {
        Refusal::new("the fingerprint is neither 64 hex digits nor 24 words with their checksum")
            .rule("PIN-FINGERPRINT")
            .why("nothing was pinned: look for a word that was misread")
            .hint("coldsign-gate pin --help")
    })?;
    let bytes = read(&args.root)?;
    place::check(trust, "TRUST-EXPOSED", screen)?;
    let trust = TrustStore::pin(trust, &args.name, &bytes, &fingerprint)
        .map_err(|fault| refusal(fault, &fingerprint).why("nothing was pinned"))?;
    let terms = trust.root().terms();
    let lines = [
        format!("pinned: root {} of {} for verifier {}", terms.root_version, terms.issuer, trust.name()),
        format!("fingerprint: {}", trust.pinned()),
    ];
    let object = json!({
        "verifier": trust.name(), "issuer": terms.issuer, "store": terms.store,
        "root_version": terms.root_version, "fingerprint": trust.pinned().to_string(),
    });
    screen.tell(&lines, &object);
    Ok(())
}

fn refusal(fault: Fault, fingerprint: &Digest) -> Refusal {
    match &fault {
        Fault::Pinned { pinned, .. } if pinned == fingerprint => Refusal::new(fault.to_string())
            .rule(fault.code())
            .why("it is that root, for a verifier of another name: each has a trust store of its own (--trust)")
            .hint("coldsign-gate status"),
        _ => fault.into(),
    }
}

/// A root's file, as far as a root can be long.
pub fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    place::read(path, root::LONGEST as u64).map_err(|refusal| refusal.why("name a root.N.json"))
}
