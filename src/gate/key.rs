//! The receipt key: made here at its first use, never leaving, signing receipts and nothing else.

use crate::refusal::Refusal;
use coldsign_verify::files::{Folder, ReadFault};
use coldsign_verify::jws::{Sign, SignFailure};
use coldsign_verify::{Algorithm, PublicKey, base64url, json, receipt};
use ed25519_dalek::{Signer as _, SigningKey};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

const NAME: &str = "receipt.key";

/// The key of one verifier. It refuses to sign what is not a receipt.
pub struct ReceiptKey {
    key: SigningKey,
    public: PublicKey,
    kid: String,
}

impl ReceiptKey {
    /// The key in this trust store; made where there is none.
    pub fn of(trust: &Path) -> Result<Self, Refusal> {
        let path = trust.join(NAME);
        let fault = |error: io::Error| Refusal::system("read", &path, &error);
        let folder = Folder::open(trust).map_err(fault)?;
        let opened = match folder.open_file(NAME) {
            Err(ReadFault::Missing) => {
                make(&folder)?;
                folder.open_file(NAME)
            }
            opened => opened,
        };
        match opened {
            Ok(file) if file.metadata().map_err(fault)?.permissions().mode() & 0o077 != 0 => {
                Err(Refusal::new(format!("{} can be read by others", path.display()))
                    .rule("RECEIPT-KEY-MODE")
                    .why("whoever has it can sign receipts in this verifier's name; no receipt was made")
                    .hint(format!("chmod 600 {}", crate::screen::word(&path))))
            }
            Ok(file) => Self::read(&path, file),
            Err(ReadFault::NotAFile) => Err(damaged(&path, "is no file")),
            Err(ReadFault::System(error)) => Err(fault(error)),
            Err(other) => Err(damaged(&path, &format!("can't be read: {other}"))),
        }
    }

    fn read(path: &Path, file: File) -> Result<Self, Refusal> {
        let fault = |error: io::Error| Refusal::system("read", path, &error);
        // Room from the start, so that no copy stays behind.
        let mut text = Zeroizing::new(Vec::with_capacity(128));
        file.take(100).read_to_end(&mut text).map_err(fault)?;
        let hex = text.strip_suffix(b"\n").filter(|hex| hex.len() == 64);
        let hex = hex.ok_or_else(|| damaged(path, "is no key of 64 hex digits"))?;
        let mut seed = Zeroizing::new([0_u8; 32]);
        for (byte, pair) in seed.iter_mut().zip(hex.chunks(2)) {
            let digits = std::str::from_utf8(pair).ok().filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
            let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            *byte = value.ok_or_else(|| damaged(path, "is no key of 64 hex digits"))?;
        }
        let key = SigningKey::from_bytes(&seed);
        let public = PublicKey::ed25519(Algorithm::EdDsa, key.verifying_key().as_bytes())
            .map_err(|error| damaged(path, &error.to_string()))?;
        Ok(Self { kid: public.thumbprint(), key, public })
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl Sign for ReceiptKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }

    fn kid(&self) -> &str {
        &self.kid
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        let header = signing_input.split(|byte| *byte == b'.').next().unwrap_or_default();
        let header = std::str::from_utf8(header).ok().and_then(|header| base64url::decode(header).ok());
        let header = header.and_then(|header| json::parse_object(&header).ok()).unwrap_or_default();
        if header.get("typ").and_then(|typ| typ.as_str()) != Some(receipt::TYP) {
            return Err(SignFailure::Key { kid: self.kid.clone(), reason: "it signs receipts only".to_owned() });
        }
        Ok(self.key.sign(signing_input).to_bytes().to_vec())
    }
}

/// Whole and durable under another name first; the link then fails where another process was faster.
fn make(folder: &Folder) -> Result<(), Refusal> {
    let path = folder.path().join(NAME);
    let fault = |error: io::Error| Refusal::system("made", &path, &error);
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| Refusal::new("the system gave no random numbers"))?;
    let mut mark = [0_u8; 8];
    getrandom::fill(&mut mark).map_err(|_| Refusal::new("the system gave no random numbers"))?;
    let partial = format!(".{NAME}.{:016x}.partial", u64::from_be_bytes(mark));
    let mut hex = Zeroizing::new(String::with_capacity(65));
    for byte in seed.iter() {
        hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    hex.push('\n');
    let mut file = folder.create_file(&partial, 0o600).map_err(fault)?;
    let written = file.write_all(hex.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match folder.link_file(&partial, NAME) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = folder.remove_file(&partial);
    linked.and(removed).and_then(|()| folder.sync()).map_err(fault)
}

fn damaged(path: &Path, what: &str) -> Refusal {
    Refusal::new(format!("{} {what}", path.display()))
        .rule("RECEIPT-KEY-DAMAGED")
        .why("no receipt was made; without it this verifier has to be enrolled again under another key")
        .hint(format!("ls -l {}", crate::screen::word(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coldsign_verify::jws;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_receipt_key_is_made_once_for_its_owner_alone_and_signs_receipts_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("receipt.key");
        let key = ReceiptKey::of(temp.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ReceiptKey::of(temp.path()).unwrap().public(), key.public());
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1, "nothing else is left there");
        assert_eq!(key.kid(), key.public().thumbprint());
        let sign = |typ: &str| jws::assemble(&key, typ, b"{}").is_ok();
        assert!(sign(receipt::TYP));
        for typ in ["JWT", "at+jwt", "jwk-set+jwt", "coldsign-root+json", "", "COLDSIGN-RECEIPT+JWT"] {
            assert!(!sign(typ), "{typ}");
        }
        assert!(key.sign(b"").is_err() && key.sign(b"anything").is_err());

        let rule = || ReceiptKey::of(temp.path()).err().and_then(|refusal| refusal.rule);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(rule(), Some("RECEIPT-KEY-MODE"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(rule(), None);
        let good = fs::read(&path).unwrap();
        for wrong in [&good[..64], &good[1..], b"", &[b'g'; 65][..], &[good.as_slice(), b"\n"].concat()] {
            fs::write(&path, wrong).unwrap();
            assert_eq!(rule(), Some("RECEIPT-KEY-DAMAGED"));
        }
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert_eq!(rule(), Some("RECEIPT-KEY-DAMAGED"));
    }
}
