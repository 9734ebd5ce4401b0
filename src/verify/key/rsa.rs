//! RS256: a checked RSA key over aws-lc.

use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

use super::{BadSignature, KeyError, LARGEST_RSA_BITS, SMALLEST_RSA_BITS, roca};
use crate::algorithm::Algorithm;

/// A modulus and exponent that passed every check, as bytes and ready to verify.
#[derive(Clone)]
pub(super) struct Key {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    parsed: Arc<ParsedPublicKey>,
}

impl Key {
    pub(super) fn new(modulus_be: &[u8], exponent_be: &[u8]) -> Result<Self, KeyError> {
        check_modulus(modulus_be)?;
        check_exponent(exponent_be)?;
        let components = RsaPublicKeyComponents { n: modulus_be, e: exponent_be };
        let parsed = components
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyError::Invalid { algorithm: Algorithm::Rs256 })?;
        Ok(Self { modulus: modulus_be.to_vec(), exponent: exponent_be.to_vec(), parsed: Arc::new(parsed) })
    }

    pub(super) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    pub(super) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        // RFC 8017 §8.2.2 step 1 is aws-lc's: the signature is as long as the modulus.
        self.parsed.verify_sig(message, signature).map_err(|_| BadSignature)
    }
}

fn check_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let bits = match modulus {
        [] => 0,
        [0, ..] => return Err(KeyError::RsaModulus),
        [first, rest @ ..] => 8 - first.leading_zeros() as usize + rest.len().saturating_mul(8),
    };
    if !(SMALLEST_RSA_BITS..=LARGEST_RSA_BITS).contains(&bits) {
        return Err(KeyError::RsaBits { bits });
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        return Err(KeyError::RsaModulus);
    }
    if roca::is_marked(modulus) { Err(KeyError::Roca) } else { Ok(()) }
}

fn check_exponent(exponent: &[u8]) -> Result<(), KeyError> {
    if exponent.is_empty() || exponent.len() > 4 || exponent.first() == Some(&0) {
        return Err(KeyError::RsaExponent);
    }
    let value = exponent.iter().fold(0_u32, |value, byte| (value << 8) | u32::from(*byte));
    if value < 65_537 || value.is_multiple_of(2) { Err(KeyError::RsaExponent) } else { Ok(()) }
}
