//! The journal's keys, one after the other.
//!
//! A journal begins with the key of its first line. A group that ends in a `journal.rekeyed` entry is
//! signed by the key before it and by the key that it names; every later group by the new key alone.
//! So whoever trusts one key of the chain can follow it to the newest, and to no other.

use super::checkpoint::SignedNote;
use super::{Checkpoint, JournalFault};
use coldsign_verify::base64url;

/// A journal key as its 32 bytes.
pub type JournalKey = [u8; 32];

/// The keys of a journal, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChain {
    store_id: String,
    links: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    key: JournalKey,
    /// Size of the checkpoint that both this key and the one before signed; 0 for the first key.
    from: u64,
}

/// A checkpoint and which key of the chain signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByChain {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Whether that key was the one to sign at that size. A key that was replaced can still sign:
    /// somebody may know it.
    pub in_its_time: bool,
}

impl KeyChain {
    /// The chain of a journal that has had one key.
    pub fn new(store_id: &str, first: JournalKey) -> Self {
        Self { store_id: store_id.to_owned(), links: vec![Link { key: first, from: 0 }] }
    }

    /// The store whose checkpoints these keys sign.
    pub fn store_id(&self) -> &str {
        &self.store_id
    }

    /// The key that signs now.
    pub fn newest(&self) -> JournalKey {
        self.links.last().map_or([0; 32], |link| link.key)
    }

    /// Every key, oldest first.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &JournalKey> {
        self.links.iter().map(|link| &link.key)
    }

    /// Whether a key is one of the chain's.
    pub fn has(&self, key: &JournalKey) -> bool {
        self.keys().any(|one| one == key)
    }

    /// Sizes of the checkpoints with which a key was replaced, oldest first.
    pub fn replacements(&self) -> impl Iterator<Item = u64> {
        self.links.iter().skip(1).map(|link| link.from)
    }

    /// Takes in the checkpoint of a group: signed by the newest key, or, where the group names a
    /// `next` key, by both.
    ///
    /// # Errors
    /// A word on what does not hold.
    pub(super) fn follow(&mut self, note: &str, next: Option<JournalKey>) -> Result<Checkpoint, &'static str> {
        let signed = SignedNote::read(note, &self.store_id)?;
        let newest = self.newest();
        match next {
            None => signed.is_by(&[newest])?,
            Some(next) if self.has(&next) => return Err("it names a key that was the journal's before"),
            Some(next) => {
                signed.is_by(&[newest, next])?;
                self.links.push(Link { key: next, from: signed.checkpoint.size });
            }
        }
        Ok(signed.checkpoint)
    }

    /// Reads a checkpoint that came from outside: any key of the chain may have signed it.
    ///
    /// # Errors
    /// A word on why it is no checkpoint of this journal's keys.
    pub fn verify(&self, note: &str) -> Result<ByChain, &'static str> {
        let signed = SignedNote::read(note, &self.store_id)?;
        let size = signed.checkpoint.size;
        let mut refused = "it is signed by another key";
        for (at, link) in self.links.iter().enumerate() {
            let next = self.links.get(at + 1);
            let before_next = next.is_none_or(|next| size < next.from);
            match signed.is_by(&[link.key]) {
                Ok(()) => {
                    let in_its_time = size > link.from && before_next;
                    return Ok(ByChain { checkpoint: signed.checkpoint, in_its_time });
                }
                Err(what) if signed.names(&link.key) => refused = what,
                Err(_) => {}
            }
            if let Some(next) = next
                && signed.is_by(&[link.key, next.key]).is_ok()
            {
                return Ok(ByChain { checkpoint: signed.checkpoint, in_its_time: size == next.from });
            }
        }
        Err(refused)
    }
}

/// The key that a `journal.rekeyed` entry or a first line names.
pub(super) fn key_of(text: &str) -> Option<JournalKey> {
    base64url::decode(text).ok()?.try_into().ok()
}

/// The same, of an entry at a line.
pub(super) fn key_at(text: &str, line: u64) -> Result<JournalKey, JournalFault> {
    key_of(text).ok_or_else(|| JournalFault::Malformed { line, what: "its journal key is no Ed25519 key".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::SignNote;
    use super::super::checkpoint::tests::TestSigner;
    use super::*;

    fn note(size: u64, by: &[&TestSigner]) -> String {
        let signers: Vec<&dyn SignNote> = by.iter().map(|one| *one as &dyn SignNote).collect();
        Checkpoint { size, root: [9; 32] }.sign_by("AAAA", &signers).unwrap()
    }

    #[test]
    fn a_key_is_followed_only_where_the_one_before_and_itself_have_signed() {
        let [first, second, thief] = [1, 2, 3].map(TestSigner::new);
        let begin = || KeyChain::new("AAAA", first.public_key());
        let next = Some(second.public_key());
        let mut chain = begin();
        chain.follow(&note(5, &[&first, &second]), next).unwrap();
        assert_eq!(chain.newest(), second.public_key());
        chain.follow(&note(9, &[&second]), None).unwrap();
        assert!(chain.follow(&note(12, &[&first]), None).is_err(), "the old key signs no more");
        for wrong in [
            note(5, &[&first]),
            note(5, &[&second]),
            note(5, &[&second, &first]),
            note(5, &[&thief, &second]),
            note(5, &[&first, &thief]),
            note(5, &[&first, &second, &thief]),
        ] {
            assert!(begin().follow(&wrong, next).is_err(), "{wrong}");
        }
        assert!(begin().follow(&note(5, &[&first, &second]), None).is_err(), "a second signature that nothing names");
        assert!(begin().follow(&note(5, &[&first, &first]), Some(first.public_key())).is_err());
    }

    #[test]
    fn a_checkpoint_from_outside_tells_whether_its_key_was_to_sign_then() {
        let [first, second] = [1, 2].map(TestSigner::new);
        let mut chain = KeyChain::new("AAAA", first.public_key());
        chain.follow(&note(5, &[&first, &second]), Some(second.public_key())).unwrap();
        let in_time = |text: &str| chain.verify(text).map(|by| by.in_its_time);
        assert_eq!(in_time(&note(3, &[&first])), Ok(true));
        assert_eq!(in_time(&note(5, &[&first, &second])), Ok(true));
        assert_eq!(in_time(&note(8, &[&second])), Ok(true));
        assert_eq!(in_time(&note(5, &[&first])), Ok(false));
        assert_eq!(in_time(&note(8, &[&first])), Ok(false));
        assert_eq!(in_time(&note(4, &[&second])), Ok(false));
        assert!(in_time(&note(8, &[&TestSigner::new(3)])).is_err());
    }
}
