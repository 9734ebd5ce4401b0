//! How members of entries are read: each number and name within its bounds, before anything is
//! believed or counted with.
//!
//! For `#[serde(deserialize_with = "member::…")]`, over one value, an optional one, or several. Whoever
//! writes an entry is held to the same: a line that could not be read back is not recorded.

use super::names;
use coldsign_verify::json::LARGEST_INTEGER;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The longest signed note, in bytes: as long as the checkpoint file may be.
const LONGEST_NOTE: usize = 4096;
/// The most characters of a `kid` as tokens carry it.
const LONGEST_KID: usize = 64;

/// Values of one kind.
pub trait Values<T: ?Sized> {
    /// Whether each of them passes.
    fn all(&self, passes: impl Fn(&T) -> bool) -> bool;
}

impl Values<u64> for u64 {
    fn all(&self, passes: impl Fn(&u64) -> bool) -> bool {
        passes(self)
    }
}

impl Values<u64> for Option<u64> {
    fn all(&self, passes: impl Fn(&u64) -> bool) -> bool {
        self.as_ref().is_none_or(passes)
    }
}

impl Values<str> for String {
    fn all(&self, passes: impl Fn(&str) -> bool) -> bool {
        passes(self)
    }
}

impl Values<str> for Option<String> {
    fn all(&self, passes: impl Fn(&str) -> bool) -> bool {
        self.as_deref().is_none_or(passes)
    }
}

impl Values<str> for Vec<String> {
    fn all(&self, passes: impl Fn(&str) -> bool) -> bool {
        self.iter().all(|one| passes(one))
    }
}

/// A whole number or a time from 0 to 2^53 − 1: what every JSON reader holds exactly (RFC 8259 §6). To
/// add a few of them overflows nothing.
///
/// # Errors
/// Where one is beyond.
pub fn number<'de, D: Deserializer<'de>, T: Values<u64> + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    let value = T::deserialize(from)?;
    let sound = value.all(|number| *number <= LARGEST_INTEGER);
    if sound { Ok(value) } else { Err(D::Error::custom("a number is beyond 2^53 - 1")) }
}

/// The logarithm of a scrypt work factor: 10 to 20.
///
/// # Errors
/// Where it is another number.
pub fn work_factor<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let value = u8::deserialize(from)?;
    if (10..=20).contains(&value) { Ok(value) } else { Err(D::Error::custom("a work factor is not 10 to 20")) }
}

/// Times by the `kid` that tokens carry.
///
/// # Errors
/// Where a time is beyond 2^53 − 1, or a `kid` is empty or too long.
pub fn times<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let times = BTreeMap::<String, u64>::deserialize(from)?;
    let is_kid = |kid: &String| (1..=LONGEST_KID).contains(&kid.chars().take(LONGEST_KID + 1).count());
    if times.iter().all(|(kid, time)| is_kid(kid) && *time <= LARGEST_INTEGER) {
        return Ok(times);
    }
    Err(D::Error::custom("a time is beyond 2^53 - 1, or is of no key"))
}

/// Digests of files by their names.
///
/// # Errors
/// Where one is no SHA-256, or of no file.
pub fn digests<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let digests = BTreeMap::<String, String>::deserialize(from)?;
    if digests.iter().all(|(name, digest)| names::is_file(name) && names::is_digest(digest)) {
        return Ok(digests);
    }
    Err(D::Error::custom("a digest is no SHA-256 in lower-case hex, or is of no file"))
}

fn text<'de, D: Deserializer<'de>, T: Values<str> + Deserialize<'de>>(
    from: D,
    rule: impl Fn(&str) -> bool,
    wanted: &'static str,
) -> Result<T, D::Error> {
    let value = T::deserialize(from)?;
    if value.all(rule) { Ok(value) } else { Err(D::Error::custom(format_args!("a text is {wanted}"))) }
}

/// Readers of texts, each by the rule that stands in [`names`].
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $rule:expr, $wanted:literal;)+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// Where it is another text.
        pub fn $name<'de, D: Deserializer<'de>, T: Values<str> + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
            text(from, $rule, $wanted)
        }
    )+};
}

texts! {
    /// An unlock's name.
    unlock: names::is_unlock, "no name of an unlock";
    /// A keyset's name.
    keyset: names::is_plain, "no name of a keyset";
    /// A service's name.
    service: names::is_plain, "no name of a service";
    /// A role's name.
    role: names::is_role, "no name of a role";
    /// A verifier's name.
    verifier: coldsign_verify::receipt::is_verifier_name, "no name of a verifier";
    /// A file's name.
    file: names::is_file, "no name of a file";
    /// A SHA-256 in lower-case hex.
    digest: names::is_digest, "no SHA-256 in lower-case hex";
    /// A key's thumbprint.
    thumbprint: names::is_thumbprint, "no thumbprint of a key";
    /// A store's id or a token's `jti`.
    random: names::is_random, "no 16 bytes in base64url";
    /// An issuer.
    issuer: |text| names::issuer_fault(text).is_none(), "no issuer";
    /// A token's subject, whatever it is made of.
    subject: names::is_subject, "no subject of 1 to 255 characters";
    /// A signed note.
    note: |text| text.len() <= LONGEST_NOTE, "no signed note";
    /// The form that a token left in.
    form: names::is_file, "no form of a token";
    /// A journal key: 32 bytes in base64url, as a thumbprint is.
    journal_key: names::is_thumbprint, "no journal key";
    /// A `kid` as tokens carry it.
    kid: |text| (1..=LONGEST_KID).contains(&text.chars().take(LONGEST_KID + 1).count()), "no kid of 1 to 64 characters";
    /// An age recipient.
    recipient: names::is_recipient, "no age recipient";
}
