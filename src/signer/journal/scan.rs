//! Reading a journal's lines one by one, strictly.

use super::chain::key_of;
use super::covered::Covered;
use super::entry::Committed;
use super::{Checkpoint, Digest, Entry, Event, JournalFault, KeyChain, StoreCreated, Tree, hex, sha256};
use crate::storage::StorageFault;

pub(super) const LONGEST_LINE: usize = 1 << 20;

/// Where a committed group ends.
#[derive(Clone)]
pub(super) struct End {
    pub lines: u64,
    pub bytes: u64,
    pub tree: Tree,
    pub last: Digest,
    pub chain: KeyChain,
}

pub(super) struct Scan {
    pub entries: Vec<Entry>,
    pub committed: Option<End>,
}

impl Scan {
    /// Reads line by line up to the first that doesn't hold. One at or before the `promised` line
    /// is damage; one beyond it begins the torn tail. `chain` begins with the first line's key.
    /// Checkpoints before the line `signatures_from` are not held against their signatures, but for
    /// those that name a key.
    pub fn of(bytes: &[u8], chain: KeyChain, promised: u64, signatures_from: u64) -> Result<Self, JournalFault> {
        Self::after(Covered::default(), chain, bytes, promised, signatures_from)
    }

    /// The lines that a checkpoint covers, as signed; from its own line on as [`Scan::of`]. Where they
    /// aren't what it covers, all is read line by line: that names the one that doesn't hold.
    pub fn beyond(promised: &Checkpoint, bytes: &[u8], chain: KeyChain) -> Result<Self, JournalFault> {
        if let Some(mut covered) = Covered::read(bytes, promised, chain.clone()) {
            let followed = covered.chain.take().unwrap_or_else(|| chain.clone());
            let scan = Self::after(covered, followed, bytes, promised.size, promised.size)?;
            if scan.committed.is_some() {
                return Ok(scan);
            }
        }
        Self::of(bytes, chain, promised.size, promised.size)
    }

    fn after(
        covered: Covered,
        mut chain: KeyChain,
        bytes: &[u8],
        promised: u64,
        signatures_from: u64,
    ) -> Result<Self, JournalFault> {
        let Covered { entries, mut tree, mut last, bytes: passed, .. } = covered;
        let mut scan = Self { entries, committed: None };
        let mut at = passed as u64;
        let mut rest = bytes.get(passed..).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, beyond) = rest.split_at(end);
            let number = tree.size() + 1;
            let read = scan.line(line, &tree, &last, &mut chain, signatures_from);
            let (entry, commits) = match read {
                Ok(read) => read,
                Err(what) if tree.size() <= promised => {
                    return Err(JournalFault::Damaged { file: "entries.jsonl", line: number, what });
                }
                Err(_) => break,
            };
            tree.push(line);
            last = sha256(line);
            at += line.len() as u64 + 1;
            scan.entries.push(entry);
            rest = beyond.get(1..).unwrap_or_default();
            if commits {
                let (lines, tree, chain) = (tree.size(), tree.clone(), chain.clone());
                scan.committed = Some(End { lines, bytes: at, tree, last, chain });
            }
        }
        Ok(scan)
    }

    /// One line and whether it commits what came before it.
    fn line(
        &self,
        line: &[u8],
        tree: &Tree,
        last: &Digest,
        chain: &mut KeyChain,
        signatures_from: u64,
    ) -> Result<(Entry, bool), String> {
        if line.len() > LONGEST_LINE {
            return Err("it is longer than 1 MiB".to_owned());
        }
        let (entry, prev) = Entry::read(line)?;
        if entry.index != tree.size() {
            return Err(format!("its index is {}", entry.index));
        }
        if prev != hex(last) {
            return Err("it does not follow from the line before".to_owned());
        }
        if *entry.kind == *StoreCreated::TYPE && entry.index != 0 {
            return Err("a second beginning".to_owned());
        }
        let committed = entry.event::<Committed>().map_err(|fault| fault.to_string())?;
        let before = self.entries.last();
        let next = before.map_or(Ok(None), Entry::next_key).map_err(|fault| fault.to_string())?;
        let Some(committed) = committed else {
            return match next {
                None => Ok((entry, false)),
                Some(_) => Err("a new journal key is always the last entry of its group".to_owned()),
            };
        };
        // No signature covers the newest checkpoint line itself: it may say nothing of its own.
        let own = before.map(|before| committed.line().render(entry.index, last, before.time, &before.by));
        if own.is_none_or(|own| own.as_bytes() != line) {
            return Err("it is not the one checkpoint line its group can have".to_owned());
        }
        if next.is_some() || entry.index >= signatures_from {
            let checkpoint = chain.follow(&committed.note, next)?;
            if checkpoint != Checkpoint::of(tree) {
                return Err("its checkpoint is not that of the lines before it".to_owned());
            }
        }
        Ok((entry, true))
    }
}

pub(super) fn read_genesis(bytes: &[u8]) -> Result<(StoreCreated, Digest, KeyChain), JournalFault> {
    let damaged = |what: &str| JournalFault::Damaged { file: "entries.jsonl", line: 1, what: what.to_owned() };
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let (entry, prev) = read_line(line, 1)?;
    let body = entry.body();
    if let (Some(format), Some(version)) = (
        body.get("format").and_then(|format| format.as_str()),
        body.get("version").and_then(|version| version.as_u64()),
    ) && (format != StoreCreated::FORMAT || version != 1)
    {
        return Err(JournalFault::Version { format: format.to_owned(), version });
    }
    let genesis: StoreCreated = entry.event()?.ok_or_else(|| damaged("it is not the beginning of a journal"))?;
    if entry.index != 0 || prev != hex(&[0; 32]) {
        return Err(damaged("it is not the beginning of a journal"));
    }
    let key = key_of(&genesis.journal_key).ok_or_else(|| damaged("its journal key is no Ed25519 key"))?;
    let chain = KeyChain::new(&genesis.store_id, key);
    Ok((genesis, sha256(line), chain))
}

pub(super) fn read_line(line: &[u8], number: u64) -> Result<(Entry, String), JournalFault> {
    Entry::read(line).map_err(|what| JournalFault::Damaged { file: "entries.jsonl", line: number, what })
}

/// A store always has both files: one that is not there was taken away.
pub(super) fn gone(file: &'static str, fault: StorageFault) -> JournalFault {
    match fault {
        StorageFault::Missing(_) => JournalFault::Damaged { file, line: 1, what: "it is gone".to_owned() },
        other => other.into(),
    }
}

pub(super) fn damaged(line: u64, what: &str) -> JournalFault {
    JournalFault::Damaged { file: "checkpoint", line, what: what.to_owned() }
}
