//! What is known from outside about the time after a backup.

use super::ATTEMPTS;
use super::checked::Backup;
use super::container::file_name;
use super::fault::BackupDenied;
use super::record::{BackupMade, EpochStarted};
use crate::acts::found::{self, Bundled};
use crate::acts::journal::REPLACED;
use crate::acts::root;
use crate::issuing::record::TokenDelivered;
use crate::journal::{Checkpoint, Digest, Entry, Event, Journal, KeyChain, hex, sha256};
use crate::keystore::Opened;
use crate::publishing::record::PublicationMade;
use crate::refusal::Refusal;
use crate::storage::Directory;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The fewest hex digits of a journal fingerprint that are taken for one.
const LEAST_DIGITS: usize = 16;

/// How every journal begins: its first line is a JSON object whose index is 0.
const JOURNAL: &[u8] = b"{\"index\":0,";

/// What somebody brings along from outside.
pub enum Witness {
    /// A file: with a checkpoint note in it, a bundle, or a copy of the old store's `journal/entries.jsonl`.
    File(PathBuf, Vec<u8>),
    /// A journal fingerprint as `status` shows it, or its beginning.
    Fingerprint(String),
}

/// What is known from outside about the time after a backup.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outlook {
    /// The newest checkpoint that was given, and the lines it covers.
    pub seen: Option<(String, u64)>,
    /// How many lines that checkpoint proves to be lost, the backup's own entry not counted.
    pub lost: u64,
    /// The acts that are lost, where a journal was given; how tokens were delivered is left out.
    pub acts: Vec<Entry>,
    /// The highest epoch that began in a journal given.
    pub lost_epoch: u64,
    /// The highest publication number that a journal given shows as used, or as kept free.
    pub lost_publication: u64,
    /// The highest publication number seen outside, where it was given.
    pub published: Option<u64>,
    /// That number, where the backup doesn't know it.
    pub unknown_publication: Option<u64>,
    /// Given checkpoints of branches that earlier restores left behind.
    pub left_behind: usize,
}

/// What witnesses and a publication number say about the time after a backup.
///
/// # Errors
/// [`BackupDenied::NoCheckpoint`], [`BackupDenied::ForeignCheckpoint`], [`BackupDenied::OtherHistory`],
/// [`BackupDenied::OtherJournal`], [`BackupDenied::NoFingerprint`], [`BackupDenied::UnknownFingerprint`].
pub fn outlook(backup: &Backup, given: &[Witness], published: Option<u64>) -> Result<Outlook, Refusal> {
    let newest = backup.store().ledger().publications.newest().map_or(0, |newest| newest.made.seq);
    let mut outlook =
        Outlook { published, unknown_publication: published.filter(|seq| *seq > newest), ..Outlook::default() };
    for witness in given {
        match witness {
            Witness::Fingerprint(text) => outlook.fingerprint(backup, text)?,
            Witness::File(file, bytes) if bytes.starts_with(JOURNAL) => outlook.journal(backup, file, bytes)?,
            Witness::File(file, bytes) => {
                let text = String::from_utf8_lossy(bytes);
                if let Some(bundled) = found::bundled(&text, &root::chain(backup.store())?) {
                    let foreign = |what| BackupDenied::ForeignCheckpoint { file: file.clone(), what };
                    outlook.bundle(backup, file, bundled.map_err(foreign)?, newest)?;
                    continue;
                }
                let notes = notes_in(&text);
                if notes.is_empty() {
                    return Err(BackupDenied::NoCheckpoint(file.clone()).into());
                }
                for note in notes {
                    outlook.note(backup, backup.store().journal().keys(), file, note)?;
                }
            }
        }
    }
    Ok(outlook)
}

/// The checkpoint notes in a text: a file with one, or a page that was typed or scanned. Blanks at
/// the ends of lines, DOS line ends and other dashes are put right.
pub fn notes_in(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begins = |at: &usize| lines.get(*at).is_some_and(|line| line.starts_with("coldsign/journal/"));
    let note = |at: usize| {
        let [origin, size, root, gap, signature] = lines.get(at..at + 5)?.try_into().ok()?;
        let signature = ["\u{2014} ", "\u{2013} ", "-- ", "- "].iter().find_map(|dash| signature.strip_prefix(dash))?;
        gap.is_empty().then(|| format!("{origin}\n{size}\n{root}\n\n\u{2014} {}\n", signature.trim()))
    };
    // Each is held against the journal from its beginning: one that stands there twice is one.
    let mut known = BTreeSet::new();
    (0..lines.len()).filter(begins).filter_map(note).filter(|note| known.insert(note.clone())).collect()
}

/// The digits of a journal fingerprint, in lower case.
///
/// # Errors
/// As [`check_fingerprint`].
pub fn fingerprint_digits(text: &str) -> Result<String, BackupDenied> {
    check_fingerprint(text)?;
    Ok(text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect())
}

/// Refuses what can't be a journal fingerprint: 16 to 64 hex digits, in groups or not.
///
/// # Errors
/// [`BackupDenied::NoFingerprint`].
pub fn check_fingerprint(text: &str) -> Result<(), BackupDenied> {
    let digits = text.chars().filter(|c| !c.is_whitespace());
    let what = match digits.clone().count() {
        0 => "it is empty",
        _ if !digits.clone().all(|c| c.is_ascii_hexdigit()) => "it has other characters than hex digits",
        1..LEAST_DIGITS => "it has fewer than 16 digits",
        65.. => "it has more than 64 digits",
        _ => return Ok(()),
    };
    Err(BackupDenied::NoFingerprint { text: text.to_owned(), what })
}

impl Outlook {
    /// Whether numbers of publications may have been used that nobody has named: something is lost,
    /// and neither a journal nor a number says what was published.
    pub fn publications_unknown(&self) -> bool {
        self.lost > 0 && self.acts.is_empty() && self.published.is_none()
    }

    /// A bundle has a checkpoint and a number: as if both had been named. Where a root of the backup
    /// vouches for the bundle, its checkpoint counts even where the journal's key was replaced since.
    fn bundle(&mut self, backup: &Backup, file: &Path, given: Bundled, newest: u64) -> Result<(), Refusal> {
        let keys = backup.store().journal().keys();
        match (keys.verify(&given.note), given.seq) {
            (Err(_), Some(_)) => {
                let unread = |what: &str| foreign(file, what);
                let checkpoint = Checkpoint::unverified(&given.note, keys.store_id()).map_err(unread)?;
                self.checkpoint(backup, file, given.note, checkpoint)?;
            }
            _ => self.note(backup, keys, file, given.note)?,
        }
        self.published = self.published.max(given.seq);
        self.unknown_publication = self.published.filter(|seq| *seq > newest);
        Ok(())
    }

    fn note(&mut self, backup: &Backup, keys: &KeyChain, file: &Path, note: String) -> Result<(), Refusal> {
        let by = keys.verify(&note).map_err(|what| foreign(file, what))?;
        if !by.in_its_time && !self.is_left_behind(backup, &note) {
            return Err(foreign(file, REPLACED).into());
        }
        self.checkpoint(backup, file, note, by.checkpoint)
    }

    fn is_left_behind(&self, backup: &Backup, note: &str) -> bool {
        let mut epochs = backup.store().ledger().backups.epochs().iter();
        epochs.any(|epoch| epoch.started.checkpoint.as_deref() == Some(note))
    }

    fn checkpoint(
        &mut self,
        backup: &Backup,
        file: &Path,
        note: String,
        checkpoint: Checkpoint,
    ) -> Result<(), Refusal> {
        if self.is_left_behind(backup, &note) {
            self.left_behind += 1;
            return Ok(());
        }
        let journal = backup.store().journal();
        let lines = journal.extent().size;
        if checkpoint.size < lines && journal.root_of_first(checkpoint.size)? != Some(checkpoint.root) {
            return Err(BackupDenied::OtherHistory { file: file.to_owned(), size: checkpoint.size }.into());
        }
        if self.seen.as_ref().is_none_or(|(_, size)| checkpoint.size > *size) {
            let lost = checkpoint.size.saturating_add(1).saturating_sub(lines);
            self.lost = if own_records(backup).any(|own| own == checkpoint) { 0 } else { lost };
            self.seen = Some((note, checkpoint.size));
        }
        Ok(())
    }

    /// A copy of the old store's journal. It must go on from the backup's: opened with the backup's
    /// checkpoint, it is refused unless that very note stands in its place.
    fn journal(&mut self, backup: &Backup, file: &Path, bytes: &[u8]) -> Result<(), Refusal> {
        let journal = backup.store().journal();
        let files = [("journal/entries.jsonl", bytes), ("journal/checkpoint", journal.note().as_bytes())];
        let files = files.map(|(path, bytes)| (path.to_owned(), bytes.to_vec()));
        let given = Journal::open(&Directory::held(file, BTreeMap::from(files)));
        let given =
            given.map_err(|fault| BackupDenied::OtherJournal { file: file.to_owned(), what: fault.to_string() })?;
        let lines = journal.extent().size;
        self.note(backup, given.keys(), file, given.note().to_owned())?;
        let beyond = || given.entries().iter().skip(usize::try_from(lines).unwrap_or(usize::MAX));
        // A branch may have been published from, or restored again: its numbers are taken.
        for entry in beyond() {
            if let Some(made) = entry.event::<PublicationMade>().ok().flatten() {
                self.lost_publication = self.lost_publication.max(made.seq);
            } else if let Some(started) = entry.event::<EpochStarted>().ok().flatten() {
                self.lost_epoch = self.lost_epoch.max(started.epoch);
                self.lost_publication = self.lost_publication.max(started.publications_from);
            }
        }
        let own =
            |entry: &Entry| entry.event::<BackupMade>().ok().flatten().is_some_and(|made| made.sha256 == backup.sha256);
        let acts = beyond().filter(|entry| !entry.is_bookkeeping() && *entry.kind != *TokenDelivered::TYPE);
        let acts: Vec<Entry> = acts.filter(|entry| !own(entry)).cloned().collect();
        if acts.len() > self.acts.len() {
            self.acts = acts;
        }
        Ok(())
    }

    /// A fingerprint says only whether the backup knows that checkpoint.
    fn fingerprint(&mut self, backup: &Backup, text: &str) -> Result<(), Refusal> {
        let digits = fingerprint_digits(text)?;
        let unknown = || BackupDenied::UnknownFingerprint(text.to_owned());
        let (store, store_id) = (backup.store(), &backup.manifest.store_id);
        let notes = store.journal().entries().iter().filter(|entry| entry.is_bookkeeping());
        let mut notes = notes.filter_map(|entry| entry.body().get("note")?.as_str().map(str::to_owned));
        let meant = |note: &String| hex(&sha256(note.as_bytes())).starts_with(&digits);
        let found = match notes.find(meant) {
            Some(note) => Some(note),
            None => {
                let opened = Opened::open_with(store.kept(), backup.own.twin()?)?;
                own_records(backup).filter_map(|own| own.sign(store_id, &opened).ok()).find(meant)
            }
        };
        self.note(backup, store.journal().keys(), Path::new("the fingerprint"), found.ok_or_else(unknown)?)
    }
}

fn foreign(file: &Path, what: &str) -> BackupDenied {
    BackupDenied::ForeignCheckpoint { file: file.to_owned(), what: what.to_owned() }
}

/// The checkpoints that can follow a backup if nothing but the entry of this very file was recorded
/// since: that line is known to the byte, but for the number that its file's name may have.
fn own_records(backup: &Backup) -> impl Iterator<Item = Checkpoint> {
    let (manifest, journal) = (&backup.manifest, backup.store().journal());
    let root = |attempt: u32| -> Digest {
        let file = file_name(&manifest.store_id, manifest.size, attempt);
        let made = BackupMade { file, sha256: backup.sha256.clone(), bytes: backup.bytes, size: manifest.size };
        journal.root_with(&made.line(), manifest.made, &manifest.by)
    };
    (1..=ATTEMPTS).map(move |attempt| Checkpoint { size: manifest.size.saturating_add(1), root: root(attempt) })
}
