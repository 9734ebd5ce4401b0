//! Sealing with age: files to a passphrase, files to an identity.

use super::KeystoreFault;
use super::prepared::opaque;
use crate::storage::keep_in_memory;
use age::secrecy::{ExposeSecret, SecretString};
use age::{Decryptor, Encryptor};
use std::io::{Read, Write};
use std::iter::once;
use std::str::FromStr;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// A plaintext no sealed file of a store comes near to.
const LARGEST_PLAINTEXT: u64 = 1 << 20;
/// How much of the stack is overwritten after work with an identity, in bytes.
const STACK: usize = 64 << 10;

/// A passphrase; wiped when dropped. What is sealed is sealed to the first; where that opens nothing,
/// the bytes as typed are tried: files of before RFC 8265 was followed have those.
pub struct Passphrase(SecretString, Option<SecretString>);

impl Passphrase {
    /// The fewest characters a person's passphrase may have.
    pub const LEAST: usize = 12;

    /// A person's new passphrase.
    ///
    /// # Errors
    /// [`KeystoreFault::ShortPassphrase`], [`KeystoreFault::BlankPassphrase`],
    /// [`KeystoreFault::PassphraseCharacter`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, KeystoreFault> {
        if text.is_empty() {
            return Err(KeystoreFault::ShortPassphrase { found: 0, least: Self::LEAST });
        }
        let text = opaque(&text).ok_or(KeystoreFault::PassphraseCharacter)?;
        let found = text.chars().count();
        if found < Self::LEAST {
            return Err(KeystoreFault::ShortPassphrase { found, least: Self::LEAST });
        }
        if text.trim().is_empty() {
            return Err(KeystoreFault::BlankPassphrase);
        }
        Ok(Self::from(text))
    }
}

impl From<Zeroizing<String>> for Passphrase {
    fn from(text: Zeroizing<String>) -> Self {
        match opaque(&text) {
            Some(prepared) if *prepared != *text => Self(secret(&prepared), Some(secret(&text))),
            _ => Self(secret(&text), None),
        }
    }
}

fn secret(text: &str) -> SecretString {
    let secret = SecretString::from(text.to_owned());
    keep_in_memory(secret.expose_secret());
    secret
}

/// What scrypt costs: 2^`log_n` blocks of 1 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost(u8);

impl KdfCost {
    /// 2^18: 256 MiB and most of a second.
    pub const STANDARD: Self = Self(18);
    const CHEAPEST: u8 = 10;
    const DEAREST: u8 = 20;

    /// A cost from 10 to 20.
    ///
    /// # Errors
    /// [`KeystoreFault::Cost`].
    pub fn new(log_n: u8) -> Result<Self, KeystoreFault> {
        if (Self::CHEAPEST..=Self::DEAREST).contains(&log_n) {
            Ok(Self(log_n))
        } else {
            Err(KeystoreFault::Cost(log_n))
        }
    }

    /// The logarithm of the work factor.
    pub fn log_n(self) -> u8 {
        self.0
    }
}

/// An age X25519 identity: opens what is sealed to its recipient. It stays where it was made: every
/// move of it would leave a copy that nobody wipes.
pub struct SealingIdentity(Arc<age::x25519::Identity>);

impl SealingIdentity {
    /// A new one.
    pub fn generate() -> Self {
        Self(wiping_stack(|| Arc::new(age::x25519::Identity::generate())))
    }

    /// Reads `AGE-SECRET-KEY-1…`.
    ///
    /// # Errors
    /// A word on what is wrong; never the text.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        wiping_stack(|| age::x25519::Identity::from_str(text.trim_end()).map(Arc::new))
            .map(Self)
            .map_err(|_| "it holds no age identity")
    }

    /// `AGE-SECRET-KEY-1…`
    pub fn expose(&self) -> Zeroizing<String> {
        wiping_stack(|| Zeroizing::new(self.0.to_string().expose_secret().to_owned()))
    }

    /// The same identity, for whoever must own it: not a copy.
    ///
    /// # Errors
    /// None any more.
    pub fn twin(&self) -> Result<Self, KeystoreFault> {
        Ok(Self(Arc::clone(&self.0)))
    }

    /// `age1…`
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// Opens a small age file sealed to this identity.
    ///
    /// # Errors
    /// A word on what is wrong.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        read_plaintext(self.decrypt(sealed)?)
    }

    /// Opens an age file of any length sealed to this identity: no secrets in the clear are in those.
    ///
    /// # Errors
    /// A word on what is wrong.
    pub fn open_long(&self, sealed: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut plaintext = Vec::with_capacity(sealed.len());
        self.decrypt(sealed)?.read_to_end(&mut plaintext).map_err(|_| "it was changed, or cut short")?;
        Ok(plaintext)
    }

    fn decrypt<'a>(&self, sealed: &'a [u8]) -> Result<impl Read + use<'a>, &'static str> {
        let decryptor = Decryptor::new_buffered(sealed).map_err(|_| "it is no age file")?;
        if decryptor.is_scrypt() {
            return Err("it is sealed to a passphrase");
        }
        // What opens the file is computed from the identity's number, on the stack.
        wiping_stack(|| decryptor.decrypt(once(&*self.0 as &dyn age::Identity)))
            .map_err(|_| "it is not sealed to this store's identity, or was changed")
    }
}

/// Seals to recipients (`age1…`).
///
/// # Errors
/// [`KeystoreFault::Operation`].
pub(super) fn seal(recipients: &[String], plaintext: &[u8]) -> Result<Vec<u8>, KeystoreFault> {
    let mut sealed = Vec::new();
    seal_onto(recipients, plaintext, &mut sealed)?;
    Ok(sealed)
}

/// Seals to recipients (`age1…`), at the end of what is there.
///
/// # Errors
/// [`KeystoreFault::Operation`].
pub fn seal_onto(recipients: &[String], plaintext: &[u8], sealed: &mut Vec<u8>) -> Result<(), KeystoreFault> {
    let failed = KeystoreFault::Operation("sealing");
    let recipients: Vec<age::x25519::Recipient> = recipients
        .iter()
        .map(|recipient| age::x25519::Recipient::from_str(recipient))
        .collect::<Result<_, _>>()
        .map_err(|_| KeystoreFault::Operation("reading an unlock's recipient"))?;
    let recipients = recipients.iter().map(|one| one as &dyn age::Recipient);
    let Ok(encryptor) = Encryptor::with_recipients(recipients) else {
        return Err(failed);
    };
    encrypt(encryptor, plaintext, sealed)
}

/// Seals to a passphrase at a fixed cost: age's own choice would measure the wall clock.
///
/// # Errors
/// [`KeystoreFault::Operation`].
pub(super) fn seal_to_passphrase(
    passphrase: &Passphrase,
    cost: KdfCost,
    plaintext: &[u8],
) -> Result<Vec<u8>, KeystoreFault> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.0.clone());
    recipient.set_work_factor(cost.log_n());
    match Encryptor::with_recipients(once(&recipient as &dyn age::Recipient)) {
        Ok(encryptor) => {
            let mut sealed = Vec::new();
            encrypt(encryptor, plaintext, &mut sealed)?;
            Ok(sealed)
        }
        Err(_) => Err(KeystoreFault::Operation("sealing")),
    }
}

/// Opens what [`seal_to_passphrase`] sealed; `None` where the passphrase is another.
///
/// # Errors
/// A word on what is wrong with the file.
pub(super) fn open_with_passphrase(
    passphrase: &Passphrase,
    sealed: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    let decryptor = Decryptor::new_buffered(sealed).map_err(|_| "it is no age file")?;
    if !decryptor.is_scrypt() {
        return Err("it is not sealed to a passphrase");
    }
    match open_with(&passphrase.0, decryptor)? {
        None => match &passphrase.1 {
            Some(typed) => open_with(typed, Decryptor::new_buffered(sealed).map_err(|_| "it is no age file")?),
            None => Ok(None),
        },
        opened => Ok(opened),
    }
}

fn open_with(
    passphrase: &SecretString,
    decryptor: Decryptor<&[u8]>,
) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(KdfCost::DEAREST);
    match decryptor.decrypt(once(&identity as &dyn age::Identity)) {
        Ok(stream) => read_plaintext(stream).map(Some),
        Err(age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed) => Ok(None),
        Err(age::DecryptError::ExcessiveWork { .. }) => Err("it asks for more than 2^20 work"),
        Err(_) => Err("it was changed, or cut short"),
    }
}

/// What other people's code leaves on the stack is overwritten: it moves secrets as Rust moves
/// everything, and wipes only the last place.
fn wiping_stack<T>(work: impl FnOnce() -> T) -> T {
    let done = on_its_own(work);
    wipe_stack();
    done
}

/// A frame that ends before the wiping begins.
#[inline(never)]
fn on_its_own<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Overwrites the stack below the caller's frame, as deep as any of age's work goes.
#[inline(never)]
fn wipe_stack() {
    let mut below = [0_u8; STACK];
    below.zeroize();
    std::hint::black_box(&below);
}

fn encrypt(encryptor: Encryptor, plaintext: &[u8], sealed: &mut Vec<u8>) -> Result<(), KeystoreFault> {
    let written = encryptor.wrap_output(sealed).and_then(|mut stream| {
        stream.write_all(plaintext)?;
        stream.finish()?;
        Ok(())
    });
    written.map_err(|_| KeystoreFault::Operation("sealing"))
}

fn read_plaintext(stream: impl Read) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    // Room enough from the start: a growing buffer would leave copies behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(16 << 10));
    keep_in_memory(plaintext.spare_capacity_mut());
    stream.take(LARGEST_PLAINTEXT).read_to_end(&mut plaintext).map_err(|_| "it was changed, or cut short")?;
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::from(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_passphrase_opens_its_own_file_only() {
        let cost = KdfCost::new(10).unwrap();
        let sealed = seal_to_passphrase(&passphrase("correct horse"), cost, b"secret").unwrap();
        let opened = open_with_passphrase(&passphrase("correct horse"), &sealed).unwrap();
        assert_eq!(opened.unwrap().as_slice(), b"secret");
        assert!(open_with_passphrase(&passphrase("other"), &sealed).unwrap().is_none());
        for cut in [0, 10, sealed.len() - 1] {
            assert!(open_with_passphrase(&passphrase("correct horse"), &sealed[..cut]).is_err());
        }
    }

    #[test]
    fn a_passphrase_typed_in_pieces_opens_and_so_does_one_of_before() {
        let cost = KdfCost::new(10).unwrap();
        let (composed, pieces) = ("Zo\u{eb} am Stra\u{df}entor", "Zoe\u{308}\u{a0}am Stra\u{df}entor");
        let new = Passphrase::new(Zeroizing::new(pieces.to_owned())).unwrap();
        let sealed = seal_to_passphrase(&new, cost, b"secret").unwrap();
        for typed in [composed, pieces] {
            assert!(open_with_passphrase(&passphrase(typed), &sealed).unwrap().is_some(), "{typed}");
        }
        // As it was sealed before: to the bytes as typed.
        for old in [pieces, "tab\u{9}in a passphrase"] {
            let before = seal_to_passphrase(&Passphrase(secret(old), None), cost, b"secret").unwrap();
            assert!(open_with_passphrase(&passphrase(old), &before).unwrap().is_some(), "{old}");
        }
        assert!(open_with_passphrase(&passphrase("Zoe am Stra\u{df}entor"), &sealed).unwrap().is_none());
        let tab = Passphrase::new(Zeroizing::new("tab\u{9}in a passphrase".to_owned()));
        assert!(matches!(tab, Err(KeystoreFault::PassphraseCharacter)));
        let short = Passphrase::new(Zeroizing::new("e\u{301}".repeat(11)));
        assert!(matches!(short, Err(KeystoreFault::ShortPassphrase { found: 11, .. })), "as many as are seen");
    }

    #[test]
    fn an_identity_opens_what_is_sealed_to_it_and_to_others() {
        let (ours, theirs) = (SealingIdentity::generate(), SealingIdentity::generate());
        let sealed = seal(&[ours.recipient(), theirs.recipient()], b"secret").unwrap();
        let again = SealingIdentity::read(&theirs.expose()).unwrap();
        assert_eq!(again.open(&sealed).unwrap().as_slice(), b"secret");
        assert!(SealingIdentity::generate().open(&sealed).is_err());
        let mut changed = sealed.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        assert!(ours.open(&changed).is_err());
    }

    #[test]
    fn cost_and_length_have_bounds() {
        assert!(matches!(KdfCost::new(9), Err(KeystoreFault::Cost(9))));
        assert!(matches!(KdfCost::new(21), Err(KeystoreFault::Cost(21))));
        let short = Passphrase::new(Zeroizing::new("elevenchars".to_owned()));
        assert!(matches!(short, Err(KeystoreFault::ShortPassphrase { found: 11, .. })));
    }
}
