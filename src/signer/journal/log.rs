//! The journal as a file: opening, and the commit protocol.

use super::entry::{Committed, Truncated, correct_times};
use super::scan::{LONGEST_LINE, Scan, SignedBy, damaged, gone, read_genesis, read_line};
use super::{Checkpoint, Digest, Entry, Event, JournalFault, Line, SignNote, StoreCreated, Tree, hex, sha256};
use crate::storage::Directory;

pub(super) const ENTRIES: &str = "journal/entries.jsonl";
pub(super) const CHECKPOINT: &str = "journal/checkpoint";
/// Far beyond a signer's life: ten million tokens are 4 GiB.
pub(super) const LARGEST: u64 = 8 << 30;

/// A store's journal, read and checked.
pub struct Journal {
    store: Directory,
    genesis: StoreCreated,
    genesis_hash: Digest,
    key: [u8; 32],
    entries: Vec<Entry>,
    tree: Tree,
    last: Digest,
    committed_bytes: u64,
    note: String,
    torn: Vec<u8>,
    behind: bool,
}

/// The first line of a new store's journal, and its SHA-256.
pub fn genesis_line(created: &StoreCreated, now: u64, by: &str) -> (String, Digest) {
    let line = created.line().render(0, &[0; 32], now, by);
    let digest = sha256(line.as_bytes());
    (line, digest)
}

/// Writes a new journal: the genesis line, the given events, one signed checkpoint.
///
/// # Errors
/// As the system refuses, or the signer.
pub fn start(
    store: &Directory,
    created: &StoreCreated,
    events: &[Line],
    signer: &dyn SignNote,
    now: u64,
    by: &str,
) -> Result<Journal, JournalFault> {
    let (line, digest) = genesis_line(created, now, by);
    let mut tree = Tree::default();
    tree.push(line.as_bytes());
    let (entry, _) = read_line(line.as_bytes(), 1)?;
    store.below("journal")?;
    let mut journal = Journal {
        store: store.clone(),
        genesis: created.clone(),
        genesis_hash: digest,
        key: signer.public_key(),
        entries: vec![entry],
        tree,
        last: digest,
        committed_bytes: 0,
        note: String::new(),
        torn: Vec::new(),
        behind: false,
    };
    // A store that has no checkpoint yet has not begun: nothing of it counts.
    journal.write(format!("{line}\n"), events, signer, now, by).map_err(|fault| match fault {
        JournalFault::Unfinished(fault) => JournalFault::Storage(fault),
        other => other,
    })?;
    Ok(journal)
}

impl Journal {
    /// Reads and checks the journal of a store. Changes nothing.
    ///
    /// The journal key is taken from the first line: until the seal has confirmed it
    /// ([`Journal::key`], [`Journal::genesis_hash`]) it is not authenticated.
    ///
    /// # Errors
    /// [`JournalFault::Damaged`] or [`JournalFault::Short`] where something acknowledged does not
    /// hold; [`JournalFault::Version`] for a newer format.
    pub fn open(store: &Directory) -> Result<Self, JournalFault> {
        // In this order: an act beside this reading appends first and replaces the checkpoint then.
        let note = store.read_text(CHECKPOINT, 4096).map_err(|fault| gone("checkpoint", fault))?;
        let bytes = store.read(ENTRIES, LARGEST).map_err(|fault| gone("entries.jsonl", fault))?;
        let (genesis, genesis_hash, key) = read_genesis(&bytes)?;
        let promised = Checkpoint::verify(&note, &genesis.store_id, &key).map_err(|what| damaged(1, what))?;
        let signed = SignedBy { store_id: &genesis.store_id, key: &key };
        let scan = Scan::beyond(&promised, &bytes, &signed)?;
        let found = scan.committed.as_ref().map_or(0, |end| end.lines);
        let Some(end) = scan.committed.filter(|end| end.lines > promised.size) else {
            return Err(JournalFault::Short { found, promised: promised.size + 1 });
        };
        let mut entries = scan.entries;
        entries.truncate(usize::try_from(end.lines).unwrap_or(usize::MAX));
        correct_times(&mut entries)?;
        let at_promise =
            usize::try_from(promised.size).ok().and_then(|at| entries.get(at)).map(Entry::event::<Committed>);
        match at_promise {
            Some(Ok(Some(committed))) if committed.note == note => {}
            _ => return Err(damaged(1, "the journal has another one in its place")),
        }
        let newest = match entries.last().map(Entry::event::<Committed>) {
            Some(Ok(Some(committed))) => committed.note,
            _ => note.clone(),
        };
        let committed = usize::try_from(end.bytes).unwrap_or(usize::MAX);
        Ok(Self {
            store: store.clone(),
            genesis,
            genesis_hash,
            key,
            entries,
            tree: end.tree,
            last: end.last,
            committed_bytes: end.bytes,
            torn: bytes.get(committed..).unwrap_or_default().to_vec(),
            behind: newest != note,
            note: newest,
        })
    }

    /// What the first line says.
    pub fn genesis(&self) -> &StoreCreated {
        &self.genesis
    }

    /// SHA-256 of the first line.
    pub fn genesis_hash(&self) -> Digest {
        self.genesis_hash
    }

    /// The journal key of the first line, as its 32 bytes.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Every committed entry, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether an entry of a key event names this kid.
    pub fn mentions(&self, kid: &str) -> bool {
        self.entries.iter().rev().any(|entry| entry.body().get("kid").is_some_and(|named| named == kid))
    }

    /// The newest signed checkpoint.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The newest time in it, in seconds; times that were corrected since don't count.
    pub fn newest_time(&self) -> u64 {
        self.entries.iter().map(|entry| entry.time).max().unwrap_or(0)
    }

    /// The bytes of all committed lines, read anew.
    ///
    /// # Errors
    /// As the system refuses; [`JournalFault::Short`] where the file was cut meanwhile.
    pub fn committed(&self) -> Result<Vec<u8>, JournalFault> {
        let mut bytes = self.store.read(ENTRIES, LARGEST)?;
        let committed = usize::try_from(self.committed_bytes).unwrap_or(usize::MAX);
        if bytes.len() < committed {
            let found = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            return Err(JournalFault::Short { found, promised: self.tree.size() });
        }
        bytes.truncate(committed);
        Ok(bytes)
    }

    /// How many committed lines there are, and the head of the tree over them.
    pub fn extent(&self) -> Checkpoint {
        Checkpoint::of(&self.tree)
    }

    /// The head of the tree over the first `size` lines; `None` where there are fewer.
    ///
    /// # Errors
    /// As [`Journal::committed`].
    pub fn root_of_first(&self, size: u64) -> Result<Option<Digest>, JournalFault> {
        if size > self.tree.size() {
            return Ok(None);
        }
        let mut tree = Tree::default();
        for line in self.committed()?.split(|byte| *byte == b'\n').take(usize::try_from(size).unwrap_or(usize::MAX)) {
            tree.push(line);
        }
        Ok(Some(tree.root()))
    }

    /// The head of the tree if one further event had followed.
    pub fn root_with(&self, event: &Line, time: u64, by: &str) -> Digest {
        let mut tree = self.tree.clone();
        tree.push(event.render(tree.size(), &self.last, time, by).as_bytes());
        tree.root()
    }

    /// How many bytes of an act that was never acknowledged lie beyond its end.
    pub fn torn_bytes(&self) -> usize {
        self.torn.len()
    }

    /// Records events: durable, with a signed checkpoint over them, when this returns. No events, no
    /// group.
    ///
    /// # Errors
    /// [`JournalFault::Unfinished`] where the group is durable and only the checkpoint file could not
    /// be replaced: it counts, and rolls forward. On any other nothing counts as recorded.
    pub fn commit(
        &mut self,
        events: &[Line],
        signer: &dyn SignNote,
        now: u64,
        by: &str,
    ) -> Result<&[Entry], JournalFault> {
        // A checkpoint over nothing new is no group: readers take it for damage.
        if events.is_empty() {
            return Ok(&[]);
        }
        let before = self.entries.len();
        let mut lines = Vec::with_capacity(events.len() + 1);
        if !self.torn.is_empty() {
            lines.push(Truncated { bytes: self.torn.len() as u64, sha256: hex(&sha256(&self.torn)) }.line());
        }
        lines.extend_from_slice(events);
        self.write(String::new(), &lines, signer, now, by)?;
        Ok(self.entries.get(before..).unwrap_or_default())
    }

    /// Makes `journal/checkpoint` agree with the journal, after a crash between the two.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn roll_forward(&mut self) -> Result<(), JournalFault> {
        if self.behind {
            // Whoever appended may have ended before synchronising.
            self.store.sync_file(ENTRIES)?;
            self.acknowledge()?;
        }
        Ok(())
    }

    fn acknowledge(&mut self) -> Result<(), JournalFault> {
        self.store.replace_file(CHECKPOINT, self.note.as_bytes())?;
        self.behind = false;
        Ok(())
    }

    fn write(
        &mut self,
        mut text: String,
        events: &[Line],
        signer: &dyn SignNote,
        now: u64,
        by: &str,
    ) -> Result<(), JournalFault> {
        let mut tree = self.tree.clone();
        let mut last = self.last;
        let mut entries = Vec::with_capacity(events.len() + 1);
        let mut add = |line: &Line, tree: &mut Tree| -> Result<(), JournalFault> {
            if let Some(fault) = &line.fault {
                return Err(JournalFault::Unreadable(fault.clone()));
            }
            let line = line.render(tree.size(), &last, now, by);
            if line.len() > LONGEST_LINE {
                return Err(JournalFault::TooLong(line.len()));
            }
            let (entry, _) = Entry::read(line.as_bytes()).map_err(JournalFault::Unreadable)?;
            entries.push(entry);
            tree.push(line.as_bytes());
            last = sha256(line.as_bytes());
            text.push_str(&line);
            text.push('\n');
            Ok(())
        };
        for event in events {
            add(event, &mut tree)?;
        }
        let note = Checkpoint::of(&tree).sign(&self.genesis.store_id, signer)?;
        add(&Committed { note: note.clone() }.line(), &mut tree)?;
        self.store.append(ENTRIES, self.committed_bytes, text.as_bytes()).map_err(JournalFault::NotRecorded)?;
        // From here on the group is recorded, whatever becomes of the checkpoint file.
        self.committed_bytes += text.len() as u64;
        self.tree = tree;
        self.last = last;
        self.entries.extend(entries);
        self.torn.clear();
        self.note = note;
        self.behind = true;
        self.acknowledge().map_err(|fault| match fault {
            JournalFault::Storage(fault) => JournalFault::Unfinished(fault),
            other => other,
        })
    }
}
