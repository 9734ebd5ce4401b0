//! `coldsign verifier …`

use super::Ended;
use super::ask;
use super::context::Context;
use super::screen::Screen;
use super::table::Table;
use super::when;
use coldsign::acts::verifiers::record::{ReceiptRecord, ReceiptTaken, Verifiers};
use coldsign::acts::verifiers::{self, Enrolment, ReceiptDenied, Standing};
use coldsign::issuing::policy::duration::words;
use coldsign::keystore::KeyRecord;
use coldsign::publishing::fingerprint;
use coldsign::refusal::{Refusal, Refuse};
use coldsign::storage::{StorageFault, read_file};
use coldsign_verify::receipt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The longest file that is read: a receipt and a line end.
const LONGEST: u64 = receipt::LONGEST as u64 + 1;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Enrol a verifier by its key, after its fingerprint was compared
    ///
    /// One process that checks tokens, one name, one key. Its operator reads the fingerprint to you
    /// from `coldsign-gate receipt --fingerprint`, by another way than the stick.
    #[command(after_help = "\
Examples:
  coldsign verifier add api-1 receipt-api-1-1.jwt --fingerprint '1f0c93aa…'
  coldsign verifier add api-1 key.pem --fingerprint 'abandon ability …'")]
    Add {
        /// Its name, as it was pinned with
        name: String,
        /// One of its receipts, or its public key (JWK or PEM)
        file: PathBuf,
        /// The fingerprint as it was read to you: hex, or 24 words
        #[arg(long, value_name = "TEXT")]
        fingerprint: String,
    },
    /// List verifiers, what they have installed and who lags; needs no passphrase
    #[command(after_help = "Examples:\n  coldsign verifier list\n  coldsign verifier list --json")]
    List,
    /// Stop believing a verifier; what it confirmed counts no longer
    #[command(after_help = "Examples:\n  coldsign verifier remove api-1 --reason 'put back from an image'")]
    Remove {
        /// Its name
        name: String,
        /// Why, for the journal
        #[arg(long)]
        reason: Option<String>,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Take receipts that came back from verifiers
    ///
    /// Each is checked by itself; those that hold are recorded, whatever becomes of the others.
    #[command(after_help = "Examples:\n  coldsign verifier receipt /media/usb/receipt-*.jwt")]
    Receipt {
        /// The receipts
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Add { name, file, fingerprint } => add(&name, &file, &fingerprint, context, screen),
        Command::List => list(context, screen),
        Command::Remove { name, reason, yes } => remove(&name, reason, yes, context, screen),
        Command::Receipt { files } => take(&files, context, screen),
    }
}

fn add(name: &str, file: &Path, read_out: &str, context: &Context, screen: &mut Screen) -> Ended {
    let file = read_file(file, LONGEST).map_err(unread)?;
    let enrolment = Enrolment { name, file: &file, fingerprint: read_out };
    let mut session = context.act(screen, |store, _| verifiers::check_add(store, &enrolment).map(drop))?;
    let known = verifiers::add(&mut session, &enrolment)?;
    if screen.json() {
        screen.object(&json!({
            "verifier": known.name, "kid": known.kid, "fingerprint": receipt::fingerprint(&known.key).to_string(),
        }));
        return Ok(());
    }
    screen.note(&format!("{name} is enrolled, by the key {}", fingerprint(&known.key)));
    screen.hint("coldsign verifier receipt RECEIPT");
    Ok(())
}

fn remove(name: &str, reason: Option<String>, yes: bool, context: &Context, screen: &mut Screen) -> Ended {
    let mut session = context.act(screen, |store, _| {
        verifiers::find(store, name)?;
        if !yes {
            ask::confirm(&format!("What {name} confirmed will count no longer."))?;
        }
        Ok(())
    })?;
    verifiers::remove(&mut session, name, reason)?;
    if screen.json() {
        screen.object(&json!({"verifier": name, "removed": true}));
        return Ok(());
    }
    screen.note(&format!("{name} is removed; its receipts are refused from now on"));
    Ok(())
}

fn unread(fault: StorageFault) -> Refusal {
    match fault {
        StorageFault::TooLarge { .. } => ReceiptDenied::Length.into(),
        fault => fault.into(),
    }
}

/// One of several receipts that is refused.
#[derive(Debug, thiserror::Error)]
#[error("{} is not taken: {denied}", file.display())]
struct NotTaken {
    file: PathBuf,
    denied: Refusal,
}

impl Refuse for NotTaken {
    fn rule(&self) -> Option<&'static str> {
        self.denied.reason().rule()
    }

    fn why(&self) -> Vec<String> {
        self.denied.reason().why()
    }

    fn hint(&self) -> Option<String> {
        self.denied.reason().hint()
    }
}

fn take(files: &[PathBuf], context: &Context, screen: &mut Screen) -> Ended {
    let mut receipts: Vec<Vec<u8>> = Vec::new();
    let mut readable: Vec<&PathBuf> = Vec::new();
    let mut refused: Vec<NotTaken> = Vec::new();
    for file in files {
        match read_file(file, LONGEST) {
            Ok(receipt) => {
                receipts.push(receipt);
                readable.push(file);
            }
            Err(fault) => refused.push(NotTaken { file: file.clone(), denied: unread(fault) }),
        }
    }
    let open = context.open(screen)?;
    let mut judged = verifiers::examine(open.store(), &receipts, context.now()?);
    let before = open.store().ledger().verifiers.clone();
    if judged.iter().any(Result::is_ok) {
        judged = verifiers::take(&mut open.begin(context, screen)?, &receipts)?;
    }
    let mut taken: Vec<ReceiptTaken> = Vec::new();
    for (file, judged) in readable.into_iter().zip(judged) {
        match judged {
            Ok(one) => taken.push(one),
            Err(denied) => refused.push(NotTaken { file: file.clone(), denied: denied.into() }),
        }
    }
    taken.sort_by(|a, b| (&a.verifier, a.counter).cmp(&(&b.verifier, b.counter)));
    told(&taken, &before, screen);
    if screen.json() && (files.len() > 1 || !taken.is_empty()) {
        let row = |one: &NotTaken| json!({"file": one.file.display().to_string(), "rule": one.rule(), "fact": one.denied.to_string()});
        screen.object(&json!({"taken": taken, "refused": refused.iter().map(row).collect::<Vec<_>>()}));
    }
    let Some(last) = refused.pop() else { return Ok(()) };
    if files.len() == 1 {
        return Err(last.denied);
    }
    // Of several refusals a script has the others in the product.
    for one in refused.into_iter().filter(|_| !screen.json()).collect::<Vec<_>>() {
        screen.refusal(&one.into());
    }
    Err(last.into())
}

/// What was taken, and what never came, by verifier and number.
fn told(taken: &[ReceiptTaken], before: &Verifiers, screen: &mut Screen) {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for one in taken {
        let known = before.find(&one.verifier).and_then(|known| known.last()).map_or(0, |last| last.taken.counter);
        let known = newest.insert(&one.verifier, one.counter).unwrap_or(known);
        let loaded = one.loaded_at.map(|at| format!("loaded {}", when::utc(at)));
        screen.note(&format!(
            "receipt {} of {}: publication {}, installed {}, {}",
            one.counter,
            one.verifier,
            one.seq,
            when::utc(one.installed_at),
            loaded.as_deref().unwrap_or("not known to be loaded")
        ));
        if one.counter > known.saturating_add(1) {
            screen.note(&format!(
                "its receipts {} to {} never came here",
                known.saturating_add(1),
                one.counter.saturating_sub(1)
            ));
        }
    }
}

fn list(context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let (policy, _) = store.policy()?;
    let standings = verifiers::standings(&store, &policy, context.now()?);
    if screen.json() {
        screen.object(&standings.iter().map(as_json).collect());
        return Ok(());
    }
    for line in table(&standings).lines(screen.width()) {
        screen.line(&line);
    }
    for one in &standings {
        let used = one.last().map(|last| &last.taken.used).into_iter().flatten();
        for (kid, at) in used {
            let key = store.ledger().keys.by_kid(kid).map_or(kid.clone(), KeyRecord::name);
            screen.line(&format!("{}: last accepted a token of {key} {}", one.name, when::utc(*at)));
        }
    }
    for one in standings.iter().filter(|one| one.lags()) {
        screen.warning(&one.words());
    }
    Ok(())
}

/// Verifiers as a table.
pub fn table(standings: &[Standing<'_>]) -> Table {
    let mut table = Table::new(&[
        "VERIFIER",
        "CONFIRMS",
        "PUBLICATION",
        "INSTALLED (UTC)",
        "LOADED (UTC)",
        "RECEIPT",
        "TAKEN (UTC)",
        "CLOCK",
    ]);
    for one in standings {
        let of = |tell: &dyn Fn(&ReceiptRecord) -> String| one.last().map(tell).unwrap_or_default();
        let seq = match (one.record, one.last()) {
            (None, _) => "not enrolled".to_owned(),
            (_, None) => "no receipt".to_owned(),
            (_, Some(last)) => last.taken.seq.to_string() + if one.lags() { " (lags)" } else { "" },
        };
        table.row(&[
            &one.name,
            &one.services.join(", "),
            &seq,
            &of(&|last| when::minute(last.taken.installed_at)),
            &of(&|last| last.taken.loaded_at.map(when::minute).unwrap_or_default()),
            &of(&|last| last.taken.counter.to_string()),
            &of(&|last| when::minute(last.at)),
            &of(&clock),
        ]);
    }
    table
}

/// How its clock stood to ours; behind it may be the time on the way as well.
fn clock(last: &ReceiptRecord) -> String {
    let sign = if last.taken.clock > last.at { '+' } else { '-' };
    match last.taken.clock.abs_diff(last.at) {
        0 => "0s".to_owned(),
        apart => format!("{sign}{}", words(apart)),
    }
}

/// Seconds that its clock was ahead of ours; below zero, behind or on its way.
fn difference(clock: u64, ours: u64) -> i64 {
    let apart = i64::try_from(clock.abs_diff(ours)).unwrap_or(i64::MAX);
    if clock < ours { -apart } else { apart }
}

/// A verifier as the commands' JSON has it.
pub fn as_json(one: &Standing<'_>) -> Value {
    let receipt = one.last().map(|last| {
        let taken = &last.taken;
        json!({
            "counter": taken.counter, "sha256": taken.sha256, "taken": last.at, "seq": taken.seq,
            "root_version": taken.root_version, "installed": taken.installed_at, "loaded": taken.loaded_at,
            "clock": taken.clock, "clock_difference": difference(taken.clock, last.at), "used": taken.used,
        })
    });
    json!({
        "verifier": one.name, "services": one.services, "enrolled": one.record.map(|known| known.added_at),
        "by": one.record.map(|known| &known.by), "kid": one.record.map(|known| &known.kid),
        "fingerprint": one.record.map(|known| receipt::fingerprint(&known.key).to_string()),
        "receipt": receipt, "expected": one.expected, "lags": one.lags(),
    })
}
