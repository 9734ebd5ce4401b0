//! `coldsign-gate receipt`

use crate::Ended;
use crate::key::ReceiptKey;
use crate::place;
use crate::refusal::Refusal;
use crate::screen::Screen;
use coldsign_verify::files::{Folder, Replace, Temporary};
use coldsign_verify::trust::TrustStore;
use coldsign_verify::{Digest, UnixTime, receipt};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// Sign what is installed and loaded here, to be carried back to the signer
///
/// The key is made at its first use, stays in the trust store, and signs receipts only. The signer's
/// operator compares its fingerprint once, on paper.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign-gate receipt --to /media/usb
  coldsign-gate receipt > receipt.jwt
  coldsign-gate receipt --fingerprint")]
pub struct Args {
    /// Into this directory, as receipt-NAME-COUNTER.jwt; standard output without
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Show the receipt key's fingerprint, and make no receipt
    #[arg(long, conflicts_with = "to")]
    fingerprint: bool,
}

pub fn run(args: &Args, directory: &Path, now: UnixTime, screen: &mut Screen) -> Ended {
    place::check(directory, "TRUST-EXPOSED", screen)?;
    let mut trust = TrustStore::open(directory)?;
    if !args.fingerprint && trust.bundle().is_none() {
        return Err(coldsign_verify::trust::Fault::Empty.into());
    }
    let key = ReceiptKey::of(directory)?;
    let print = receipt::fingerprint(key.public());
    if args.fingerprint {
        let lines = [format!("fingerprint: {print}"), format!("in words: {}", print.words().join(" "))];
        screen.tell(&lines, &json!({"verifier": trust.name(), "fingerprint": print.to_string()}));
        return Ok(());
    }
    let text = trust.receipt(key.public(), &key, now)?;
    let counter = receipt::Receipt::verify(&text, key.public()).map(|receipt| receipt.contents().counter);
    let counter = counter.map_err(|fault| Refusal::from(coldsign_verify::trust::Fault::from(fault)))?;
    let file = match &args.to {
        Some(to) => Some(write(to, &format!("receipt-{}-{counter}.jwt", trust.name()), text.as_bytes())?),
        None => None,
    };
    let object = json!({
        "verifier": trust.name(), "counter": counter, "receipt": text, "sha256": Digest::of(text.as_bytes()).to_string(),
        "fingerprint": print.to_string(), "file": file,
    });
    if screen.json() {
        screen.tell(&[], &object);
    } else if let Some(file) = &file {
        screen.tell(&[format!("receipt {counter} of {}: {}", trust.name(), file.display())], &object);
    } else {
        screen.product(format!("{text}\n").as_bytes());
    }
    screen.note(&format!("receipt key: {print}"));
    screen.note(&format!("in words: {}", print.words().join(" ")));
    Ok(())
}

/// Whole under its name, or not there.
fn write(to: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Refusal> {
    let path = to.join(name);
    let write = || {
        let folder = Folder::open(to)?;
        folder.sweep_temporaries();
        let mut receipt = Temporary::file(&folder, 0o644, chance)?;
        receipt.write(bytes)?;
        receipt.give_name(name, Replace::Never)
    };
    match write() {
        Ok(()) => Ok(path),
        Err(error) => {
            Err(Refusal::system("written", &path, &error).why("its number is used up; the next receipt has the next"))
        }
    }
}

fn chance() -> io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| io::Error::other("the system gave no random numbers"))?;
    Ok(bytes)
}
