//! `store check`: every fault of a store by its file and line; and what of it can be mended.

use super::sweep::{self, QUARANTINE};
use super::{Denied, Ledger, StoreSheet, files, publications};
use crate::issuing::Policy;
use crate::journal::{self, Audit, Journal, JournalFault, hex, sha256};
use crate::refusal::{Refusal, Refuse};
use crate::storage::{Directory, Found, Kind, StorageFault};
use std::collections::BTreeSet;
use std::path::Path;

const LARGEST: u64 = 1 << 20;

/// The first line of every age file.
const AGE: &[u8] = b"age-encryption.org/v1\n";

/// Something in a store that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, below the store.
    pub file: String,
    /// Its line, from 1, where one is known.
    pub line: Option<u64>,
    /// What does not hold.
    pub what: String,
    /// What mends it, where everything needed for it is there.
    pub cure: Option<Cure>,
    /// What helps that is nearer than the newest backup.
    pub advice: Option<String>,
}

/// What a repair does; each follows from what is there, nothing is guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure {
    /// Sets permission bits.
    Mode(u32),
    /// Removes a file that was never finished.
    RemovePartial,
    /// Removes such a folder.
    RemovePartialFolder,
    /// Writes the journal's newest note to `journal/checkpoint`.
    RollForward,
    /// Writes `store.json` anew from the journal's first line.
    Sheet(StoreSheet),
    /// Puts the policy in force, which is kept under this digest, back as `policy.toml`.
    Policy(String),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Faults, in the order of their files.
    pub faults: Vec<Fault>,
    /// What is no fault but worth a word.
    pub notes: Vec<String>,
}

impl Report {
    fn fault(&mut self, file: &str, what: impl Into<String>) {
        self.add(file, what, None);
    }

    /// Advice for a file's fault, where it has one.
    fn advise(&mut self, file: &str, advice: String) {
        if let Some(fault) = self.faults.iter_mut().rev().find(|fault| fault.file == file && fault.cure.is_none()) {
            fault.advice = Some(advice);
        }
    }

    fn add(&mut self, file: &str, what: impl Into<String>, cure: Option<Cure>) {
        self.faults.push(Fault { file: file.to_owned(), line: None, what: what.into(), cure, advice: None });
    }
}

/// Looks at everything in a store that can be seen without a passphrase. Changes nothing.
///
/// # Errors
/// [`Denied::NoStore`], or where the system lets nothing be read.
pub fn check(path: &Path) -> Result<Report, Refusal> {
    let directory = open(path)?;
    let mut report = Report::default();
    let stock = directory.inventory()?;
    modes(&directory, &stock, &mut report)?;
    let Some(audit) = journal(&directory, &mut report) else {
        report.notes.push("what the journal would say of the other files could not be compared".to_owned());
        sort(&mut report);
        return Ok(report);
    };
    sheet(&directory, &audit, &mut report)?;
    let mut ledger = Ledger::default();
    if let Err(fault) = ledger.apply(&audit.entries) {
        journal_fault(&fault, &mut report);
        sort(&mut report);
        return Ok(report);
    }
    let mut known: BTreeSet<String> = ["store.json", "policy.toml", "journal", "journal/entries.jsonl"]
        .into_iter()
        .chain(["journal/checkpoint", "policies", "unlock", "sealed", "roots", "certificates", "publications"])
        .chain([QUARANTINE])
        .map(str::to_owned)
        .collect();
    known.insert(files::sealed_folder(&ledger));
    edited_policy(&directory, &ledger, &mut report);
    let own_sheet = sheet_of(&audit);
    for file in files::named(&ledger, &own_sheet).iter().filter(|file| file.kind != files::Kind::Sheet) {
        named(&directory, file, &ledger, &mut known, &mut report);
    }
    published(&directory, &ledger, &mut known, &mut report);
    unknown(&stock, &known, &ledger, &mut report);
    sort(&mut report);
    Ok(report)
}

/// Mends what can be mended, under the lock, and says what it did. The rest stays as it is.
///
/// # Errors
/// As the system refuses; what was mended before stays mended.
pub fn repair(path: &Path) -> Result<(Report, Vec<Fault>), Refusal> {
    let directory = open(path)?;
    // A place whose modes forbid it can't be locked either.
    if directory.mode()? & 0o700 != 0o700 {
        directory.set_mode("", 0o700)?;
    }
    let _lock = journal::hold(&directory)?;
    let mut mended = Vec::new();
    for fault in check(path)?.faults {
        match &fault.cure {
            None => continue,
            Some(Cure::Mode(mode)) => directory.set_mode(&fault.file, *mode)?,
            Some(Cure::RemovePartial) => directory.remove_file(&fault.file)?,
            Some(Cure::RemovePartialFolder) => directory.remove_folder(&fault.file)?,
            Some(Cure::RollForward) => Journal::open(&directory)?.roll_forward()?,
            Some(Cure::Sheet(sheet)) => directory.replace_file(StoreSheet::FILE, &sheet.to_bytes())?,
            Some(Cure::Policy(sha256)) => {
                let text = directory.read(&format!("policies/{sha256}.toml"), LARGEST)?;
                directory.create_file("policy.toml", &text)?;
            }
        }
        mended.push(fault);
    }
    Ok((check(path)?, mended))
}

fn open(path: &Path) -> Result<Directory, Refusal> {
    let directory = match Directory::open(path) {
        Err(StorageFault::Missing(_)) => return Err(Denied::NoStore(path.to_owned()).into()),
        opened => opened?,
    };
    if !directory.has(StoreSheet::FILE) && !directory.has("journal") {
        return Err(Denied::NoStore(path.to_owned()).into());
    }
    Ok(directory)
}

fn sort(report: &mut Report) {
    report.faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
}

/// Directories 0700, files 0600; publications are public material, but nobody else writes them.
fn modes(directory: &Directory, stock: &[Found], report: &mut Report) -> Result<(), Refusal> {
    let mode = directory.mode()?;
    if mode != 0o700 {
        report.add("", format!("the store's mode is {mode:04o}, it should be 0700"), Some(Cure::Mode(0o700)));
    }
    // What an interrupted act has left goes as it is.
    let finished = |found: &&Found| !found.path.split('/').any(|name| name.ends_with(".partial"));
    for found in stock.iter().filter(finished) {
        let public = found.path.starts_with("publications/");
        let wanted = match found.kind {
            Kind::Other => {
                report.fault(&found.path, "it is no ordinary file: links, pipes and devices have no place in a store");
                continue;
            }
            Kind::Folder => 0o700,
            Kind::File => 0o600,
        };
        let others = if public { 0o7022 } else { 0o7077 };
        if found.mode & others != 0 || found.mode & wanted & 0o500 != wanted & 0o500 {
            let what = format!("its mode is {:04o}, it should be {wanted:04o}", found.mode);
            report.add(&found.path, what, Some(Cure::Mode(wanted)));
        }
    }
    Ok(())
}

fn journal(directory: &Directory, report: &mut Report) -> Option<Audit> {
    let audit = match Audit::of_store(directory) {
        Ok(audit) => audit,
        Err(fault) => {
            journal_fault(&fault, report);
            return None;
        }
    };
    if audit.behind {
        let what = "it is behind the journal, as a crash between the two leaves it";
        report.add("journal/checkpoint", what, Some(Cure::RollForward));
    }
    if audit.torn > 0 {
        report.notes.push(format!(
            "journal/entries.jsonl ends in {} bytes that were never acknowledged; the next act cuts them off and \
             records that",
            audit.torn
        ));
    }
    Some(audit)
}

fn journal_fault(fault: &JournalFault, report: &mut Report) {
    let (file, line, what) = match fault {
        JournalFault::Damaged { file, line, what } => (format!("journal/{file}"), Some(*line), what.clone()),
        JournalFault::Malformed { line, what } => ("journal/entries.jsonl".to_owned(), Some(*line), what.clone()),
        JournalFault::UnknownType { line, kind } => {
            ("journal/entries.jsonl".to_owned(), Some(*line), format!("the type {kind} is unknown"))
        }
        JournalFault::Short { found, promised } => {
            let what = format!("it has {found} whole lines, its checkpoint speaks of {promised}");
            ("journal/entries.jsonl".to_owned(), Some(found + 1), what)
        }
        other => ("journal".to_owned(), None, other.to_string()),
    };
    report.faults.push(Fault { file, line, what, cure: None, advice: None });
}

/// The sheet that the journal's first line asks for.
fn sheet_of(audit: &Audit) -> StoreSheet {
    StoreSheet {
        format: StoreSheet::FORMAT.to_owned(),
        version: 1,
        store_id: audit.genesis.store_id.clone(),
        issuer: audit.genesis.issuer.clone(),
    }
}

/// What this directory is. The journal's first line says all that stands in a sheet.
fn sheet(directory: &Directory, audit: &Audit, report: &mut Report) -> Result<(), Refusal> {
    let file = StoreSheet::FILE;
    let derived = sheet_of(audit);
    let what = match StoreSheet::read(directory) {
        // Another version's store is for another coldsign to check, and to mend.
        Err(refusal) if refusal.reason().rule() == Some("STORE-VERSION") => return Err(refusal),
        Err(_) if !directory.has(file) => "it is missing".to_owned(),
        Err(refusal) => refusal.to_string().trim_start_matches("store.json is damaged: ").to_owned(),
        Ok(sheet) if (&sheet.store_id, &sheet.issuer) != (&derived.store_id, &derived.issuer) => {
            report.fault(file, "its store_id or issuer is not the journal's");
            return Ok(());
        }
        Ok(_) => return Ok(()),
    };
    report.add(file, format!("{what}; the journal's first line says what was in it"), Some(Cure::Sheet(derived)));
    Ok(())
}

fn edited_policy(directory: &Directory, ledger: &Ledger, report: &mut Report) {
    match directory.read_text("policy.toml", LARGEST) {
        Err(StorageFault::Missing(_)) => {
            let kept = ledger.policies.newest().map(|newest| newest.applied.sha256.clone()).filter(|sha256| {
                let kept = directory.read(&format!("policies/{sha256}.toml"), LARGEST);
                kept.is_ok_and(|text| hex(&crate::journal::sha256(&text)) == *sha256)
            });
            report.add("policy.toml", "it is missing; the one in force is kept", kept.map(Cure::Policy));
        }
        Err(fault) => report.fault("policy.toml", file_fault(&fault)),
        Ok(text) => {
            if let Err(faults) = Policy::parse(&text) {
                report.notes.push(format!("policy.toml as it is edited has faults: {faults}"));
            } else if ledger
                .policies
                .newest()
                .is_none_or(|newest| newest.applied.sha256 != hex(&sha256(text.as_bytes())))
            {
                report.notes.push("policy.toml was edited and is not applied".to_owned());
            }
        }
    }
}

/// A file is the one that the journal names. What is in an age file only a passphrase shows.
fn named(
    directory: &Directory,
    file: &files::Named,
    ledger: &Ledger,
    known: &mut BTreeSet<String>,
    report: &mut Report,
) {
    let path = file.path.as_str();
    known.insert(path.to_owned());
    let read = files::read(directory, file);
    let own = directory.read(path, files::LARGEST).is_ok_and(|bytes| hex(&sha256(&bytes)) == file.sha256);
    let holds =
        |name: &str| directory.read(name, files::LARGEST).is_ok_and(|bytes| hex(&sha256(&bytes)) == file.sha256);
    if let Some(waiting) = waiting_names(path).into_iter().find(|name| !own && holds(name)) {
        report.notes.push(format!("{waiting} is in force; the next act gives it its name"));
        known.extend(waiting.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
        known.insert(waiting);
    }
    if read.is_ok() {
        return;
    }
    match directory.read(path, files::LARGEST) {
        Err(fault) => report.fault(path, file_fault(&fault)),
        Ok(bytes) if file.kind == files::Kind::Custodian && !bytes.starts_with(AGE) => {
            report.fault(path, "it is no age file");
        }
        Ok(_) if file.kind == files::Kind::Custodian => report.notes.push(format!(
            "{path} is not the file that the journal names: its owner may have wrapped it by another code"
        )),
        Ok(_) => report.fault(path, "it is not the one that the journal names"),
    }
    let unlock = ledger.unlocks.all().iter().find(|unlock| files::unlock_file(&unlock.name) == path);
    if let Some(name) = unlock.map(|unlock| &unlock.name)
        && let Some(other) = ledger.unlocks.other_than(name)
    {
        report.advise(path, format!("coldsign --unlock {other} unlock change {name}, or unlock remove {name}"));
    }
}

/// Under which names an interrupted act leaves a file that is in force.
fn waiting_names(path: &str) -> Vec<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut names = vec![format!("{folder}/.{name}.partial"), format!("{folder}.partial/{name}")];
    if folder == "unlock" {
        names.push(path.replace(".age", ".next.age"));
    }
    names
}

fn published(directory: &Directory, ledger: &Ledger, known: &mut BTreeSet<String>, report: &mut Report) {
    for publication in ledger.publications.all() {
        let folder = format!("publications/{}", publications::folder_in_store(publication.made.seq));
        let waiting = format!("{folder}.partial");
        let held = |place: &str| publications::kept_in(directory, publication, place);
        if held(&folder).is_err() && held(&waiting).is_ok() {
            report.notes.push(format!("{waiting} is in force; the next act gives it its name"));
            known.insert(waiting);
        } else if !directory.has(&folder) {
            report.fault(&folder, "it is missing");
        } else if let Err(refusal) = held(&folder) {
            let told = refusal.to_string();
            report.fault(&folder, told.trim_start_matches(&format!("{folder} is damaged: ")));
        }
        let seq = publication.made.seq;
        let advice = format!(
            "copy coldsign-publication-{seq:06} back from a stick as this folder: the SHA-256 of its SHA256SUMS is {}",
            publication.made.manifest
        );
        report.advise(&folder, advice);
        known.insert(folder);
    }
}

/// What no entry of the journal and no rule of the format speaks of.
fn unknown(stock: &[Found], known: &BTreeSet<String>, ledger: &Ledger, report: &mut Report) {
    let mut strange: Vec<&str> = Vec::new();
    for found in stock.iter().filter(|found| found.kind != Kind::Other) {
        let path = found.path.as_str();
        let inside = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        // A publication's own files are held against its SHA256SUMS.
        let published = || known.iter().any(|folder| folder.starts_with("publications/") && inside(folder));
        if known.contains(path) || strange.iter().any(|folder| inside(folder)) || published() {
            continue;
        }
        strange.push(path);
        if path.strip_prefix(QUARANTINE).is_some_and(|rest| rest.starts_with('/')) {
            report
                .notes
                .push(format!("{path} was put aside: no act of this store made it; look at it, then remove it"));
        } else if path.ends_with(".partial") {
            let cure = if found.kind == Kind::Folder { Cure::RemovePartialFolder } else { Cure::RemovePartial };
            report.add(path, "it is what an interrupted act has left", Some(cure));
        } else if left_over(path, ledger) {
            report.notes.push(format!("{path} is not in force: an act was interrupted, and the next removes it"));
        } else if sweep::is_unknown(ledger, path) {
            report.fault(path, "the journal does not know it: it was put back or planted; the next act puts it aside");
        } else {
            report.fault(path, "nothing in the journal speaks of it");
        }
    }
}

/// Whether an act that was interrupted leaves such a file, and the next act removes it (store-v1.md).
/// A check does not: without a passphrase nobody knows that this journal is the store's.
fn left_over(path: &str, ledger: &Ledger) -> bool {
    sweep::has_ended(ledger, path) || path.starts_with("unlock/") && path.ends_with(".next.age")
}

fn file_fault(fault: &StorageFault) -> String {
    match fault {
        StorageFault::Missing(_) => "it is missing".to_owned(),
        StorageFault::NotAFile(_) => "it is no ordinary file".to_owned(),
        StorageFault::TooLarge { cap, .. } => format!("it is larger than {cap} bytes"),
        StorageFault::NotText(_) => "it is not UTF-8 text".to_owned(),
        other => other.to_string(),
    }
}

/// A store with faults that stay.
#[derive(Debug, thiserror::Error)]
#[error("the store has {faults} fault{}", if *faults == 1 { "" } else { "s" })]
pub struct Faulty {
    /// How many.
    pub faults: usize,
    /// Of them, how many a repair mends.
    pub mendable: usize,
    /// How many have an advice of their own.
    pub advised: usize,
}

impl Refuse for Faulty {
    fn rule(&self) -> Option<&'static str> {
        Some("STORE-FAULTS")
    }

    fn why(&self) -> Vec<String> {
        match self.mendable {
            0 if self.advised == self.faults => vec!["what helps stands below each; nothing was changed".to_owned()],
            0 => vec![
                "nothing that is there says how to mend it: move what is not the store's out of it, and for the \
                 rest go on from the newest backup"
                    .to_owned(),
            ],
            mendable => vec![format!("{mendable} of them can be mended from what is there; nothing was changed")],
        }
    }

    fn hint(&self) -> Option<String> {
        (self.mendable > 0).then(|| "coldsign store check --repair".to_owned())
    }
}
