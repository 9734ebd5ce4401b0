//! Signatures that ought not to hold, and some that look so and do.

use aws_lc_rs::signature;

use crate::chance::{Chance, Change};
use crate::keys::{Key, Private};

/// A signature with the key and the message that it is over.
pub struct Signed {
    pub key: &'static Key,
    pub others: &'static [Key],
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
}

/// Changes of any signature.
pub const COMMON: [(&str, Change<Signed>); 7] = [
    ("signature of another key", of_another_key),
    ("signature over something else", over_something_else),
    ("signature with a bit changed", bit_changed),
    ("signature shorter", shorter),
    ("signature longer", longer),
    ("no signature", none),
    ("signature of zeros", zeros),
];

pub const ES256: [(&str, Change<Signed>); 3] =
    [("ES256 with the other s", other_s), ("ES256 with r or s at an edge", edge_of_order), ("ES256 in DER", der)];

pub const ED25519: [(&str, Change<Signed>); 3] = [
    ("Ed25519 with s beyond the order", s_beyond),
    ("Ed25519 over a point of small order", small_order),
    ("Ed25519 with a part of small order", part_of_small_order),
];

pub const RS256: [(&str, Change<Signed>); 2] =
    [("RS256 with another hash or padding", other_padding), ("RS256 with a zero before", zero_before)];

/// Changes the signature in one way, half of the time in one of its algorithm's own.
pub fn change(chance: &mut Chance, signed: &mut Signed, noted: &mut Vec<&'static str>) {
    let own: &[_] = match signed.key.private {
        Private::Ed25519(_) => &ED25519,
        Private::P256(_) => &ES256,
        Private::Rsa(_) => &RS256,
    };
    let table = if chance.one_in(2) { own } else { &COMMON };
    chance.apply(table, signed, noted);
}

/// The order of P-256's group (FIPS 186-5).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of Ed25519's group, little-endian (RFC 8032 §5.1).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn of_another_key(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    signed.signature = chance.pick(signed.others).sign(&signed.message);
    Some(())
}

fn over_something_else(_: &mut Chance, signed: &mut Signed) -> Option<()> {
    signed.signature = signed.key.sign(&[signed.message.as_slice(), b"x"].concat());
    Some(())
}

fn bit_changed(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    let at = chance.below(signed.signature.len());
    signed.signature[at] ^= 1 << chance.below(8);
    Some(())
}

fn shorter(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    let at = *chance.pick(&[0, signed.signature.len() - 1]);
    signed.signature.remove(at);
    Some(())
}

fn longer(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    signed.signature.extend(std::iter::repeat_n(0, 1 + chance.below(64)));
    Some(())
}

fn none(_: &mut Chance, signed: &mut Signed) -> Option<()> {
    signed.signature.clear();
    Some(())
}

fn zeros(_: &mut Chance, signed: &mut Signed) -> Option<()> {
    signed.signature.fill(0);
    Some(())
}

/// ECDSA holds for n − s wherever it holds for s: accepted, as RFC 7518 §3.4 has it.
fn other_s(_: &mut Chance, signed: &mut Signed) -> Option<()> {
    let other = difference(&P256_ORDER, &signed.signature[32..]);
    signed.signature[32..].copy_from_slice(&other);
    Some(())
}

fn edge_of_order(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    let one: Vec<u8> = (0..32).map(|place| u8::from(place == 31)).collect();
    let edge = chance
        .pick(&[vec![0; 32], P256_ORDER.to_vec(), difference(&P256_ORDER, &one), vec![0xff; 32], one.clone()])
        .clone();
    let at = 32 * chance.below(2);
    signed.signature[at..at + 32].copy_from_slice(&edge);
    Some(())
}

fn der(_: &mut Chance, signed: &mut Signed) -> Option<()> {
    let integer = |half: &[u8]| {
        let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if digits.first().is_some_and(|first| first & 0x80 != 0) { vec![0] } else { Vec::new() };
        [vec![2, u8::try_from(sign.len() + digits.len()).unwrap()], sign, digits].concat()
    };
    let body = [integer(&signed.signature[..32]), integer(&signed.signature[32..])].concat();
    signed.signature = [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat();
    Some(())
}

fn s_beyond(_: &mut Chance, signed: &mut Signed) -> Option<()> {
    let mut carry = 0_u16;
    for (byte, more) in signed.signature[32..].iter_mut().zip(ED25519_ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    Some(())
}

/// The first half is the neutral point or another of small order, in all its encodings: the equation alone may hold.
fn small_order(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    let Private::Ed25519(key) = &signed.key.private else { return None };
    signed.signature = match chance.below(3) {
        0 => key.sign_with_torsion(0, chance.below(8), &signed.message),
        // The neutral point as y = p + 1, and with the sign of x that is not there.
        1 => key.with_point(&encoded(0xee, 0xff, 0x7f), &0_u64.into(), &signed.message),
        _ => key.with_point(&encoded(0x01, 0x00, 0x80), &0_u64.into(), &signed.message),
    };
    Some(())
}

fn encoded(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    (bytes[0], bytes[31]) = (first, last);
    bytes
}

/// Holds where both sides of the equation are multiplied by eight, and nowhere else.
fn part_of_small_order(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    let Private::Ed25519(key) = &signed.key.private else { return None };
    signed.signature = key.sign_with_torsion(chance.number(), 1 + chance.below(7), &signed.message);
    Some(())
}

fn other_padding(chance: &mut Chance, signed: &mut Signed) -> Option<()> {
    let how: &'static dyn signature::RsaEncoding =
        if chance.one_in(2) { &signature::RSA_PKCS1_SHA512 } else { &signature::RSA_PSS_SHA256 };
    signed.signature = signed.key.sign_rsa(how, &signed.message);
    Some(())
}

fn zero_before(_: &mut Chance, signed: &mut Signed) -> Option<()> {
    signed.signature.insert(0, 0);
    Some(())
}

/// a − b of big-endian numbers of one length, a ≥ b.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0_i16;
    let mut digits: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let digit = i16::from(*a) - i16::from(*b) - borrow;
            borrow = i16::from(digit < 0);
            u8::try_from(digit.rem_euclid(256)).unwrap()
        })
        .collect();
    digits.reverse();
    digits
}
