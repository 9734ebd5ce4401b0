//! The journal: the store's append-only record and its one source of truth.
//!
//! Owns lines, hash chain, Merkle tree, checkpoints and the commit protocol
//! (`docs/formats/journal-v1.md`). It doesn't know what entries mean: each noun above folds its
//! own state over them. It never sees the key that signs checkpoints, only a [`SignNote`].

mod audit;
mod chain;
mod checkpoint;
mod covered;
mod entry;
mod fault;
#[cfg(test)]
mod hostile;
mod log;
pub mod member;
pub mod names;
mod proof;
mod scan;
#[cfg(test)]
mod tests;
mod tree;

pub use audit::{Audit, Prefix};
pub use chain::{ByChain, JournalKey, KeyChain};
pub use checkpoint::{Checkpoint, SignNote, origin, read_verifier_key, verifier_key};
pub use entry::{ClockCorrected, Entry, Event, JournalRekeyed, Line, StoreCreated};
pub use fault::JournalFault;
pub use log::{Journal, genesis_line, hold, start};
pub use proof::{Proof, ProofFile, consistency, consistent, includes, inclusion};
pub use tree::{Digest, Tree};

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    // Once for each line read: no formatting machinery.
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}

/// A digest from lower-case hex.
pub fn unhex(text: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
