//! The journal as a file: opening, and the commit protocol.

use super::entry::{Committed, Truncated, correct_times};
use super::{Checkpoint, Digest, Entry, Event, JournalFault, Line, SignNote, StoreCreated, Tree, hex, sha256};
use crate::storage::{Directory, StorageFault};
use coldsign_verify::base64url;

pub(super) const ENTRIES: &str = "journal/entries.jsonl";
pub(super) const CHECKPOINT: &str = "journal/checkpoint";
/// Far beyond a signer's life: ten million tokens are 4 GiB.
pub(super) const LARGEST: u64 = 8 << 30;
const LONGEST_LINE: usize = 1 << 20;

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
    journal.write(format!("{line}\n"), events, signer, now, by)?;
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
        // Signatures below the promised line are covered by the one on it: its root is over them.
        let scan = Scan::of(&bytes, &signed, promised.size, promised.size)?;
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

    /// Records events: durable, with a signed checkpoint over them, when this returns.
    ///
    /// # Errors
    /// Where it fails nothing counts as recorded. (After a failure to replace the checkpoint file
    /// the group is durable all the same, and rolls forward.)
    pub fn commit(
        &mut self,
        events: &[Line],
        signer: &dyn SignNote,
        now: u64,
        by: &str,
    ) -> Result<&[Entry], JournalFault> {
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
            let line = line.render(tree.size(), &last, now, by);
            if line.len() > LONGEST_LINE {
                return Err(JournalFault::TooLong(line.len()));
            }
            let (entry, _) = read_line(line.as_bytes(), tree.size() + 1)?;
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
        self.acknowledge()
    }
}

/// Where a committed group ends.
#[derive(Clone)]
pub(super) struct End {
    pub lines: u64,
    pub bytes: u64,
    pub tree: Tree,
    last: Digest,
}

/// Whose signature checkpoints must carry.
pub(super) struct SignedBy<'a> {
    pub store_id: &'a str,
    pub key: &'a [u8; 32],
}

pub(super) struct Scan {
    pub entries: Vec<Entry>,
    pub committed: Option<End>,
}

impl Scan {
    /// Reads line by line up to the first that doesn't hold. One at or before the `promised` line
    /// is damage; one beyond it begins the torn tail. Checkpoints before the line `signatures_from`
    /// are not held against their signatures.
    pub fn of(bytes: &[u8], signed: &SignedBy<'_>, promised: u64, signatures_from: u64) -> Result<Self, JournalFault> {
        let mut scan = Self { entries: Vec::new(), committed: None };
        let mut tree = Tree::default();
        let mut last = [0; 32];
        let mut at: u64 = 0;
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, beyond) = rest.split_at(end);
            let number = tree.size() + 1;
            let read = scan.line(line, &tree, &last, signed, signatures_from);
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
                scan.committed = Some(End { lines: tree.size(), bytes: at, tree: tree.clone(), last });
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
        signed: &SignedBy<'_>,
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
        if entry.kind == StoreCreated::TYPE && entry.index != 0 {
            return Err("a second beginning".to_owned());
        }
        let committed = entry.event::<Committed>().map_err(|fault| fault.to_string())?;
        let Some(committed) = committed else {
            return Ok((entry, false));
        };
        // No signature covers the newest checkpoint line itself: it may say nothing of its own.
        let own = self.entries.last().map(|before| committed.line().render(entry.index, last, before.time, &before.by));
        if own.is_none_or(|own| own.as_bytes() != line) {
            return Err("it is not the one checkpoint line its group can have".to_owned());
        }
        if entry.index >= signatures_from {
            let checkpoint = Checkpoint::verify(&committed.note, signed.store_id, signed.key)?;
            if checkpoint != Checkpoint::of(tree) {
                return Err("its checkpoint is not that of the lines before it".to_owned());
            }
        }
        Ok((entry, true))
    }
}

pub(super) fn read_genesis(bytes: &[u8]) -> Result<(StoreCreated, Digest, [u8; 32]), JournalFault> {
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
    let key = base64url::decode(&genesis.journal_key)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| damaged("its journal key is no Ed25519 key"))?;
    Ok((genesis, sha256(line), key))
}

fn read_line(line: &[u8], number: u64) -> Result<(Entry, String), JournalFault> {
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
