//! X.509 certificates over token keys, for services that read nothing else, and the libtrust key id.
//!
//! A certificate here is an envelope for a key: self-signed, no CA (RFC 5280). docker-registry's
//! `rootcertbundle` looks keys up by `kid` and builds no chain for tokens without `x5c`, so it needs no CA:TRUE.

use std::time::Duration;

use coldsign_verify::jws::Sign;
use coldsign_verify::{Algorithm, PublicKey};
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, KeyIdMethod, KeyUsagePurpose, SerialNumber};
use sha2::{Digest, Sha256};

use super::der;
use crate::refusal::Refuse;

/// RFC 5280 appendix A: `ub-common-name`.
const LONGEST_COMMON_NAME: usize = 64;
/// 9999-12-31T23:59:59Z, the last moment that X.509 can write (RFC 5280 §4.1.2.5.2).
const LAST_MOMENT: u64 = 253_402_300_799;

/// Makes a self-signed certificate over `key`, signed by `signer`, as one PEM block.
///
/// X.509 v3; subject and issuer `CN=<common_name>`; critical `digitalSignature`; CA:FALSE; subject and
/// authority key identifiers by RFC 7093 §2 method 1. Times in Unix seconds; `serial` big-endian.
///
/// # Errors
/// When the name, the serial or the dates can't stand in a certificate, or `signer` does not hold `key`'s other half.
pub fn make(
    signer: &dyn Sign,
    key: &PublicKey,
    common_name: &str,
    serial: [u8; 16],
    not_before: u64,
    not_after: u64,
) -> Result<String, CertificateFault> {
    let length = common_name.chars().count();
    if length == 0 || length > LONGEST_COMMON_NAME || common_name.chars().any(char::is_control) {
        return Err(CertificateFault::Name { name: common_name.to_owned() });
    }
    if serial == [0; 16] {
        return Err(CertificateFault::Serial);
    }
    if not_before >= not_after || not_after > LAST_MOMENT {
        return Err(CertificateFault::Dates { not_before, not_after });
    }
    if signer.algorithm() != key.algorithm() {
        return Err(CertificateFault::Algorithm { signer: signer.algorithm(), key: key.algorithm() });
    }
    let token_key = TokenKey::new(signer, key).ok_or(CertificateFault::Encoding)?;

    // Built field by field: rcgen's defaults are valid from 1975 to 4096 and derive nothing without its crypto.
    let mut params = CertificateParams::default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(not_before);
    params.not_after = epoch + Duration::from_secs(not_after);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_identifier(&token_key.public_bits));

    params.self_signed(&token_key).map(|certificate| certificate.pem()).map_err(|fault| match fault {
        rcgen::Error::RemoteKeyError => CertificateFault::Signature,
        _ => CertificateFault::Encoding,
    })
}

/// libtrust's key id: base32 of the first 30 bytes of SHA-256 over the SPKI DER, in fours joined by `:`.
///
/// What docker-registry 2 looks for as `kid`; its version 3 wants the thumbprint.
#[must_use]
pub fn libtrust_kid(key: &PublicKey) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; // RFC 4648 §6
    let digest = Sha256::digest(key.to_spki_der());
    let mut kid = String::with_capacity(59);
    // 30 bytes are 48 symbols of five bits without a rest.
    for five in digest.as_slice().chunks_exact(5).take(6) {
        let bits = five.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        for symbol in 0..8 {
            if symbol % 4 == 0 && !kid.is_empty() {
                kid.push(':');
            }
            let index = (bits >> (35 - 5 * symbol)) & 31;
            kid.extend(ALPHABET.iter().copied().nth(index as usize).map(char::from));
        }
    }
    kid
}

/// A refusal to make a certificate; nothing was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Empty, longer than 64 characters, or with control characters.
    #[error("certificate name {name:?} is empty, longer than 64 characters or has control characters")]
    Name {
        /// The name.
        name: String,
    },
    /// RFC 5280 §4.1.2.2: a positive number.
    #[error("the certificate's serial number is zero")]
    Serial,
    /// The end is not after the start, or lies beyond the year 9999.
    #[error("a certificate can't be valid from {not_before} to {not_after}")]
    Dates {
        /// Unix seconds.
        not_before: u64,
        /// Unix seconds.
        not_after: u64,
    },
    /// The signer signs by another algorithm than the key verifies.
    #[error("the signer signs by {signer}, the key verifies {key}")]
    Algorithm {
        /// The signer's.
        signer: Algorithm,
        /// The key's.
        key: Algorithm,
    },
    /// Signing failed, or the signature does not verify by the key.
    #[error("the certificate could not be signed by the key it is for")]
    Signature,
    /// rcgen refused what we gave it.
    #[error("the certificate could not be encoded")]
    Encoding,
}

impl Refuse for CertificateFault {
    fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Name { .. } => Some("PUBLISH-CERTIFICATE-NAME"),
            Self::Serial => Some("PUBLISH-CERTIFICATE-SERIAL"),
            Self::Dates { .. } => Some("PUBLISH-CERTIFICATE-DATES"),
            Self::Algorithm { .. } | Self::Signature => Some("PUBLISH-CERTIFICATE-KEY"),
            Self::Encoding => None,
        }
    }

    fn why(&self) -> Vec<String> {
        vec!["no certificate was made".to_owned()]
    }
}

/// A token key in the shape that rcgen signs with.
struct TokenKey<'a> {
    signer: &'a dyn Sign,
    key: &'a PublicKey,
    public_bits: Vec<u8>,
}

impl<'a> TokenKey<'a> {
    fn new(signer: &'a dyn Sign, key: &'a PublicKey) -> Option<Self> {
        let public_bits = der::subject_public_key(&key.to_spki_der())?.to_vec();
        Some(Self { signer, key, public_bits })
    }
}

impl rcgen::PublicKeyData for TokenKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public_bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.key.algorithm() {
            Algorithm::EdDsa | Algorithm::Ed25519 => &rcgen::PKCS_ED25519,
            Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::Rs256 => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

impl rcgen::SigningKey for TokenKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.signer.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        // The caller may have paired a signer with another key: a certificate must never say so.
        self.key.verify(message, &signature).map_err(|_| rcgen::Error::RemoteKeyError)?;
        match self.key.algorithm() {
            Algorithm::Es256 => der::ecdsa_signature(&signature).ok_or(rcgen::Error::RemoteKeyError),
            Algorithm::EdDsa | Algorithm::Ed25519 | Algorithm::Rs256 => Ok(signature),
        }
    }
}

/// RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256 over the public key's bits.
fn key_identifier(public_bits: &[u8]) -> Vec<u8> {
    Sha256::digest(public_bits).iter().copied().take(20).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use x509_parser::pem::parse_x509_pem;
    use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate, X509Version};

    use super::*;
    use crate::publishing::test_keys::{self, TestKey};

    const START: u64 = 1_795_000_000;
    const END: u64 = START + 365 * 86_400;

    fn made(key: &TestKey) -> String {
        make(key, &key.public, "registry/1", [0xff; 16], START, END).unwrap()
    }

    fn keys() -> [TestKey; 3] {
        [test_keys::ed25519(1), test_keys::p256(), test_keys::rsa()]
    }

    #[test]
    fn a_certificate_says_what_it_should_and_no_more() {
        for key in keys() {
            let (_, block) = parse_x509_pem(made(&key).as_bytes()).unwrap();
            let (rest, certificate) = X509Certificate::from_der(&block.contents).unwrap();
            assert!(rest.is_empty());
            assert_eq!(certificate.version(), X509Version::V3);
            assert_eq!(certificate.public_key().raw, key.public.to_spki_der());
            assert_eq!(certificate.subject().to_string(), "CN=registry/1");
            assert_eq!(certificate.issuer(), certificate.subject());
            assert_eq!(certificate.validity().not_before.timestamp(), i64::try_from(START).unwrap());
            assert_eq!(certificate.validity().not_after.timestamp(), i64::try_from(END).unwrap());
            assert_eq!(certificate.raw_serial(), [&[0][..], &[0xff; 16]].concat());
            assert!(!certificate.is_ca());
            assert_eq!(certificate.key_usage().unwrap().unwrap().value.to_string(), "Digital Signature");
            let (mut subject_id, mut authority_id) = (None, None);
            for extension in certificate.extensions() {
                match extension.parsed_extension() {
                    ParsedExtension::SubjectKeyIdentifier(id) => subject_id = Some(id.0.to_vec()),
                    ParsedExtension::AuthorityKeyIdentifier(id) => {
                        authority_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                    }
                    _ => {}
                }
            }
            assert_eq!(subject_id.as_ref().map(Vec::len), Some(20));
            assert_eq!(subject_id, authority_id);
        }
    }

    #[test]
    fn openssl_takes_the_certificates() {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("SKIPPED: no openssl on this machine");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for key in keys() {
            let path = folder.path().join(format!("{}.pem", key.public.algorithm()));
            std::fs::write(&path, made(&key)).unwrap();
            let openssl = |arguments: &[&str]| {
                let output = Command::new("openssl").args(arguments).arg(&path).output().unwrap();
                assert!(output.status.success(), "{arguments:?}: {output:?}");
                String::from_utf8(output.stdout).unwrap()
            };
            let shown = openssl(&["x509", "-noout", "-pubkey", "-in"]);
            assert_eq!(shown.trim(), key.public.to_spki_pem().trim());
            let trusted = path.to_str().unwrap();
            let at = (START + 10).to_string();
            openssl(&["verify", "-check_ss_sig", "-partial_chain", "-attime", &at, "-trusted", trusted]);
        }
    }

    #[test]
    fn a_signer_of_another_key_makes_no_certificate() {
        let fault = make(&test_keys::ed25519(1), &test_keys::ed25519(2).public, "x", [1; 16], START, END);
        assert_eq!(fault, Err(CertificateFault::Signature));
        let fault = make(&test_keys::ed25519(1), &test_keys::p256().public, "x", [1; 16], START, END).unwrap_err();
        assert_eq!(fault.rule(), Some("PUBLISH-CERTIFICATE-KEY"));
    }

    #[test]
    fn names_serials_and_dates_are_bounded() {
        let key = test_keys::ed25519(1);
        let rule =
            |name: &str, serial, start, end| make(&key, &key.public, name, serial, start, end).unwrap_err().rule();
        for name in ["", "a\nb", &"x".repeat(65)] {
            assert_eq!(rule(name, [1; 16], START, END), Some("PUBLISH-CERTIFICATE-NAME"));
        }
        assert_eq!(rule("x", [0; 16], START, END), Some("PUBLISH-CERTIFICATE-SERIAL"));
        for (start, end) in [(END, START), (START, START), (START, LAST_MOMENT + 1), (START, u64::MAX)] {
            assert_eq!(rule("x", [1; 16], start, end), Some("PUBLISH-CERTIFICATE-DATES"));
        }
        assert!(make(&key, &key.public, "x", [1; 16], 0, LAST_MOMENT).is_ok());
    }

    #[test]
    fn libtrust_ids_are_those_of_the_registry_documentation() {
        // The example key of the container registry's page on token authentication, its public half.
        let jwk = br#"{"kty":"EC","crv":"P-256","alg":"ES256","x":"m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q","y":"dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc"}"#;
        let (key, _) = PublicKey::from_jwk(jwk).unwrap();
        assert_eq!(libtrust_kid(&key), "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6");
    }
}
