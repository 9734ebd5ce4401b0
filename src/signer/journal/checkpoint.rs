//! Signed checkpoints: c2sp.org/signed-note over c2sp.org/tlog-checkpoint.

use super::{Digest, JournalFault, Tree, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldsign_verify::json::LARGEST_INTEGER;
use ed25519_dalek::{Signature, VerifyingKey};

/// The algorithm byte of Ed25519 in a note's key id.
const ED25519: u8 = 1;

/// Signs a note's text with the journal key.
pub trait SignNote {
    /// The Ed25519 signature over the text.
    ///
    /// # Errors
    /// Where the key can't sign now.
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], JournalFault>;
    /// The key's public half.
    fn public_key(&self) -> [u8; 32];
}

/// What a checkpoint says: how many lines there are and the head of the tree over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Lines covered.
    pub size: u64,
    /// RFC 6962 tree head over them.
    pub root: Digest,
}

/// The origin line of a store's checkpoints.
pub fn origin(store_id: &str) -> String {
    format!("coldsign/journal/{store_id}")
}

/// The journal key as a verifier key (c2sp.org/signed-note): `<origin>+<key id>+<base64>`.
pub fn verifier_key(store_id: &str, key: &[u8; 32]) -> String {
    let name = origin(store_id);
    let mut typed = vec![ED25519];
    typed.extend_from_slice(key);
    format!("{name}+{}+{}", super::hex(&key_id(&name, key)), STANDARD.encode(typed))
}

/// A verifier key's store id and journal key.
///
/// # Errors
/// A word on what is wrong.
pub fn read_verifier_key(text: &str) -> Result<(String, [u8; 32]), &'static str> {
    let malformed = "it is no verifier key of a journal";
    let text = text.trim();
    let mut parts = text.splitn(3, '+');
    let store_id = parts.next().and_then(|name| name.strip_prefix("coldsign/journal/")).ok_or(malformed)?;
    let typed = parts.nth(1).and_then(|typed| STANDARD.decode(typed).ok()).ok_or(malformed)?;
    let key: [u8; 32] =
        typed.strip_prefix(&[ED25519]).and_then(|key| key.try_into().ok()).ok_or("it is no Ed25519 key")?;
    if verifier_key(store_id, &key) == text { Ok((store_id.to_owned(), key)) } else { Err(malformed) }
}

impl Checkpoint {
    /// The checkpoint of a tree.
    pub fn of(tree: &Tree) -> Self {
        Self { size: tree.size(), root: tree.root() }
    }

    /// The checkpoint of a journal that has these lines.
    pub fn of_lines<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut tree = Tree::default();
        lines.into_iter().for_each(|line| tree.push(line));
        Self::of(&tree)
    }

    /// The signed note.
    ///
    /// # Errors
    /// As [`SignNote::sign_note`].
    pub fn sign(&self, store_id: &str, signer: &dyn SignNote) -> Result<String, JournalFault> {
        self.sign_by(store_id, &[signer])
    }

    /// The note with a signature line of each signer, in that order.
    ///
    /// # Errors
    /// As [`SignNote::sign_note`].
    pub(super) fn sign_by(&self, store_id: &str, signers: &[&dyn SignNote]) -> Result<String, JournalFault> {
        let name = origin(store_id);
        let text = self.text(&name);
        let mut note = format!("{text}\n");
        for signer in signers {
            let signature = signer.sign_note(text.as_bytes())?;
            let mut blob = key_id(&name, &signer.public_key()).to_vec();
            blob.extend_from_slice(&signature);
            note.push_str(&format!("\u{2014} {name} {}\n", STANDARD.encode(blob)));
        }
        Ok(note)
    }

    /// Reads a note and checks its one signature.
    ///
    /// # Errors
    /// The reason why this is not a checkpoint of that store signed by that key alone.
    pub fn verify(note: &str, store_id: &str, key: &[u8; 32]) -> Result<Self, &'static str> {
        let signed = SignedNote::read(note, store_id)?;
        signed.is_by(&[*key])?;
        Ok(signed.checkpoint)
    }

    /// What a note of that store says, its signatures unchecked: for one that something else vouches for.
    ///
    /// # Errors
    /// The reason why this is not a checkpoint of that store.
    pub fn unverified(note: &str, store_id: &str) -> Result<Self, &'static str> {
        Ok(SignedNote::read(note, store_id)?.checkpoint)
    }

    fn text(&self, name: &str) -> String {
        format!("{name}\n{}\n{}\n", self.size, STANDARD.encode(self.root))
    }

    fn read(text: &str, name: &str) -> Result<Self, &'static str> {
        let mut lines = text.lines();
        if lines.next() != Some(name) {
            return Err("it belongs to another store");
        }
        let size = lines.next().ok_or("it has no size")?;
        let root = lines.next().ok_or("it has no root")?;
        let size: u64 = size.parse().map_err(|_| "its size is no number")?;
        // Whoever has made up a key can sign any number: it is counted with from here on.
        if size > LARGEST_INTEGER {
            return Err("its size is beyond 2^53 - 1");
        }
        let root: Digest =
            STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok()).ok_or("its root is no digest")?;
        let checkpoint = Self { size, root };
        if checkpoint.text(name) == text { Ok(checkpoint) } else { Err("it has more in it than a checkpoint has") }
    }
}

/// A note that was taken apart; its signatures are not checked yet.
pub(super) struct SignedNote {
    pub checkpoint: Checkpoint,
    name: String,
    text: String,
    blobs: Vec<Vec<u8>>,
}

impl SignedNote {
    /// The most signature lines: two where the journal's key is replaced.
    const MOST: usize = 2;

    /// Reads a note of that store, strictly.
    pub fn read(note: &str, store_id: &str) -> Result<Self, &'static str> {
        let name = origin(store_id);
        let (text, lines) = split(note)?;
        let mut blobs = Vec::new();
        for (signer, blob) in lines {
            if signer != name {
                return Err("it is signed under another name");
            }
            blobs.push(blob);
        }
        let checkpoint = Checkpoint::read(&text, &name)?;
        Ok(Self { checkpoint, name, text, blobs })
    }

    /// Checks that exactly these keys have signed it, in that order.
    pub fn is_by(&self, keys: &[[u8; 32]]) -> Result<(), &'static str> {
        for (at, key) in keys.iter().enumerate() {
            self.holds(self.blobs.get(at).ok_or("a signature is missing")?, key)?;
        }
        if self.blobs.len() > keys.len() { Err("it has a signature too many") } else { Ok(()) }
    }

    /// Whether one of its signatures is that key's, and holds.
    pub fn has_valid(&self, key: &[u8; 32]) -> bool {
        self.blobs.iter().any(|blob| self.holds(blob, key).is_ok())
    }

    fn holds(&self, blob: &[u8], key: &[u8; 32]) -> Result<(), &'static str> {
        let (id, signature) = blob.split_at_checked(4).ok_or("its signature is too short")?;
        if id != key_id(&self.name, key) {
            return Err("it is signed by another key");
        }
        let signature = Signature::from_slice(signature).map_err(|_| "its signature has the wrong length")?;
        VerifyingKey::from_bytes(key)
            .map_err(|_| "the journal key is no Ed25519 key")?
            .verify_strict(self.text.as_bytes(), &signature)
            .map_err(|_| "its signature does not verify")
    }

    /// Whether a signature line names that key.
    pub fn names(&self, key: &[u8; 32]) -> bool {
        let id = key_id(&self.name, key);
        self.blobs.iter().any(|blob| blob.get(..4) == Some(&id[..]))
    }
}

/// A signature line of a note: the signer's name, the bytes.
type SignatureLine<'a> = (&'a str, Vec<u8>);

/// A note's text with its final newline, and its signature lines.
fn split(note: &str) -> Result<(String, Vec<SignatureLine<'_>>), &'static str> {
    let malformed = "its signature line is malformed";
    let (text, signatures) = note.split_once("\n\n").ok_or("it has no signature")?;
    let mut lines = Vec::new();
    for line in signatures.strip_suffix('\n').ok_or(malformed)?.split('\n') {
        if lines.len() == SignedNote::MOST {
            return Err("it has a signature too many");
        }
        let (signer, blob) = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or(malformed)?;
        lines.push((signer, STANDARD.decode(blob).map_err(|_| "its signature is not base64")?));
    }
    Ok((format!("{text}\n"), lines))
}

fn key_id(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let mut input = name.as_bytes().to_vec();
    input.push(b'\n');
    input.push(ED25519);
    input.extend_from_slice(key);
    let digest = sha256(&input);
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    /// A signer whose key everybody knows.
    pub struct TestSigner(pub SigningKey);

    impl TestSigner {
        pub fn new(seed: u8) -> Self {
            Self(SigningKey::from_bytes(&[seed; 32]))
        }
    }

    impl SignNote for TestSigner {
        fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], JournalFault> {
            Ok(self.0.sign(text).to_bytes())
        }
        fn public_key(&self) -> [u8; 32] {
            self.0.verifying_key().to_bytes()
        }
    }

    #[test]
    fn a_note_survives_the_round_trip_and_nothing_else_does() {
        let signer = TestSigner::new(7);
        let key = signer.public_key();
        let checkpoint = Checkpoint { size: 12, root: [9; 32] };
        let note = checkpoint.sign("AAAA", &signer).unwrap();
        assert_eq!(Checkpoint::verify(&note, "AAAA", &key), Ok(checkpoint));
        assert!(Checkpoint::verify(&note, "BBBB", &key).is_err());
        let other = TestSigner::new(8).public_key();
        assert!(Checkpoint::verify(&note, "AAAA", &other).is_err());
        for (at, _) in note.char_indices() {
            let changed: String = note.char_indices().map(|(i, c)| if i == at { '~' } else { c }).collect();
            assert!(Checkpoint::verify(&changed, "AAAA", &key).is_err(), "at {at}");
        }
    }

    #[test]
    fn a_verifier_key_survives_the_round_trip_and_nothing_else_does() {
        let text = verifier_key("AAAA", &TestSigner::new(7).public_key());
        assert_eq!(read_verifier_key(&format!("{text}\n")), Ok(("AAAA".to_owned(), TestSigner::new(7).public_key())));
        for (at, _) in text.char_indices() {
            let changed: String = text.char_indices().map(|(i, c)| if i == at { '~' } else { c }).collect();
            assert!(read_verifier_key(&changed).is_err(), "at {at}");
        }
    }

    #[test]
    fn the_key_id_and_signature_are_those_of_the_published_example() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/c2sp_signed_note_example.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: no c2sp_signed_note_example.json");
            return;
        };
        let example: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut vkey = example["vkey"].as_str().unwrap().splitn(3, '+');
        let (name, id, key) =
            (vkey.next().unwrap(), vkey.next().unwrap(), STANDARD.decode(vkey.next().unwrap()).unwrap());
        let key: [u8; 32] = key[1..].try_into().unwrap();
        assert_eq!(super::super::hex(&key_id(name, &key)), id);
        assert!(read_verifier_key(example["vkey"].as_str().unwrap()).is_err(), "it is no journal's");
        let (text, lines) = split(example["note"].as_str().unwrap()).unwrap();
        let blob = &lines[0].1;
        assert_eq!(blob[..4], key_id(name, &key));
        let signature = Signature::from_slice(&blob[4..]).unwrap();
        let key = VerifyingKey::from_bytes(&key).unwrap();
        key.verify_strict(text.as_bytes(), &signature).unwrap();
    }
}
