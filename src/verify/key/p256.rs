//! ES256: a checked P-256 point over aws-lc.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};

use super::{BadSignature, KeyError};
use crate::algorithm::Algorithm;

const POINT: usize = 65;

/// A point that was found on the curve, as bytes and ready to verify.
#[derive(Clone)]
pub(super) struct Key {
    point: [u8; POINT],
    parsed: Arc<ParsedPublicKey>,
}

impl Key {
    pub(super) fn new(sec1_uncompressed: &[u8]) -> Result<Self, KeyError> {
        let algorithm = Algorithm::Es256;
        let point: [u8; POINT] = sec1_uncompressed.try_into().map_err(|_| KeyError::Length {
            algorithm,
            expected: POINT,
            found: sec1_uncompressed.len(),
        })?;
        // 0x06 and 0x07 (hybrid) are as long: only the uncompressed form is one key, one encoding.
        if point.first() != Some(&0x04) {
            return Err(KeyError::NotAPoint { algorithm });
        }
        let parsed =
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyError::NotAPoint { algorithm })?;
        Ok(Self { point, parsed: Arc::new(parsed) })
    }

    pub(super) fn point(&self) -> &[u8; POINT] {
        &self.point
    }

    pub(super) fn x(&self) -> &[u8] {
        self.point.get(1..33).unwrap_or_default()
    }

    pub(super) fn y(&self) -> &[u8] {
        self.point.get(33..).unwrap_or_default()
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        // aws-lc's fixed form takes exactly 64 bytes, r and s each in 1..n.
        self.parsed.verify_sig(message, signature).map_err(|_| BadSignature)
    }
}
