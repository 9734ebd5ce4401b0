//! Key sets: keys of every kind, and what can be wrong with one.

use serde_json::{Value, json};

use crate::Case;
use crate::any_json;
use crate::chance::{Chance, Change};
use crate::compact::{blanks, changed_text};
use crate::keys::base64url;
use crate::node::Node;
use crate::tokens::Keys;

/// Changes of one key of a set.
pub const CHANGES: [(&str, Change<Node>); 12] = [
    ("another kty, crv, alg or use", other_kind),
    ("other key_ops", key_ops),
    ("key of a private kind", private),
    ("kid of a key changed", kid),
    ("part of a key gone", part_gone),
    ("coordinate of another length", other_length),
    ("Ed25519 point no point", bad_point),
    ("P-256 point off the curve", off_curve),
    ("RSA modulus at an edge", modulus),
    ("RSA exponent at an edge", exponent),
    ("RSA key of the broken generator", broken_generator),
    ("number in other base64", other_base64),
];

pub fn case(chance: &mut Chance, keys: &Keys) -> Case {
    let count = 1 + chance.below(3);
    let mut elements: Vec<Node> = (0..count).map(|place| element(chance, keys, place)).collect();
    let mut noted = Vec::new();
    for _ in 0..*chance.pick(&[0, 1, 1, 2]) {
        let place = chance.below(count);
        chance.apply(&CHANGES, &mut elements[place], &mut noted);
    }
    let mut set = Node::from(json!({ "keys": [] }));
    set.set(&["keys"], Node::Array(elements));
    let text = match chance.below(6) {
        0 => {
            chance.apply(&any_json::TREE, &mut set, &mut noted);
            set.bytes()
        }
        1 => changed_text(chance, &set, &mut noted),
        2 => blanks(chance, &set, &mut noted),
        _ => set.bytes(),
    };
    Case::new("keys", text, json!({}), noted)
}

/// A key of its own name, sometimes without `alg` or `use`.
fn element(chance: &mut Chance, keys: &Keys, place: usize) -> Node {
    let mut jwk = chance.pick(&keys.known).jwk.clone();
    jwk["kid"] = format!("{place}").into();
    for name in ["alg", "use"] {
        if chance.one_in(4) {
            jwk.as_object_mut().unwrap().remove(name);
        }
    }
    jwk.into()
}

fn other_kind(chance: &mut Chance, key: &mut Node) -> Option<()> {
    const KINDS: [(&str, &[&str]); 4] = [
        ("kty", &["OKP", "EC", "RSA", "oct", "AKP", "okp", ""]),
        ("crv", &["Ed25519", "P-256", "P-384", "X25519", "Ed448", "secp256k1", ""]),
        ("alg", &["EdDSA", "Ed25519", "ES256", "RS256", "ES384", "PS256", "none", "HS256", "ECDH-ES", ""]),
        ("use", &["sig", "enc", "SIG", ""]),
    ];
    for _ in 0..1 + chance.below(2) {
        let (name, values) = *chance.pick(&KINDS);
        if chance.one_in(6) {
            key.remove(&[name]);
        } else {
            key.set(&[name], json!(chance.pick(values)))?;
        }
    }
    Some(())
}

fn key_ops(chance: &mut Chance, key: &mut Node) -> Option<()> {
    let lists = [
        json!(["verify"]),
        json!([]),
        json!(["sign"]),
        json!(["verify", "sign"]),
        json!(["verify", "verify"]),
        json!(["x", "x"]),
        json!([1]),
        json!(["verify", null]),
        json!("verify"),
        json!(null),
        json!({}),
        json!((0..16).map(|each| if each == 0 { "verify".to_owned() } else { each.to_string() }).collect::<Vec<_>>()),
    ];
    key.set(&["key_ops"], chance.pick(&lists).clone())
}

fn private(chance: &mut Chance, key: &mut Node) -> Option<()> {
    let name = *chance.pick(&["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "D", "pub"]);
    key.set(&[name], chance.pick(&[json!("AA"), json!(null), json!([])]).clone())
}

fn kid(chance: &mut Chance, key: &mut Node) -> Option<()> {
    let other: Value = match chance.below(8) {
        0 => return key.remove(&["kid"]),
        1 => "".into(),
        2 => "k".repeat(64 + chance.below(2)).into(),
        3 => "\u{e9}".repeat(64 + chance.below(2)).into(),
        4 => json!(null),
        5 => json!(0),
        _ => chance.below(3).to_string().into(),
    };
    key.set(&["kid"], other)
}

fn part(chance: &mut Chance, key: &mut Node) -> Option<&'static str> {
    let name = *chance.pick(&["x", "y", "n", "e"]);
    key.at(&[name]).map(|_| name)
}

fn part_gone(chance: &mut Chance, key: &mut Node) -> Option<()> {
    let name = part(chance, key)?;
    if chance.one_in(3) {
        key.set(&[name], chance.pick(&[json!(null), json!(1), json!("")]).clone())
    } else {
        key.remove(&[name])
    }
}

fn other_length(chance: &mut Chance, key: &mut Node) -> Option<()> {
    let name = *chance.pick(&["x", "y"]);
    key.at(&[name])?;
    let length = *chance.pick(&[0, 1, 31, 33, 57, 64]);
    key.set(&[name], json!(base64url(vec![chance.pick(&[0_u8, 1, 0xff]).to_owned(); length])))
}

fn bad_point(chance: &mut Chance, key: &mut Node) -> Option<()> {
    (key.string(&["crv"])? == "Ed25519").then_some(())?;
    let mut bytes = *chance.pick(&[[0_u8; 32], [0xff; 32]]);
    // Around 0, 1, 2^255−19 and with the sign bit: of small order, not canonical, or on no curve.
    if chance.one_in(4) {
        bytes.iter_mut().for_each(|byte| *byte = u8::try_from(chance.below(256)).unwrap());
    } else {
        bytes[0] = *chance.pick(&[0, 1, 2, 3, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xff]);
        bytes[31] ^= *chance.pick(&[0, 0x80]);
    }
    key.set(&["x"], json!(base64url(bytes)))
}

fn off_curve(chance: &mut Chance, key: &mut Node) -> Option<()> {
    let y = key.string(&["y"])?;
    let x = key.string(&["x"])?;
    match chance.below(3) {
        0 => key.set(&["x"], json!(y)),
        1 => key.set(&["y"], json!(x)),
        _ => key.set(&[*chance.pick(&["x", "y"])], json!(base64url(chance.pick(&[[0_u8; 32], [0xff; 32]])))),
    }
}

/// Odd numbers of a given length: what nobody has the factors of is sound by the page.
fn modulus(chance: &mut Chance, key: &mut Node) -> Option<()> {
    key.at(&["n"])?;
    let bits = *chance.pick(&[1024, 2040, 2047, 2048, 2049, 3072, 4095, 4096, 4097, 4104]);
    let mut bytes: Vec<u8> = (0..(bits + 7) / 8).map(|_| u8::try_from(chance.below(256)).unwrap()).collect();
    let top = (bits - 1) % 8;
    bytes[0] = u8::try_from((usize::from(bytes[0]) & ((1 << top) - 1)) | (1 << top)).unwrap();
    *bytes.last_mut()? |= u8::from(!chance.one_in(5));
    if chance.one_in(6) {
        bytes.insert(0, 0);
    }
    key.set(&["n"], json!(base64url(bytes)))
}

fn exponent(chance: &mut Chance, key: &mut Node) -> Option<()> {
    key.at(&["e"])?;
    const EXPONENTS: [&[u8]; 12] = [
        &[3],
        &[1],
        &[0],
        &[],
        &[1, 0, 1],
        &[1, 0, 0],
        &[1, 0, 2],
        &[0xff, 0xff],
        &[0, 1, 0, 1],
        &[0xff, 0xff, 0xff, 0xff],
        &[1, 0, 0, 0, 1],
        &[1, 0, 3],
    ];
    key.set(&["e"], json!(base64url(chance.pick(&EXPONENTS))))
}

/// 2048 bits that are a power of 65537 modulo the product of the primes up to 701 (CVE-2017-15361).
fn broken_generator(chance: &mut Chance, key: &mut Node) -> Option<()> {
    key.at(&["n"])?;
    key.set(&["n"], json!(chance.pick(&include_str!("broken_moduli.txt").lines().collect::<Vec<_>>())))
}

fn other_base64(chance: &mut Chance, key: &mut Node) -> Option<()> {
    let name = part(chance, key)?;
    let text = key.string(&[name])?;
    let other = match chance.below(4) {
        0 => format!("{text}="),
        1 => text.replace('-', "+").replace('_', "/"),
        2 => format!("{text}\n"),
        _ => format!("{}B", text.get(..text.len().checked_sub(1)?)?),
    };
    key.set(&[name], json!(other))
}
