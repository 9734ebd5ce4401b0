//! The journal as a file: opening, and the commit protocol.

use super::checkpoint::SignedNote;
use super::entry::{Committed, Truncated, correct_times};
use super::scan::{LONGEST_LINE, Scan, damaged, gone, read_genesis, read_line};
use super::{
    Checkpoint, Digest, Entry, Event, JournalFault, JournalKey, JournalRekeyed, KeyChain, Line, SignNote, StoreCreated,
    Tree, hex, sha256,
};
use crate::storage::{Directory, Ending, Lock, StorageFault};
use coldsign_verify::base64url;

pub(super) const ENTRIES: &str = "journal/entries.jsonl";
pub(super) const CHECKPOINT: &str = "journal/checkpoint";
/// Far beyond a signer's life: ten million tokens are 4 GiB.
pub(super) const LARGEST: u64 = 8 << 30;

/// A store's journal, read and checked.
pub struct Journal {
    store: Directory,
    genesis: StoreCreated,
    genesis_hash: Digest,
    chain: KeyChain,
    entries: Vec<Entry>,
    tree: Tree,
    last: Digest,
    committed_bytes: u64,
    /// The last committed line: what is appended to must still end so.
    last_line: Vec<u8>,
    note: String,
    torn: Vec<u8>,
    behind: bool,
}

/// Who signs a group's checkpoint.
struct Signers<'a> {
    present: &'a dyn SignNote,
    /// The journal's next key, where this group puts it in force.
    next: Option<&'a dyn SignNote>,
}

impl<'a> Signers<'a> {
    fn one(present: &'a dyn SignNote) -> Self {
        Self { present, next: None }
    }

    fn all(&self) -> Vec<&'a dyn SignNote> {
        std::iter::once(self.present).chain(self.next).collect()
    }
}

/// Takes the lock of a store, on its journal itself: who holds it reads and appends to that file.
///
/// # Errors
/// [`StorageFault::Busy`] where another act still holds it after three seconds.
pub fn hold(store: &Directory) -> Result<Lock, StorageFault> {
    Lock::take(store, ENTRIES)
}

/// The last line of whole ones, with its newline.
fn last_line(lines: &[u8]) -> Vec<u8> {
    let before = lines.iter().rev().skip(1).position(|byte| *byte == b'\n');
    let start = before.map_or(0, |at| lines.len().saturating_sub(at + 1));
    lines.get(start..).unwrap_or_default().to_vec()
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
    store.begin_file(ENTRIES)?;
    let mut journal = Journal {
        store: store.holding(&hold(store)?),
        genesis: created.clone(),
        genesis_hash: digest,
        chain: KeyChain::new(&created.store_id, signer.public_key()),
        entries: vec![entry],
        tree,
        last: digest,
        committed_bytes: 0,
        last_line: Vec::new(),
        note: String::new(),
        torn: Vec::new(),
        behind: false,
    };
    // A store that has no checkpoint yet has not begun: nothing of it counts.
    journal.write(format!("{line}\n"), events, &Signers::one(signer), now, by).map_err(|fault| match fault {
        JournalFault::Unfinished(fault) => JournalFault::Storage(fault),
        other => other,
    })?;
    Ok(journal)
}

impl Journal {
    /// Reads and checks the journal of a store. Changes nothing.
    ///
    /// The keys are followed from the one that the first line names: until an unlock's own file has
    /// vouched for one of them ([`Journal::keys`]), nothing in it is authenticated.
    ///
    /// # Errors
    /// [`JournalFault::Damaged`] or [`JournalFault::Short`] where something acknowledged does not
    /// hold; [`JournalFault::Version`] for a newer format.
    pub fn open(store: &Directory) -> Result<Self, JournalFault> {
        // In this order: an act beside this reading appends first and replaces the checkpoint then.
        let note = store.read_text(CHECKPOINT, 4096).map_err(|fault| gone("checkpoint", fault))?;
        let bytes = store.read(ENTRIES, LARGEST).map_err(|fault| gone("entries.jsonl", fault))?;
        let (genesis, genesis_hash, chain) = read_genesis(&bytes)?;
        // Its signature is checked at its own line, where the keys that lead there are known.
        let promised = SignedNote::read(&note, &genesis.store_id).map_err(|what| damaged(1, what))?.checkpoint;
        let scan = Scan::beyond(&promised, &bytes, chain)?;
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
            chain: end.chain,
            entries,
            tree: end.tree,
            last: end.last,
            committed_bytes: end.bytes,
            last_line: last_line(bytes.get(..committed).unwrap_or_default()),
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

    /// The key that signs its checkpoints now.
    pub fn key(&self) -> JournalKey {
        self.chain.newest()
    }

    /// Every key it has had.
    pub fn keys(&self) -> &KeyChain {
        &self.chain
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

    /// The bytes of all committed lines, read anew, and the same as when they were checked.
    ///
    /// # Errors
    /// As the system refuses; [`JournalFault::Short`] where the file was cut meanwhile,
    /// [`JournalFault::Exchanged`] where it has other lines.
    pub fn committed(&self) -> Result<Vec<u8>, JournalFault> {
        self.read_anew(0).map(|(bytes, _)| bytes)
    }

    /// As [`Journal::committed`], with the head of the tree over the first `size` lines.
    fn read_anew(&self, size: u64) -> Result<(Vec<u8>, Digest), JournalFault> {
        let mut bytes = self.store.read(ENTRIES, LARGEST)?;
        let committed = usize::try_from(self.committed_bytes).unwrap_or(usize::MAX);
        if bytes.len() < committed {
            let found = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            return Err(JournalFault::Short { found, promised: self.tree.size() });
        }
        bytes.truncate(committed);
        let (mut tree, mut first) = (Tree::default(), Tree::default().root());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            tree.push(line.strip_suffix(b"\n").unwrap_or(line));
            if tree.size() == size {
                first = tree.root();
            }
        }
        if Checkpoint::of(&tree) != self.extent() {
            let path = self.store.path().join(ENTRIES);
            return Err(JournalFault::Exchanged(StorageFault::Exchanged(path)));
        }
        Ok((bytes, first))
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
        self.read_anew(size).map(|(_, root)| Some(root))
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
        // Never write an empty group: readers report it as damage.
        if events.is_empty() {
            return Ok(&[]);
        }
        self.commit_signed(events, &Signers::one(signer), now, by)
    }

    /// Records events, and that the journal's key is `next` from now on: both keys sign this group,
    /// later ones only the next.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn commit_rekeyed(
        &mut self,
        events: &[Line],
        signer: &dyn SignNote,
        next: &dyn SignNote,
        now: u64,
        by: &str,
    ) -> Result<&[Entry], JournalFault> {
        let mut lines = events.to_vec();
        lines.push(JournalRekeyed { journal_key: base64url::encode(&next.public_key()) }.line());
        self.commit_signed(&lines, &Signers { present: signer, next: Some(next) }, now, by)
    }

    fn commit_signed(
        &mut self,
        events: &[Line],
        signers: &Signers<'_>,
        now: u64,
        by: &str,
    ) -> Result<&[Entry], JournalFault> {
        let before = self.entries.len();
        let mut lines = Vec::with_capacity(events.len() + 1);
        if !self.torn.is_empty() {
            lines.push(Truncated { bytes: self.torn.len() as u64, sha256: hex(&sha256(&self.torn)) }.line());
        }
        lines.extend_from_slice(events);
        self.write(String::new(), &lines, signers, now, by)?;
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

    /// As somebody else's program would go on: with another key as the journal's.
    #[cfg(test)]
    pub(super) fn under_another_key(&mut self, key: JournalKey) {
        self.chain = KeyChain::new(&self.genesis.store_id, key);
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
        signers: &Signers<'_>,
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
        let note = Checkpoint::of(&tree).sign_by(&self.genesis.store_id, &signers.all())?;
        // What no reader would follow is never written.
        let mut chain = self.chain.clone();
        let next = signers.next.map(SignNote::public_key);
        chain.follow(&note, next).map_err(|what| JournalFault::Unreadable(what.to_owned()))?;
        add(&Committed { note: note.clone() }.line(), &mut tree)?;
        let ending = Ending { keep: self.committed_bytes, last: &self.last_line, torn: &self.torn };
        self.store.append(ENTRIES, &ending, text.as_bytes()).map_err(|fault| match fault {
            exchanged @ StorageFault::Exchanged(_) => JournalFault::Exchanged(exchanged),
            other => JournalFault::NotRecorded(other),
        })?;
        // From here on the group is recorded, whatever becomes of the checkpoint file.
        self.committed_bytes += text.len() as u64;
        self.tree = tree;
        self.last = last;
        self.chain = chain;
        self.entries.extend(entries);
        self.torn.clear();
        self.last_line = last_line(text.as_bytes());
        self.note = note;
        self.behind = true;
        self.acknowledge().map_err(|fault| match fault {
            JournalFault::Storage(fault) => JournalFault::Unfinished(fault),
            other => other,
        })?;
        // Before success is told: the name still leads to what was appended to.
        let ending = Ending { keep: self.committed_bytes, last: &self.last_line, torn: &[] };
        self.store.check_ending(ENTRIES, &ending).map_err(JournalFault::Exchanged)
    }
}
