//! SubjectPublicKeyInfo in DER and PEM for the three kinds of key. Reading accepts exactly
//! what writing makes: one key has one encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes } (RFC 8410 §4).
const ED25519_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes } (RFC 5480 §2).
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// SEQUENCE { rsaEncryption, NULL } (RFC 8017 §A.1).
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

pub(super) fn of_ed25519(key: &[u8]) -> Vec<u8> {
    [ED25519_PREFIX, key].concat()
}

pub(super) fn ed25519_key(der: &[u8]) -> Option<&[u8]> {
    der.strip_prefix(ED25519_PREFIX).filter(|key| key.len() == 32)
}

#[cfg(any(feature = "aws-lc", test))]
pub(super) fn of_p256(point: &[u8]) -> Vec<u8> {
    [P256_PREFIX, point].concat()
}

pub(super) fn p256_point(der: &[u8]) -> Option<&[u8]> {
    der.strip_prefix(P256_PREFIX).filter(|point| point.len() == 65)
}

pub(super) fn of_rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = element(SEQUENCE, &[positive(modulus), positive(exponent)].concat());
    // A BIT STRING begins with its number of unused bits.
    let bits = element(BIT_STRING, &[&[0], numbers.as_slice()].concat());
    element(SEQUENCE, &[RSA_ALGORITHM, &bits].concat())
}

pub(super) fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, _) = content(SEQUENCE, der)?;
    let (bits, _) = content(BIT_STRING, info.strip_prefix(RSA_ALGORITHM)?)?;
    let (numbers, _) = content(SEQUENCE, bits.strip_prefix(&[0])?)?;
    let (modulus, rest) = content(INTEGER, numbers)?;
    let (exponent, _) = content(INTEGER, rest)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let exponent = exponent.strip_prefix(&[0]).unwrap_or(exponent);
    // Whatever was lax above (lengths, leftovers, signs) shows here.
    (of_rsa(modulus, exponent) == der).then_some((modulus, exponent))
}

pub(super) fn to_pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut pem = format!("{PEM_BEGIN}\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(PEM_END);
    pem.push('\n');
    pem
}

/// Lines may end in CR LF and be of any length (RFC 7468 §3, laxly), blanks may surround
/// the block; text before or after it, headers and a second block are refused.
pub(super) fn from_pem(pem: &str) -> Option<Vec<u8>> {
    let body = pem.trim_ascii().strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
    if !body.starts_with(['\r', '\n']) || !body.ends_with('\n') {
        return None;
    }
    STANDARD.decode(body.lines().map(str::trim_ascii).collect::<String>()).ok()
}

fn positive(number: &[u8]) -> Vec<u8> {
    match number.first() {
        Some(first) if *first < 0x80 => element(INTEGER, number),
        _ => element(INTEGER, &[&[0], number].concat()),
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let skip = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(skip..).unwrap_or_default();
    let mut element = vec![tag];
    match length {
        [] => element.push(0),
        [short] if *short < 0x80 => element.push(*short),
        long => {
            element.push(0x80 | long.len() as u8);
            element.extend_from_slice(long);
        }
    }
    element.extend_from_slice(content);
    element
}

/// The content of the first element, which must bear `tag`, and what follows it.
fn content(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [first, length, rest @ ..] = der else { return None };
    if *first != tag {
        return None;
    }
    match length {
        0..=0x7f => rest.split_at_checked(usize::from(*length)),
        0x81 | 0x82 => {
            let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            rest.split_at_checked(length)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pem_is_read_as_openssl_writes_it_and_not_otherwise() {
        let pem = to_pem(&of_ed25519(&[7; 32]));
        assert_eq!(pem.lines().count(), 3);
        let der = from_pem(&pem).unwrap();
        assert_eq!(ed25519_key(&der), Some([7; 32].as_slice()));
        assert_eq!(from_pem(&pem.replace('\n', "\r\n")), Some(der.clone()));
        assert_eq!(from_pem(&format!("\n{pem}\n")), Some(der));
        for broken in [
            pem.replace("PUBLIC", "PRIVATE"),
            pem.replace("PUBLIC", "RSA PUBLIC"),
            pem.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n"),
            format!("{pem}{pem}"),
            format!("comment\n{pem}"),
            pem.replace('=', ""),
            pem.replace('M', "!"),
            pem.replacen('\n', "", 1),
            String::new(),
        ] {
            assert_eq!(from_pem(&broken), None, "{broken}");
        }
    }

    #[test]
    fn a_leading_zero_too_many_or_too_few_is_refused() {
        let der = of_rsa(&[0x81; 256], &[1, 0, 1]);
        assert_eq!(rsa_numbers(&der), Some(([0x81; 256].as_slice(), [1, 0, 1].as_slice())));
        let mut longer = der.clone();
        longer.push(0);
        assert_eq!(rsa_numbers(&longer), None);
        // 02 03 01 00 01 as 02 04 00 01 00 01
        let padded = of_rsa(&[0x81; 256], &[0, 1, 0, 1]);
        assert_eq!(rsa_numbers(&padded), None);
    }

    proptest! {
        #[test]
        fn rsa_round_trip(mut modulus in prop::collection::vec(any::<u8>(), 1..600), mut exponent in prop::collection::vec(any::<u8>(), 1..5)) {
            modulus[0] |= 1;
            exponent[0] |= 1;
            let der = of_rsa(&modulus, &exponent);
            prop_assert_eq!(rsa_numbers(&der), Some((modulus.as_slice(), exponent.as_slice())));
        }

        #[test]
        fn only_the_one_encoding_is_read(position in 0_usize..400, byte: u8, seed: u8) {
            let mut der = of_rsa(&[seed | 1; 256], &[1, 0, 1]);
            let position = position % der.len();
            der[position] = byte;
            if let Some((modulus, exponent)) = rsa_numbers(&der) {
                prop_assert_eq!(of_rsa(modulus, exponent), der);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text: String) {
            let _ = (ed25519_key(&bytes), p256_point(&bytes), rsa_numbers(&bytes), from_pem(&text));
            let der = [&[SEQUENCE], bytes.as_slice()].concat();
            let _ = rsa_numbers(&der);
        }

        #[test]
        fn pem_round_trip(der: Vec<u8>) {
            prop_assume!(!der.is_empty());
            prop_assert_eq!(from_pem(&to_pem(&der)), Some(der));
        }
    }

    #[test]
    fn p256_round_trip() {
        assert_eq!(p256_point(&of_p256(&[4; 65])), Some([4; 65].as_slice()));
    }
}
