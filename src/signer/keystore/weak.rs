//! Private keys that can be guessed or computed: looked for in what an import brings.
//!
//! Each check has a chance below 2^-50 to refuse an honest key. Debian's weak keys of 2006 to 2008
//! are not looked for: that takes a list of a hundred thousand.

use super::printed;
use coldsign_verify::{Algorithm, KeyError, PublicKey};
use crypto_bigint::{BoxedUint, Limb};
use crypto_primes::{Flavor, is_prime};
use ed25519::pkcs8::spki::der::asn1::{OctetStringRef, UintRef};
use ed25519::pkcs8::spki::der::{Header, Reader, SliceReader, Tag};
use ed25519::pkcs8::{KeypairBytes, PrivateKeyInfoRef};
use zeroize::Zeroizing;

/// How many equal bytes in a row chance does not bring.
const LONG_RUN: usize = 8;
/// The longest pattern that is looked for, in bytes.
const LONGEST_PATTERN: usize = 16;
/// p/q near to a ratio of such numbers is found as fast as p near to q (Lehman).
const LARGEST_RATIO: u64 = 16;
/// The order of the group of P-256 (SP 800-186 §3.2.1.3).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Why a private key is as good as public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Somebody printed it.
    #[error("the key is printed in {0}: everybody has it")]
    Printed(&'static str),
    /// RSA: p = q.
    #[error("the RSA key's two primes are the same number: anybody can compute the key")]
    OnePrime,
    /// RSA: p near q, or near a simple ratio of it.
    #[error("the RSA key's primes are too close together: anybody can compute the key (Fermat)")]
    ClosePrimes,
    /// RSA: p or q is composite.
    #[error("the RSA key's factors are not both prime")]
    NoPrime,
    /// RSA: p or q has a long run of equal bytes, or a pattern.
    #[error("a prime of the RSA key is not random: its bytes are equal, or repeat, over a long stretch")]
    RoundPrime,
    /// RSA: `e` is not taken.
    #[error("the RSA key's public exponent is too small, too large or even; 65537 is the usual one")]
    Exponent,
    /// RSA: CVE-2017-15361.
    #[error("the RSA key comes from a broken key generator: anybody can compute it (ROCA, CVE-2017-15361)")]
    Roca,
    /// P-256: near zero.
    #[error("the P-256 private key is a small number: anybody can find it")]
    Small,
    /// P-256: near the group's order.
    #[error("the P-256 private key is next to the largest one: anybody can find it")]
    Largest,
    /// Bytes that no generator of random numbers gave.
    #[error("the private key is not random: {0}")]
    Pattern(&'static str),
}

/// Looks at a PKCS#8 document. What can't be read passes: whoever loads it refuses it.
pub(super) fn of_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<(), Weakness> {
    let Ok(info) = PrivateKeyInfoRef::try_from(der) else { return Ok(()) };
    let inner = info.private_key.as_bytes();
    match algorithm {
        Algorithm::EdDsa | Algorithm::Ed25519 => match KeypairBytes::try_from(info) {
            Ok(pair) => of_seed(&Zeroizing::new(pair.secret_key)[..]),
            Err(_) => Ok(()),
        },
        Algorithm::Es256 => scalar(inner).map_or(Ok(()), of_scalar),
        Algorithm::Rs256 => numbers(inner).map_or(Ok(()), |[n, e, p, q]| of_rsa(n, e, p, q)),
    }
}

/// An Ed25519 seed.
pub(super) fn of_seed(seed: &[u8]) -> Result<(), Weakness> {
    pattern(seed).map_or(Ok(()), |pattern| Err(Weakness::Pattern(pattern)))
}

/// A P-256 private key, big-endian.
pub(super) fn of_scalar(scalar: &[u8]) -> Result<(), Weakness> {
    let significant: Vec<u8> = scalar.iter().copied().skip_while(|byte| *byte == 0).collect();
    let significant = Zeroizing::new(significant);
    if significant.len() <= 32 - LONG_RUN {
        return Err(Weakness::Small);
    }
    let mut whole = Zeroizing::new([0; 32]);
    let Some(start) = whole.len().checked_sub(significant.len()) else { return Ok(()) };
    whole.iter_mut().skip(start).zip(significant.iter()).for_each(|(to, from)| *to = *from);
    let from_order = Zeroizing::new(difference(&P256_ORDER, &whole));
    if from_order.iter().take(LONG_RUN).all(|byte| *byte == 0) {
        return Err(Weakness::Largest);
    }
    of_seed(&whole[..])
}

/// The numbers of an RSA key, big-endian. Where n is not p·q nothing is said: it is no key.
pub(super) fn of_rsa(n: &[u8], e: &[u8], p: &[u8], q: &[u8]) -> Result<(), Weakness> {
    match PublicKey::rsa(n, e) {
        Err(KeyError::Roca) => return Err(Weakness::Roca),
        Err(KeyError::RsaExponent) => return Err(Weakness::Exponent),
        Err(_) => return Ok(()),
        Ok(_) => {}
    }
    // Room for the multiples that are compared, and no more than any key needs.
    let bits = u32::try_from(n.len()).unwrap_or(u32::MAX).saturating_mul(8);
    let read = |number: &[u8]| BoxedUint::from_be_slice(trimmed(number), bits).ok().map(Zeroizing::new);
    let (Some(modulus), Some(p), Some(q)) = (read(n), read(p), read(q)) else { return Ok(()) };
    if Zeroizing::new(p.wrapping_mul(&*q)) != modulus || *p == BoxedUint::one() || *q == BoxedUint::one() {
        return Ok(());
    }
    if p == q {
        return Err(Weakness::OnePrime);
    }
    if are_close(&p, &q, bits) {
        return Err(Weakness::ClosePrimes);
    }
    for prime in [&p, &q] {
        if is_round(&Zeroizing::new(prime.to_be_bytes_trimmed_vartime())) {
            return Err(Weakness::RoundPrime);
        }
        // The library's copies on the way are not wiped: the key lies in a plain file as well.
        if !is_prime(Flavor::Any, &**prime) {
            return Err(Weakness::NoPrime);
        }
    }
    Ok(())
}

/// A key that is printed somewhere.
pub(super) fn of_public(thumbprint: &str) -> Result<(), Weakness> {
    printed::place(thumbprint).map_or(Ok(()), |place| Err(Weakness::Printed(place)))
}

/// FIPS 186-5 §A.1.3 wants |p − q| > 2^(nlen/2 − 100); the same for small multiples of both.
fn are_close(p: &BoxedUint, q: &BoxedUint, bits: u32) -> bool {
    let least = (bits / 2).saturating_sub(100);
    (1..=LARGEST_RATIO).any(|u| {
        (1..=LARGEST_RATIO).any(|v| {
            let (left, right) = (times(p, u), times(q, v));
            let apart =
                Zeroizing::new(if *left > *right { left.wrapping_sub(&*right) } else { right.wrapping_sub(&*left) });
            apart.bit_width_vartime() <= least
        })
    })
}

fn times(number: &BoxedUint, factor: u64) -> Zeroizing<BoxedUint> {
    let mut factor_wide = BoxedUint::zero_with_precision(number.bits_precision());
    if let Some(lowest) = factor_wide.as_mut_limbs().first_mut() {
        *lowest = Limb::from(factor);
    }
    Zeroizing::new(number.wrapping_mul(&factor_wide))
}

/// Whether a prime was not drawn at random. Its last bytes are where the search for it ended.
fn is_round(prime: &[u8]) -> bool {
    let drawn = prime.get(1..prime.len().saturating_sub(LONG_RUN)).unwrap_or_default();
    has_run(drawn) || repeats(drawn)
}

fn pattern(bytes: &[u8]) -> Option<&'static str> {
    let first = bytes.first().copied().unwrap_or_default();
    let steps = || bytes.windows(2).map(|pair| pair.last().zip(pair.first()).map(|(to, from)| to.wrapping_sub(*from)));
    if bytes.iter().all(|byte| *byte == first) {
        return Some(match first {
            0 => "all its bytes are 0",
            0xff => "all its bytes are 255",
            _ => "it is one byte, repeated",
        });
    }
    if repeats(bytes) {
        return Some("it repeats itself");
    }
    if steps().all(|step| Some(step) == steps().next()) {
        return Some("its bytes count up or down");
    }
    if has_run(bytes) {
        return Some("many bytes in a row are the same");
    }
    bytes.iter().all(|byte| (0x20..0x7f).contains(byte)).then_some("it is text, not random bytes")
}

fn has_run(bytes: &[u8]) -> bool {
    bytes.windows(LONG_RUN).any(|run| run.iter().all(|byte| Some(byte) == run.first()))
}

fn repeats(bytes: &[u8]) -> bool {
    let repeats = |period: usize| bytes.iter().zip(bytes.iter().skip(period)).all(|(one, other)| one == other);
    (1..=LONGEST_PATTERN.min(bytes.len() / 2)).any(repeats)
}

/// a − b of two numbers of 32 bytes, modulo 2^256.
fn difference(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut borrow = false;
    let mut result = [0; 32];
    for ((to, one), other) in result.iter_mut().zip(a).zip(b).rev() {
        let (without, first) = one.overflowing_sub(*other);
        let (with, second) = without.overflowing_sub(u8::from(borrow));
        *to = with;
        borrow = first || second;
    }
    result
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The private number of an ECPrivateKey (RFC 5915 §3).
fn scalar(inner: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(inner).ok()?;
    sequence(&mut reader)?;
    reader.decode::<u8>().ok()?;
    reader.decode::<&OctetStringRef>().ok().map(OctetStringRef::as_bytes)
}

/// n, e, p, q of an RSAPrivateKey (RFC 8017 §A.1.2).
fn numbers(inner: &[u8]) -> Option<[&[u8]; 4]> {
    let mut reader = SliceReader::new(inner).ok()?;
    sequence(&mut reader)?;
    reader.decode::<u8>().ok()?;
    let mut number = || reader.decode::<UintRef<'_>>().ok().map(|number| number.as_bytes());
    let (n, e, _d) = (number()?, number()?, number()?);
    Some([n, e, number()?, number()?])
}

/// Steps into a SEQUENCE.
fn sequence(reader: &mut SliceReader<'_>) -> Option<()> {
    let header = reader.decode::<Header>().ok()?;
    (header.tag() == Tag::Sequence).then_some(())
}

#[cfg(test)]
mod tests;
