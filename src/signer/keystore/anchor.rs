//! What an unlock's own file vouches for (store-v1.md).
//!
//! Whoever has the store's files knows every recipient and can seal a made-up store to them; age does
//! not say who sealed a file. An unlock's own file is sealed to its passphrase: nobody without the
//! passphrase can make one. So what stands in it is believed, and everything else follows from it.

use super::{KeystoreFault, SealingIdentity, UnlockRecord};
use crate::journal::{Checkpoint, Journal, JournalKey, hex};
use coldsign_verify::base64url;
use zeroize::Zeroizing;

/// The first line of an unlock's opened file.
const PURPOSE: &str = "# coldsign unlock, version 1";

/// A store, as an unlock's own file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The store's id.
    pub store_id: String,
    /// The journal key when the file was made: that key, or one that follows from it, must have signed
    /// the journal.
    pub journal_key: JournalKey,
    /// A checkpoint from before the file's own entry: the journal must contain it.
    pub floor: Checkpoint,
}

/// An unlock's own file, opened: its identity, and the store that it belongs to.
pub struct OwnUnlock {
    pub(super) name: String,
    pub(super) identity: SealingIdentity,
    pub(super) anchor: Anchor,
}

impl Anchor {
    /// What a file that is made now names.
    pub fn now(journal: &Journal) -> Self {
        Self { store_id: journal.genesis().store_id.clone(), journal_key: journal.key(), floor: journal.extent() }
    }

    /// The same with the key that the journal gets in this act.
    #[must_use]
    pub fn under(self, journal_key: JournalKey) -> Self {
        Self { journal_key, ..self }
    }

    /// The plaintext of an unlock's file: an age identity file, whose comments are the anchor.
    pub(super) fn write(&self, name: &str, identity: &SealingIdentity) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(512));
        for line in [
            PURPOSE,
            &format!("# unlock: {name}"),
            &format!("# store: {}", self.store_id),
            &format!("# journal key: {}", base64url::encode(&self.journal_key)),
            &format!("# floor: {} {}", self.floor.size, hex(&self.floor.root)),
            &identity.expose(),
        ] {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

impl OwnUnlock {
    /// Reads the plaintext of an unlock's file.
    ///
    /// # Errors
    /// A word on what is wrong; never the text.
    pub(super) fn read(name: &str, text: &str) -> Result<Self, &'static str> {
        let mut lines = text.split('\n');
        if lines.next() != Some(PURPOSE) {
            return Err("it is not the file of an unlock");
        }
        let mut member = |begin: &str| {
            lines.next().and_then(|line| line.strip_prefix(begin)).ok_or("its first lines are not those of an unlock")
        };
        if member("# unlock: ")? != name {
            return Err("it is the file of another unlock");
        }
        let store_id = member("# store: ")?.to_owned();
        let journal_key = base64url::decode(member("# journal key: ")?).ok().and_then(|key| key.try_into().ok());
        let floor = member("# floor: ")?
            .split_once(' ')
            .and_then(|(size, root)| Some(Checkpoint { size: size.parse().ok()?, root: crate::journal::unhex(root)? }));
        let malformed = "its first lines are not those of an unlock";
        let anchor = Anchor {
            store_id,
            journal_key: journal_key.ok_or(malformed)?,
            floor: floor.filter(|floor| floor.size > 0).ok_or(malformed)?,
        };
        let identity = SealingIdentity::read(lines.next().unwrap_or_default())?;
        let own = Self { name: name.to_owned(), identity, anchor };
        // One writing only: nothing else may hide in it.
        if *own.anchor.write(name, &own.identity) == *text { Ok(own) } else { Err(malformed) }
    }

    /// The unlock's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identity in it.
    pub fn identity(&self) -> &SealingIdentity {
        &self.identity
    }

    /// The store that it vouches for.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The same once more, for whoever must own it.
    ///
    /// # Errors
    /// [`KeystoreFault::Operation`], which can't be.
    pub fn twin(&self) -> Result<Self, KeystoreFault> {
        Ok(Self { name: self.name.clone(), identity: self.identity.twin()?, anchor: self.anchor.clone() })
    }

    /// Holds a journal against it: the unlock's entry, the store, the journal's key and the floor.
    ///
    /// # Errors
    /// [`KeystoreFault::Anchor`], [`KeystoreFault::PutBack`].
    pub(super) fn check(&self, journal: &Journal, record: &UnlockRecord) -> Result<(), KeystoreFault> {
        let differs = |what: &'static str| Err(KeystoreFault::Anchor { unlock: self.name.clone(), what });
        if journal.genesis().store_id != self.anchor.store_id {
            return differs("the store's id");
        }
        if !journal.keys().has(&self.anchor.journal_key) {
            return differs("the journal's key");
        }
        if record.recipient != self.identity.recipient() {
            return differs("the unlock's entry in the journal");
        }
        let floor = &self.anchor.floor;
        match journal.root_of_first(floor.size)? {
            Some(root) if root == floor.root => Ok(()),
            Some(_) => differs("the beginning of the journal"),
            None => Err(KeystoreFault::PutBack {
                unlock: self.name.clone(),
                size: floor.size,
                found: journal.extent().size,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor() -> Anchor {
        Anchor {
            store_id: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            journal_key: [7; 32],
            floor: Checkpoint { size: 12, root: [9; 32] },
        }
    }

    #[test]
    fn the_plaintext_is_an_identity_file_and_reads_back() {
        let identity = SealingIdentity::generate();
        let text = anchor().write("admin", &identity);
        let own = OwnUnlock::read("admin", &text).unwrap();
        assert_eq!((own.anchor, own.identity.recipient()), (anchor(), identity.recipient()));
        // age: comments, then one identity.
        assert!(text.lines().rev().skip(1).all(|line| line.starts_with("# ")));
        assert!(text.ends_with('\n') && text.lines().last().is_some_and(|line| line.starts_with("AGE-SECRET-KEY-1")));
    }

    #[test]
    fn the_format_page_shows_the_same_lines() {
        let anchor =
            Anchor { store_id: base64url::encode(&[0; 16]), floor: Checkpoint { size: 12, root: [9; 32] }, ..anchor() };
        let text = anchor.write("admin", &SealingIdentity::generate());
        let (comments, _) = text.split_once("AGE-SECRET-KEY-1").unwrap();
        let page = include_str!("../../../docs/formats/store-v1.md");
        assert!(page.contains(&format!("```\n{comments}AGE-SECRET-KEY-1…\n```")), "{comments}");
    }

    #[test]
    fn another_writing_is_refused() {
        let identity = SealingIdentity::generate();
        let text = anchor().write("admin", &identity);
        let read = |text: &str| OwnUnlock::read("admin", text).err();
        assert_eq!(OwnUnlock::read("berta", &text).err(), Some("it is the file of another unlock"));
        assert!(read(&identity.expose()).is_some(), "an identity alone vouches for nothing");
        for (what, to) in [
            ("floor: 12", "floor: 012"),
            ("floor: 12", "floor: 0"),
            ("version 1", "version 2"),
            ("\n# store", "\n# a: b\n# store"),
        ] {
            assert!(read(&text.replace(what, to)).is_some(), "{what} {to}");
        }
        assert!(read(&format!("{}# more\n", *text)).is_some());
        assert!(read(text.trim_end()).is_some());
    }
}
