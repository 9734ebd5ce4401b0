//! `journal …`: what an auditor does with the journal. Who checks an export or a proof needs not even a store.

use super::backup::record::EpochRecord;
use super::tokens::{FilterDenied, interval, known};
use super::{Denied, Ledger, Store, found, history, root};
use crate::issuing::record::TokenIssued;
use crate::journal::{
    Audit, Checkpoint, Entry, JournalFault, Prefix, Proof, ProofFile, hex, read_verifier_key, sha256, verifier_key,
};
use crate::refusal::{Refusal, Refuse};
use crate::storage::{Outbox, StorageFault, create_private_file, is_folder, read_file};
use coldsign_verify::bundle;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Far beyond a signer's life, as the journal itself has it.
const LARGEST: u64 = 8 << 30;
/// The longest note, verifier key or proof that is read, in bytes.
const LONGEST_NOTE: u64 = 4 << 10;
const LONGEST_PROOF: u64 = 2 << 20;
const LONGEST_POLICY: u64 = 1 << 20;
/// A checkpoint that somebody signed with a key that had been replaced.
pub(super) const REPLACED: &str = "it is signed by a journal key that was replaced before: somebody may know that key";
/// The files of an exported folder.
const ENTRIES: &str = "entries.jsonl";
const CHECKPOINT: &str = "checkpoint";
const KEY: &str = "journal.vkey";

/// Which entries are asked for; `None` or nothing means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// From this time on, in seconds since the epoch.
    pub since: Option<u64>,
    /// Before this time.
    pub until: Option<u64>,
    /// Of these types, or families of types (`key` for `key.generated` and the like).
    pub types: Vec<String>,
    /// Checkpoints too.
    pub checkpoints: bool,
}

/// Refuses a question that nothing can be an answer to.
///
/// # Errors
/// [`FilterDenied`].
pub fn check_filter(filter: &Filter) -> Result<(), FilterDenied> {
    interval(filter.since, filter.until)?;
    let kinds = history::types;
    let families = || kinds().filter_map(|kind| kind.split_once('.').map(|(family, _)| family));
    filter.types.iter().try_for_each(|wanted| {
        known(("type", "coldsign journal show --type", "coldsign journal show"), wanted, kinds().chain(families()))
    })
}

/// The entries that match, oldest first.
pub fn show<'a>(store: &'a Store, filter: &'a Filter) -> impl Iterator<Item = &'a Entry> {
    store.journal().entries().iter().filter(move |entry| {
        let named = |wanted: &String| {
            *entry.kind == **wanted
                || entry.kind.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        let kind = if filter.types.is_empty() {
            filter.checkpoints || !entry.is_checkpoint()
        } else {
            filter.types.iter().any(named) || filter.checkpoints && entry.is_checkpoint()
        };
        kind && filter.since.is_none_or(|since| entry.time >= since)
            && filter.until.is_none_or(|until| entry.time < until)
    })
}

/// Reads a store's journal: every line, every checkpoint's signature, every entry's members.
///
/// # Errors
/// As the journal refuses; [`JournalFault::Exchanged`] where it does not go on from the one that was
/// opened: only for that one a passphrase may have vouched.
pub fn verify(store: &Store) -> Result<Audit, Refusal> {
    let audit = folded(Audit::of_store(store.directory())?)?;
    if audit.goes_on_from(&store.journal().extent()) {
        return Ok(audit);
    }
    Err(JournalFault::Exchanged(StorageFault::Exchanged(store.directory().path().join("journal/entries.jsonl"))).into())
}

/// The same for an export: a folder, or one file of lines.
///
/// # Errors
/// As [`verify`], by the export's own path; [`AuditDenied::Export`] where a policy is gone or is not
/// as applied; [`AuditDenied::Key`] where the folder's key is not its journal's.
pub fn verify_export(path: &Path) -> Result<Audit, Refusal> {
    let read = |file: &Path, note: Option<&str>| -> Result<Audit, Refusal> {
        Audit::of(read_file(file, LARGEST)?, note).map_err(|fault| match fault {
            JournalFault::Damaged { line, what, .. } => damaged(path, format!("line {line}: {what}")),
            JournalFault::Short { found, promised } => {
                damaged(path, format!("it has {found} whole lines of the {promised} that it must have"))
            }
            fault => fault.into(),
        })
    };
    if !is_folder(path) {
        return folded(read(path, None)?);
    }
    let note = text(&path.join(CHECKPOINT))?;
    let audit = read(&path.join(ENTRIES), Some(&note))?;
    let ledger = fold(&audit)?;
    for record in ledger.policies.all() {
        let sha256_of_it = &record.applied.sha256;
        let file = path.join(policy_file(sha256_of_it));
        match read_file(&file, LONGEST_POLICY) {
            Ok(bytes) if hex(&sha256(&bytes)) == *sha256_of_it => {}
            Ok(_) => return Err(damaged(&file, "it is not the policy that was applied".to_owned())),
            Err(fault) => return Err(damaged(&file, fault.to_string())),
        }
    }
    check_key(&audit, &path.join(KEY))?;
    Ok(audit)
}

fn damaged(file: &Path, what: String) -> Refusal {
    AuditDenied::Export { file: file.to_owned(), what }.into()
}

/// Where a policy lies, in a store and in an export.
fn policy_file(sha256: &str) -> String {
    format!("policies/{sha256}.toml")
}

/// Holds the journal's keys against a verifier key kept elsewhere. Says whether that key was replaced
/// since: each replacement was signed by the key before it, so an older one vouches for the journal too.
///
/// # Errors
/// [`AuditDenied::Key`].
pub fn check_key(audit: &Audit, file: &Path) -> Result<bool, Refusal> {
    let (store_id, key) = key_in(file)?;
    if store_id == audit.genesis.store_id && audit.keys.has(&key) {
        return Ok(audit.keys.newest() != key);
    }
    Err(AuditDenied::Key { file: file.to_owned(), what: "it is not this journal's" }.into())
}

/// Holds the journal's fingerprint against the one that was seen elsewhere: the SHA-256 of a
/// checkpoint's note, or its first digits. Says which of its checkpoints that is.
///
/// # Errors
/// [`super::backup::BackupDenied::NoFingerprint`], [`AuditDenied::Fingerprint`].
pub fn find_fingerprint(audit: &Audit, given: &str) -> Result<Checkpoint, Refusal> {
    let digits = super::backup::outlook::fingerprint_digits(given)?;
    let mut notes = audit.entries.iter().filter_map(Entry::note);
    let note = notes.find(|note| hex(&sha256(note.as_bytes())).starts_with(&digits));
    let by = note.as_deref().map(|note| audit.keys.verify(note));
    match by {
        Some(Ok(by)) => Ok(by.checkpoint),
        _ => Err(AuditDenied::Fingerprint(given.to_owned()).into()),
    }
}

/// What a checkpoint kept elsewhere is to a journal.
pub enum Older {
    /// Its lines are the journal's first.
    Prefix(Checkpoint),
    /// It is of the branch that a restore left behind, and the journal says so.
    LeftBehind(Checkpoint, EpochRecord),
}

/// Proves the checkpoint in a file, a bundle or a publication's folder to be a prefix of the journal,
/// or the one that a restore was given and the journal names. A bundle must be what the store's roots
/// vouch for, where a store is given.
///
/// # Errors
/// [`AuditDenied::Foreign`], [`AuditDenied::Forked`], [`AuditDenied::Ahead`].
pub fn against(audit: &Audit, store: Option<&Store>, file: &Path) -> Result<Older, Refusal> {
    let foreign = |what: String| AuditDenied::Foreign { file: file.to_owned(), what };
    let given = read_text(&found::checkpoint_file(file), bundle::LONGEST as u64)?;
    let roots = store.map(root::chain).transpose()?.unwrap_or_default();
    let note = match found::bundled(&given, &roots) {
        Some(bundled) => bundled.map_err(foreign)?.note,
        None => given.clone(),
    };
    let by = audit.keys.verify(&note).map_err(|what| foreign(what.to_owned()))?;
    let older = by.checkpoint;
    let prefix = audit.prefix(&older);
    if prefix != Prefix::Proven {
        let ledger = fold(audit)?;
        let named = |epoch: &&EpochRecord| epoch.started.checkpoint.as_ref() == Some(&note);
        if let Some(epoch) = ledger.backups.epochs().iter().find(named) {
            return Ok(Older::LeftBehind(older, epoch.clone()));
        }
        if !by.in_its_time {
            return Err(foreign(REPLACED.to_owned()).into());
        }
    }
    // A bundle says more than its checkpoint: that this store made that publication.
    if let (Some(store), Prefix::Proven, true) = (store, prefix, given.trim_start().starts_with("ey")) {
        let folder = file.parent().filter(|_| !is_folder(file)).unwrap_or(file);
        if let Some(denied) = found::accuses(store, folder, given.trim_end())? {
            return Err(denied.into());
        }
    }
    match prefix {
        Prefix::Proven => Ok(Older::Prefix(older)),
        Prefix::Forked => Err(AuditDenied::Forked { size: older.size }.into()),
        Prefix::Ahead => Err(AuditDenied::Ahead { size: older.size, covered: audit.checkpoint.size }.into()),
    }
}

/// What an export is made of.
pub struct Exported {
    /// The folder or file that was made.
    pub path: PathBuf,
    /// Its lines.
    pub lines: usize,
}

/// Writes the journal for an auditor's machine: below an existing folder as a folder of its own with
/// lines, checkpoint, journal key and every policy ever applied; elsewhere as one file of lines.
///
/// # Errors
/// As the journal refuses, or the medium; nothing is overwritten and nothing appears by halves.
pub fn export(store: &Store, to: &Path) -> Result<Exported, Refusal> {
    let audit = verify(store)?;
    let lines = audit.entries.len();
    if !is_folder(to) {
        create_private_file(to, audit.bytes())?;
        return Ok(Exported { path: to.to_owned(), lines });
    }
    let key = verifier_key(&audit.genesis.store_id, &audit.keys.newest());
    let mut files = BTreeMap::from([
        (CHECKPOINT.to_owned(), audit.note.clone().into_bytes()),
        (KEY.to_owned(), format!("{key}\n").into_bytes()),
    ]);
    for record in store.ledger().policies.all() {
        let text = store.policy_text(record)?;
        files.insert(policy_file(&record.applied.sha256), text.into_bytes());
    }
    files.insert(ENTRIES.to_owned(), audit.bytes().to_vec());
    let name = format!("coldsign-journal-{:06}", audit.checkpoint.size);
    let outbox = Outbox::open(to)?;
    outbox.create_private_folder(&name, &files)?;
    Ok(Exported { path: outbox.path().join(name), lines })
}

/// The index of the entry that issued a token.
///
/// # Errors
/// [`AuditDenied::NoToken`].
pub fn index_of(audit: &Audit, jti: &str) -> Result<u64, Refusal> {
    for entry in &audit.entries {
        if entry.event::<TokenIssued>()?.is_some_and(|issued| issued.jti == jti) {
            return Ok(entry.index);
        }
    }
    Err(AuditDenied::NoToken(jti.to_owned()).into())
}

/// The proof that an entry stands in the journal.
///
/// # Errors
/// [`AuditDenied::NoEntry`].
pub fn prove(audit: &Audit, index: u64) -> Result<ProofFile, Refusal> {
    audit.prove(index).ok_or_else(|| AuditDenied::NoEntry { index, covered: audit.checkpoint.size }.into())
}

/// Checks a proof file with a journal key in another: no store, no journal. Where the key was
/// replaced since, the proof itself leads to the newer one.
///
/// # Errors
/// [`AuditDenied::Proof`], [`AuditDenied::Key`].
pub fn verify_proof(file: &Path, key_file: &Path) -> Result<(Proof, Checkpoint), Refusal> {
    let (store_id, key) = key_in(key_file)?;
    let wrong = |what| AuditDenied::Proof { file: file.to_owned(), what };
    let bytes = read_file(file, LONGEST_PROOF)?;
    let proof = ProofFile::read(&String::from_utf8_lossy(&bytes)).map_err(wrong)?;
    let checkpoint = proof.verify(&store_id, &key).map_err(wrong)?;
    Ok((proof.entry, checkpoint))
}

/// Entries whose members are not those of their type are no journal of ours.
fn folded(audit: Audit) -> Result<Audit, Refusal> {
    fold(&audit)?;
    Ok(audit)
}

fn fold(audit: &Audit) -> Result<Ledger, Refusal> {
    let mut ledger = Ledger::default();
    ledger.apply(&audit.entries)?;
    Ok(ledger)
}

fn key_in(file: &Path) -> Result<(String, [u8; 32]), Refusal> {
    read_verifier_key(&text(file)?).map_err(|what| AuditDenied::Key { file: file.to_owned(), what }.into())
}

fn text(file: &Path) -> Result<String, Refusal> {
    read_text(file, LONGEST_NOTE)
}

fn read_text(file: &Path, cap: u64) -> Result<String, Refusal> {
    let bytes = read_file(file, cap)?;
    String::from_utf8(bytes).map_err(|_| {
        Denied::Damaged { file: file.display().to_string(), what: "it is not UTF-8 text".to_owned() }.into()
    })
}

/// What an audit can't confirm.
#[derive(Debug, thiserror::Error)]
pub enum AuditDenied {
    /// Not a checkpoint that this journal's key signed.
    #[error("{} is no checkpoint of this journal: {what}", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The journal is another one from some line on.
    #[error("the journal is not the one whose first {size} lines that checkpoint signed: it was forked")]
    Forked {
        /// Lines the checkpoint covers.
        size: u64,
    },
    /// The journal ends before the checkpoint.
    #[error("that checkpoint covers {size} lines; this journal's newest covers {covered}")]
    Ahead {
        /// Lines the checkpoint covers.
        size: u64,
        /// Lines the journal's newest covers.
        covered: u64,
    },
    /// A file of an export is not as it was exported.
    #[error("the export {} is damaged: {what}", file.display())]
    Export {
        /// The file.
        file: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// Not the journal's key.
    #[error("{} does not confirm the journal key: {what}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// No checkpoint of the journal has that fingerprint.
    #[error("no checkpoint of this journal has the fingerprint {0}")]
    Fingerprint(String),
    /// No checkpoint covers such a line.
    #[error("there is no entry {index} that a checkpoint covers: they end at {}", covered.saturating_sub(1))]
    NoEntry {
        /// As given.
        index: u64,
        /// Lines covered.
        covered: u64,
    },
    /// No token of that id.
    #[error("no token with the jti {0} was issued here")]
    NoToken(String),
    /// A proof that proves nothing.
    #[error("{} proves nothing: {what}", file.display())]
    Proof {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

impl Refuse for AuditDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Foreign { .. } => "CHECKPOINT-FOREIGN",
            Self::Forked { .. } => "CHECKPOINT-FORK",
            Self::Ahead { .. } => "CHECKPOINT-AHEAD",
            Self::Export { .. } => "JOURNAL-DAMAGED",
            Self::Key { .. } => "JOURNAL-KEY",
            Self::Fingerprint(_) => "CHECKPOINT-FOREIGN",
            Self::NoEntry { .. } | Self::NoToken(_) => "JOURNAL-NO-ENTRY",
            Self::Proof { .. } => "JOURNAL-PROOF",
        })
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::Forked { size } => vec![
                format!("one of the lines 1 to {size} is another than when it was signed, with the same journal key"),
                "a checkpoint alone can't say which; an export kept from then can: compare the two line by line"
                    .to_owned(),
                "a store restored from a backup and the store that went on without it are such a pair".to_owned(),
            ],
            Self::Ahead { .. } => vec![
                "lines that were signed are missing here: the end was cut off, or an older copy was put back"
                    .to_owned(),
            ],
            Self::Export { .. } => vec![
                "it was changed or cut off since it was exported; that says nothing about the store it is from"
                    .to_owned(),
                "take another copy of it, or have it exported anew: coldsign journal export".to_owned(),
            ],
            Self::Foreign { .. } => vec!["it says nothing about this journal".to_owned()],
            Self::Fingerprint(_) => {
                vec!["a digit was mistyped, or the journal is older or another than the one you saw".to_owned()]
            }
            Self::Key { .. } => vec!["whoever wrote this journal had another key than the one in that file".to_owned()],
            Self::NoEntry { .. } => {
                vec!["the newest checkpoint line itself is covered by the next act's checkpoint".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoEntry { .. } => Some("coldsign journal show".to_owned()),
            Self::NoToken(_) => Some("coldsign token list --long".to_owned()),
            _ => None,
        }
    }
}
