//! Proofs over the journal's tree (RFC 6962 §2.1), and the file in which one travels
//! (c2sp.org/tlog-proof).

use super::checkpoint::SignedNote;
use super::tree::{leaf, node};
use super::{Checkpoint, Digest, Entry, JournalKey, KeyChain, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A proof file's first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves has no longer path.
const LONGEST_PATH: usize = 64;
/// More often no journal's key is replaced in the life of a proof.
const MOST_REPLACEMENTS: usize = 1000;

/// That one line stands in a journal: whoever trusts the journal key needs nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The line without its newline; it is the file's `extra`, and the leaf's hash binds it.
    pub line: Vec<u8>,
    /// The line's index.
    pub index: u64,
    /// Hashes from the leaf's sibling up to the root's child.
    pub path: Vec<Digest>,
    /// The signed checkpoint whose root they lead to.
    pub note: String,
}

/// A proof file: the proof of one line, and for each time that the journal's key was replaced the
/// proof of the line that says so, oldest first. Whoever trusts an older key follows these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The line that is proved.
    pub entry: Proof,
    /// The lines of type `journal.rekeyed`, each under its own group's checkpoint.
    pub replacements: Vec<Proof>,
}

impl ProofFile {
    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = self.entry.render();
        for replacement in &self.replacements {
            text.push('\n');
            text.push_str(&replacement.render());
        }
        text
    }

    /// Reads a file, strictly; nothing in it is checked yet.
    ///
    /// # Errors
    /// A word on what is wrong.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let begin = format!("\n{HEADER}\n");
        let mut starts: Vec<usize> = vec![0];
        // The blank line before a proof ends the checkpoint of the one before.
        starts.extend(text.match_indices(&begin).map(|(at, _)| at + 1).take(MOST_REPLACEMENTS + 1));
        if starts.len() > MOST_REPLACEMENTS + 1 {
            return Err("it has too many proofs");
        }
        let mut proofs = Vec::new();
        for (at, start) in starts.iter().enumerate() {
            let part = match starts.get(at + 1) {
                Some(next) => text.get(*start..next.saturating_sub(1)),
                None => text.get(*start..),
            };
            proofs.push(Proof::read(part.ok_or("it is not written as the format has it")?)?);
        }
        let entry = proofs.remove(0);
        let file = Self { entry, replacements: proofs };
        if file.render() == text { Ok(file) } else { Err("it is not written as the format has it") }
    }

    /// Follows the journal's keys from the one that is trusted, and checks that the path leads from
    /// the line to a root that the last of them signed.
    ///
    /// # Errors
    /// A word on what does not hold.
    pub fn verify(&self, store_id: &str, trusted: &JournalKey) -> Result<Checkpoint, &'static str> {
        let mut chain = KeyChain::new(store_id, *trusted);
        let mut made_before = None;
        for replacement in &self.replacements {
            let next = replacement.next_key().ok_or("a proof in it is of no replaced journal key")?;
            match chain.follow(&replacement.note, Some(next)) {
                Ok(checkpoint) if replacement.leads_to(&checkpoint) => {}
                Ok(_) => return Err("the path of a replaced journal key does not lead to its checkpoint"),
                // Replaced before the trusted key was made: that key stands in the newer one's place.
                Err(_) if next == *trusted => made_before = Some(&replacement.note),
                Err(_) => {}
            }
        }
        let signed = SignedNote::read(&self.entry.note, store_id)?;
        let checkpoint = match chain.verify(&self.entry.note) {
            Ok(by) if by.in_its_time => by.checkpoint,
            Ok(_) => return Err("its checkpoint is signed by a journal key that was replaced before"),
            // The very checkpoint with which the trusted key was put in force.
            Err(_) if made_before == Some(&self.entry.note) && signed.has_valid(trusted) => signed.checkpoint,
            Err(what) => return Err(what),
        };
        if self.entry.leads_to(&checkpoint) {
            Ok(checkpoint)
        } else {
            Err("its path does not lead from the entry to the checkpoint's root")
        }
    }
}

impl Proof {
    /// The file's text.
    pub fn render(&self) -> String {
        let path: String = self.path.iter().map(|hash| format!("{}\n", STANDARD.encode(hash))).collect();
        let line = STANDARD.encode(&self.line);
        format!("{HEADER}\nextra {line}\nindex {}\n{path}\n{}", self.index, self.note)
    }

    /// Reads a file, strictly; nothing in it is checked yet.
    ///
    /// # Errors
    /// A word on what is wrong.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (head, note) = text.split_once("\n\n").ok_or("it has no checkpoint")?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err("it does not begin as a c2sp.org/tlog-proof@v1");
        }
        let line = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or("it does not hold the entry")?;
        let line = STANDARD.decode(line).map_err(|_| "its entry is not base64")?;
        let digits = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or("it has no index")?;
        let index: u64 = digits.parse().map_err(|_| "its index is no number")?;
        let path: Option<Vec<Digest>> =
            lines.map(|hash| STANDARD.decode(hash).ok().and_then(|bytes| bytes.try_into().ok())).collect();
        let path = path.filter(|path| path.len() <= LONGEST_PATH).ok_or("its path is not made of digests")?;
        let proof = Self { line, index, path, note: note.to_owned() };
        if proof.render() == text { Ok(proof) } else { Err("it is not written as the format has it") }
    }

    fn leads_to(&self, checkpoint: &Checkpoint) -> bool {
        includes(checkpoint, self.index, &leaf(&self.line), &self.path)
    }

    /// The key that the line puts in force, where it does so under the checkpoint of its own group.
    fn next_key(&self) -> Option<JournalKey> {
        Entry::read(&self.line).ok()?.0.next_key().ok()?
    }
}

/// RFC 6962 §2.1.1: the path of a leaf in the tree over `leaves`; `None` where there is no such leaf.
pub fn inclusion(leaves: &[Digest], index: u64) -> Option<Vec<Digest>> {
    let index = usize::try_from(index).ok().filter(|index| *index < leaves.len())?;
    let mut path = Vec::new();
    path_to(leaves, index, &mut path);
    Some(path)
}

/// RFC 9162 §2.1.3.2: whether the path leads from the leaf to the checkpoint's root.
pub fn includes(checkpoint: &Checkpoint, index: u64, leaf: &Digest, path: &[Digest]) -> bool {
    if index >= checkpoint.size {
        return false;
    }
    let mut place = Place { ours: index, last: checkpoint.size - 1 };
    let mut head = *leaf;
    for hash in path {
        if place.last == 0 {
            return false;
        }
        if place.is_right() {
            head = node(hash, &head);
            place.skip_to_right_child();
        } else {
            head = node(&head, hash);
        }
        place.up();
    }
    place.last == 0 && head == checkpoint.root
}

/// RFC 6962 §2.1.2: that the first `size` leaves are where they were when there were no more;
/// `None` where there are fewer.
pub fn consistency(leaves: &[Digest], size: u64) -> Option<Vec<Digest>> {
    let size = usize::try_from(size).ok().filter(|size| (1..=leaves.len()).contains(size))?;
    let mut proof = Vec::new();
    prefix_of(leaves, size, true, &mut proof);
    Some(proof)
}

/// RFC 9162 §2.1.4.2: whether the older checkpoint's lines are the first of the newer's.
pub fn consistent(older: &Checkpoint, newer: &Checkpoint, proof: &[Digest]) -> bool {
    if older.size == 0 || older.size > newer.size {
        return false;
    }
    if older.size == newer.size {
        return proof.is_empty() && older.root == newer.root;
    }
    let mut place = Place { ours: older.size - 1, last: newer.size - 1 };
    while place.ours & 1 == 1 {
        place.up();
    }
    // A full older tree is a node of the newer one; its root is not repeated in the proof.
    let full = older.size.is_power_of_two();
    let Some((start, rest)) = (if full { Some((&older.root, proof)) } else { proof.split_first() }) else {
        return false;
    };
    let (mut old, mut new) = (*start, *start);
    for hash in rest {
        if place.last == 0 {
            return false;
        }
        if place.is_right() {
            old = node(hash, &old);
            new = node(hash, &new);
            place.skip_to_right_child();
        } else {
            new = node(&new, hash);
        }
        place.up();
    }
    place.last == 0 && old == older.root && new == newer.root
}

/// Where a walk up the tree stands: our node's index in its level, and the level's last.
struct Place {
    ours: u64,
    last: u64,
}

impl Place {
    fn up(&mut self) {
        self.ours >>= 1;
        self.last >>= 1;
    }

    /// Whether the sibling is on the left: ours is a right child, or the level's last.
    fn is_right(&self) -> bool {
        self.ours & 1 == 1 || self.ours == self.last
    }

    /// A last node without a sibling is its own parent, until it is a right child.
    fn skip_to_right_child(&mut self) {
        while self.ours & 1 == 0 && self.ours != 0 {
            self.up();
        }
    }
}

fn path_to(leaves: &[Digest], index: usize, path: &mut Vec<Digest>) {
    let Some((left, right)) = halves(leaves) else { return };
    match index.checked_sub(left.len()) {
        None => {
            path_to(left, index, path);
            path.push(head(right));
        }
        Some(index) => {
            path_to(right, index, path);
            path.push(head(left));
        }
    }
}

fn prefix_of(leaves: &[Digest], size: usize, whole: bool, proof: &mut Vec<Digest>) {
    let Some((left, right)) = halves(leaves).filter(|_| size < leaves.len()) else {
        if !whole {
            proof.push(head(leaves));
        }
        return;
    };
    match size.checked_sub(left.len()) {
        None | Some(0) => {
            prefix_of(left, size, whole, proof);
            proof.push(head(right));
        }
        Some(size) => {
            prefix_of(right, size, false, proof);
            proof.push(head(left));
        }
    }
}

/// The head of the tree over some leaves.
pub(super) fn head(leaves: &[Digest]) -> Digest {
    match (halves(leaves), leaves.first()) {
        (Some((left, right)), _) => node(&head(left), &head(right)),
        (None, Some(leaf)) => *leaf,
        (None, None) => sha256(&[]),
    }
}

/// Two or more leaves, split at the largest power of two that leaves any on the right.
fn halves(leaves: &[Digest]) -> Option<(&[Digest], &[Digest])> {
    if leaves.len() < 2 { None } else { leaves.split_at_checked(leaves.len().next_power_of_two() / 2) }
}

#[cfg(test)]
mod tests;
