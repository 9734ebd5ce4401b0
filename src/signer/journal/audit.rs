//! A journal read as an auditor reads it: from its bytes alone, every line, every signature.

use super::checkpoint::SignedNote;
use super::entry::correct_times;
use super::log::{CHECKPOINT, ENTRIES, LARGEST};
use super::proof::{Proof, ProofFile, consistency, consistent, inclusion};
use super::scan::{Scan, damaged, gone, read_genesis};
use super::tree::leaf;
use super::{Checkpoint, Digest, Entry, JournalFault, KeyChain, StoreCreated};
use crate::storage::Directory;

/// The longest note.
const LONGEST_NOTE: u64 = 4096;

/// A journal whose every line and every checkpoint's signature holds.
///
/// Its keys are followed from the one of its own first line: only an unlock's own file, or a copy kept
/// elsewhere, says whether it is the store's.
pub struct Audit {
    /// What the first line says.
    pub genesis: StoreCreated,
    /// Every key that the journal has had.
    pub keys: KeyChain,
    /// Every committed entry, in order.
    pub entries: Vec<Entry>,
    /// The newest signed checkpoint.
    pub checkpoint: Checkpoint,
    /// The same as its note.
    pub note: String,
    /// Whether `journal/checkpoint` holds an older one.
    pub behind: bool,
    /// How many bytes lie beyond the last committed line.
    pub torn: usize,
    bytes: Vec<u8>,
    leaves: Vec<Digest>,
}

/// What an older checkpoint is to a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Its lines are the journal's first.
    Proven,
    /// Among its lines is one that is another in the journal.
    Forked,
    /// It covers more lines than the journal has.
    Ahead,
}

impl Audit {
    /// Reads and checks the journal of a store. Changes nothing.
    ///
    /// # Errors
    /// As [`super::Journal::open`], and for every checkpoint whose signature or root does not hold.
    pub fn of_store(store: &Directory) -> Result<Self, JournalFault> {
        let bytes = store.read(ENTRIES, LARGEST).map_err(|fault| gone("entries.jsonl", fault))?;
        let note = store.read_text(CHECKPOINT, LONGEST_NOTE).map_err(|fault| gone("checkpoint", fault))?;
        Self::of(bytes, Some(&note))
    }

    /// Checks the lines of a journal. Where no `note` says how many there must be, nothing may lie
    /// beyond the last checkpoint line.
    ///
    /// # Errors
    /// As [`Audit::of_store`].
    pub fn of(mut bytes: Vec<u8>, note: Option<&str>) -> Result<Self, JournalFault> {
        let (genesis, _, chain) = read_genesis(&bytes)?;
        let promised = match note {
            Some(note) => SignedNote::read(note, &genesis.store_id).map_err(|what| damaged(1, what))?.checkpoint.size,
            None => (bytes.split(|byte| *byte == b'\n').count() as u64).saturating_sub(2),
        };
        let scan = Scan::of(&bytes, chain, promised, 0)?;
        let found = scan.committed.as_ref().map_or(0, |end| end.lines);
        let Some(end) = scan.committed.filter(|end| end.lines > promised) else {
            return Err(JournalFault::Short { found, promised: promised + 1 });
        };
        let mut entries = scan.entries;
        entries.truncate(usize::try_from(end.lines).unwrap_or(usize::MAX));
        correct_times(&mut entries)?;
        let note_at = |index: u64| {
            let entry = usize::try_from(index).ok().and_then(|index| entries.get(index))?;
            entry.note()
        };
        if note.is_some_and(|note| note_at(promised).as_deref() != Some(note)) {
            return Err(damaged(1, "the journal has another one in its place"));
        }
        let newest = note_at(end.lines.saturating_sub(1)).unwrap_or_default();
        let keys = end.chain;
        let checkpoint = keys.verify(&newest).map_err(|what| damaged(1, what))?.checkpoint;
        let committed = usize::try_from(end.bytes).unwrap_or(usize::MAX).min(bytes.len());
        let torn = bytes.len() - committed;
        if note.is_none() && torn > 0 {
            return Err(JournalFault::Short { found: end.lines, promised: end.lines + 1 });
        }
        bytes.truncate(committed);
        let leaves = lines_of(&bytes).map(leaf).collect();
        let behind = note.is_some_and(|note| note != newest);
        Ok(Self { genesis, keys, entries, checkpoint, note: newest, behind, torn, bytes, leaves })
    }

    /// Every committed line, as bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether its first lines are those of a journal that was read before.
    pub fn goes_on_from(&self, before: &Checkpoint) -> bool {
        let size = usize::try_from(before.size).unwrap_or(usize::MAX);
        Checkpoint::of_lines(lines_of(&self.bytes).take(size)) == *before
    }

    /// What a checkpoint of this journal's key is to it.
    pub fn prefix(&self, older: &Checkpoint) -> Prefix {
        if older.size > self.checkpoint.size {
            return Prefix::Ahead;
        }
        let covered = usize::try_from(self.checkpoint.size).ok().and_then(|size| self.leaves.get(..size));
        let proof = covered.and_then(|leaves| consistency(leaves, older.size));
        match proof {
            Some(proof) if consistent(older, &self.checkpoint, &proof) => Prefix::Proven,
            _ => Prefix::Forked,
        }
    }

    /// The proof that a line stands in the journal, with those of every replaced journal key; `None`
    /// where no checkpoint covers that line.
    pub fn prove(&self, index: u64) -> Option<ProofFile> {
        let entry = self.prove_under(index, self.checkpoint.size, self.note.clone())?;
        let replacement = |size: u64| {
            let own = usize::try_from(size).ok().and_then(|size| self.entries.get(size))?.note()?;
            self.prove_under(size.checked_sub(1)?, size, own)
        };
        let replacements = self.keys.replacements().map(replacement).collect::<Option<_>>()?;
        Some(ProofFile { entry, replacements })
    }

    fn prove_under(&self, index: u64, size: u64, note: String) -> Option<Proof> {
        let covered = usize::try_from(size).ok().and_then(|size| self.leaves.get(..size))?;
        let path = inclusion(covered, index)?;
        let line = lines_of(&self.bytes).nth(usize::try_from(index).ok()?)?.to_vec();
        Some(Proof { line, index, path, note })
    }
}

fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}
