//! The lines that a checkpoint's signature covers.
//!
//! The journal key signs a root only over lines that a strict reader takes. Bytes that have the
//! signed root are those lines: they need not be judged again, only taken apart.

use super::entry::{Body, Entry};
use super::names::{is_kind, is_unlock};
use super::scan::LONGEST_LINE;
use super::{Checkpoint, Digest, Event, JournalRekeyed, KeyChain, StoreCreated, Tree, sha256};
use coldsign_verify::json::LARGEST_INTEGER;
use std::ops::Range;
use std::sync::Arc;

/// Members of so many bytes share one text.
const BLOCK: usize = 256 << 10;

/// No line of the type `journal.rekeyed` is longer, in bytes.
const LONGEST_REKEYED: usize = 512;

/// A journal's first lines.
#[derive(Default)]
pub(super) struct Covered {
    pub entries: Vec<Entry>,
    pub tree: Tree,
    /// SHA-256 of the last of them.
    pub last: Digest,
    /// How long they are together.
    pub bytes: usize,
    /// The keys that they name, from the first line's on.
    pub chain: Option<KeyChain>,
}

impl Covered {
    /// `None` where the lines don't have the checkpoint's root, or not the shape that the journal
    /// writes, or name keys that have not signed. `chain` begins with the first line's key.
    pub fn read(bytes: &[u8], checkpoint: &Checkpoint, chain: KeyChain) -> Option<Self> {
        if checkpoint.size == 0 {
            return None;
        }
        let mut tree = Tree::default();
        let (mut rest, mut last): (&[u8], &[u8]) = (bytes, &[]);
        let mut rekeyed = Vec::new();
        while tree.size() < checkpoint.size {
            (last, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'\n')?)?;
            rest = rest.get(1..)?;
            tree.push(last);
            if names_key(last) {
                rekeyed.push(Checkpoint::of(&tree));
            }
        }
        if tree.root() != checkpoint.root {
            return None;
        }
        let length = bytes.len() - rest.len();
        let entries = entries(std::str::from_utf8(bytes.get(..length)?).ok()?)?;
        let chain = follow(&entries, &rekeyed, chain)?;
        Some(Self { entries, tree, last: sha256(last), bytes: length, chain: Some(chain) })
    }
}

/// Whether a line is of the type `journal.rekeyed`.
fn names_key(line: &[u8]) -> bool {
    line.len() < LONGEST_REKEYED
        && std::str::from_utf8(line)
            .ok()
            .and_then(Envelope::of)
            .is_some_and(|envelope| envelope.kind == JournalRekeyed::TYPE)
}

/// Follows the journal's keys: each group that names one must be signed by it and by the one before.
/// Where the last of these lines names one, the line after them has the signatures.
fn follow(entries: &[Entry], rekeyed: &[Checkpoint], mut chain: KeyChain) -> Option<KeyChain> {
    for at in rekeyed {
        let size = usize::try_from(at.size).ok()?;
        let Some(committed) = entries.get(size) else { break };
        let next = entries.get(size.checked_sub(1)?)?.next_key().ok()??;
        if chain.follow(&committed.note()?, Some(next)).ok()? != *at {
            return None;
        }
    }
    Some(chain)
}

fn entries(text: &str) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    let (mut unlocks, mut kinds) = (Names::default(), Names::default());
    let mut lines = text.split_terminator('\n').peekable();
    while lines.peek().is_some() {
        let mut block = String::with_capacity(text.len().min(BLOCK + (BLOCK >> 3)));
        let mut envelopes: Vec<(Envelope<'_>, Range<usize>)> = Vec::new();
        while block.len() < BLOCK
            && let Some(line) = lines.next()
        {
            let envelope = Envelope::of(line)?;
            let begin = block.len();
            block.push('{');
            block.push_str(envelope.members);
            let range = begin..block.len();
            envelopes.push((envelope, range));
        }
        let text = Arc::new(block);
        for (envelope, range) in envelopes {
            let index = entries.len() as u64;
            if envelope.index != index || (index > 0 && envelope.kind == StoreCreated::TYPE) {
                return None;
            }
            let by = unlocks.known(envelope.by, is_unlock)?;
            let kind = kinds.known(envelope.kind, is_kind)?;
            let body = Body { text: Arc::clone(&text), range };
            entries.push(Entry::of(index, envelope.time, by, kind, body));
        }
    }
    Some(entries)
}

/// A line taken apart at the places where the journal writes its members.
struct Envelope<'a> {
    index: u64,
    time: u64,
    by: &'a str,
    kind: &'a str,
    /// The further members and the closing brace.
    members: &'a str,
}

impl<'a> Envelope<'a> {
    fn of(line: &'a str) -> Option<Self> {
        if line.len() > LONGEST_LINE {
            return None;
        }
        let (index, rest) = number(line.strip_prefix("{\"index\":")?)?;
        let (_, rest) = plain(rest.strip_prefix(",\"prev\":")?)?;
        let (time, rest) = number(rest.strip_prefix(",\"time\":")?)?;
        let (by, rest) = plain(rest.strip_prefix(",\"by\":")?)?;
        let (kind, rest) = plain(rest.strip_prefix(",\"type\":")?)?;
        let members = rest.strip_prefix(',').or_else(|| (rest == "}").then_some(rest))?;
        Some(Self { index, time, by, kind, members })
    }
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok().filter(|number| *number <= LARGEST_INTEGER)?, rest))
}

/// A string that stands for itself: no escapes in it.
fn plain(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let end = text.bytes().position(|byte| byte == b'"' || byte == b'\\')?;
    let (plain, rest) = text.split_at_checked(end)?;
    Some((plain, rest.strip_prefix('"')?))
}

/// The few names that stand in all lines.
#[derive(Default)]
struct Names(Vec<Arc<str>>);

impl Names {
    /// `None` where it is no such name: another reader says so, with its line.
    fn known(&mut self, name: &str, rule: fn(&str) -> bool) -> Option<Arc<str>> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Some(Arc::clone(known));
        }
        if !rule(name) {
            return None;
        }
        let new: Arc<str> = name.into();
        // A journal of other people's making may have as many as lines.
        if self.0.len() < 64 {
            self.0.push(Arc::clone(&new));
        }
        Some(new)
    }
}
