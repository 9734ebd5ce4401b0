//! What things may be called: one rule a name, for whoever makes it and whoever reads it back.
//!
//! A name goes into paths, questions and commands. No journal can bring one that nobody could have made.

/// The longest name of a keyset, service or role, in bytes.
const LONGEST: usize = 64;
/// The longest name of an unlock, in bytes.
const LONGEST_UNLOCK: usize = 32;
/// The longest name of a file, in bytes.
const LONGEST_FILE: usize = 255;
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 255;
/// The longest issuer, in bytes.
const LONGEST_ISSUER: usize = 255;

/// An unlock's: `[a-z0-9][a-z0-9-]*`, at most 32 bytes. `recovery` is the recovery code's.
pub fn is_unlock(name: &str) -> bool {
    name.len() <= LONGEST_UNLOCK && is_plain(name)
}

/// A keyset's or service's: `[a-z0-9][a-z0-9-]*`, at most 64 bytes.
pub fn is_plain(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= LONGEST && name.bytes().next().is_some_and(letter) && name.bytes().all(|b| letter(b) || b == b'-')
}

/// A role's: `[A-Za-z0-9][A-Za-z0-9_.:-]*`, at most 64 bytes.
pub fn is_role(name: &str) -> bool {
    name.len() <= LONGEST
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
}

/// A service's with one of its roles: `service/role`.
pub fn is_grant(name: &str) -> bool {
    name.split_once('/').is_some_and(|(service, role)| is_plain(service) && is_role(role))
}

/// A token's subject, whatever it is made of: 1 to 255 characters.
pub fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.chars().nth(LONGEST_SUBJECT).is_none()
}

/// A file's of a backup: `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 255 bytes.
pub fn is_file(name: &str) -> bool {
    name.len() <= LONGEST_FILE
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// A SHA-256 in lower-case hex.
pub fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A thumbprint (RFC 7638): a SHA-256 in base64url.
pub fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && is_base64url(text)
}

/// 16 random bytes in base64url: a store's id, a token's `jti`.
pub fn is_random(text: &str) -> bool {
    text.len() == 22 && is_base64url(text)
}

/// An age recipient: `age1` and lower-case letters and digits, at most 128 bytes.
pub fn is_recipient(text: &str) -> bool {
    text.len() <= 128 && text.starts_with("age1") && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// An entry's type: `noun.happened`.
pub fn is_kind(kind: &str) -> bool {
    kind.len() <= LONGEST && kind.bytes().all(|b| b.is_ascii_lowercase() || b"._-".contains(&b))
}

/// Why a text can't be an issuer, if it can't.
pub fn issuer_fault(issuer: &str) -> Option<&'static str> {
    if issuer.is_empty() {
        Some("it is empty")
    } else if issuer.len() > LONGEST_ISSUER {
        Some("it is longer than 255 bytes")
    } else if !issuer.chars().all(|c| c.is_ascii_graphic()) {
        Some("it has blanks, control or non-ASCII characters")
    } else if issuer.contains(['"', '\'', '\\', '<', '>', '`', '$']) {
        Some("it has quotes or shell characters")
    } else {
        None
    }
}

fn is_base64url(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}
