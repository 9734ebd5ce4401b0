//! The two corners of DER (X.690) that certificates over our keys need.

/// An ECDSA signature as X.509 has it, from JOSE's r‖s (RFC 7518 §3.4 → RFC 3279 §2.2.3).
///
/// `None` unless the input is 64 bytes.
pub(super) fn ecdsa_signature(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() != 64 {
        return None;
    }
    let (r, s) = raw.split_at(32);
    let body = [integer(r), integer(s)].concat();
    // Two integers of at most 35 bytes: the short form of the length always fits.
    let length = u8::try_from(body.len()).ok()?;
    Some([&[0x30, length], body.as_slice()].concat())
}

/// The bits of a SubjectPublicKeyInfo's `subjectPublicKey`, its leading count of unused bits left off.
pub(super) fn subject_public_key(spki: &[u8]) -> Option<&[u8]> {
    let (sequence, []) = element(0x30, spki)? else { return None };
    let (_algorithm, rest) = element(0x30, sequence)?;
    let (bits, []) = element(0x03, rest)? else { return None };
    bits.strip_prefix(&[0])
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    let start = magnitude.iter().position(|byte| *byte != 0).unwrap_or(magnitude.len());
    let digits = magnitude.get(start..).unwrap_or_default();
    let sign = if digits.first().is_none_or(|byte| *byte >= 0x80) { &[0][..] } else { &[] };
    let content = [sign, digits].concat();
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX); // at most 33
    [&[0x02, length], content.as_slice()].concat()
}

/// The content of the element with that tag, and what follows it.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = input.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_positive() {
        let mut raw = [0; 64];
        raw[0] = 0x80; // r needs a sign byte
        raw[63] = 0x01; // s is one byte
        let der = ecdsa_signature(&raw).unwrap();
        assert_eq!(der[..5], [0x30, 38, 0x02, 33, 0x00]);
        assert_eq!(der[37..], [0x02, 1, 0x01]);
        assert_eq!(der.len(), 40);
    }

    #[test]
    fn signatures_of_another_length_are_refused() {
        assert_eq!(ecdsa_signature(&[1; 63]), None);
        assert_eq!(ecdsa_signature(&[1; 65]), None);
    }

    #[test]
    fn damaged_spki_gives_nothing() {
        assert_eq!(subject_public_key(&[]), None);
        assert_eq!(subject_public_key(&[0x30, 0x85, 1, 1, 1, 1, 1]), None);
        assert_eq!(subject_public_key(&[0x30, 0x05, 0x30, 0x00, 0x03, 0x01, 0x01]), None);
        assert_eq!(subject_public_key(&[0x30, 0x06, 0x30, 0x00, 0x03, 0x02, 0x00, 0x07]), Some(&[7][..]));
    }
}
