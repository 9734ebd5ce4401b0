//! Receipts of one verifier, alone or after the last one known.

use serde_json::json;

use crate::chance::{Chance, Change};
use crate::compact::Draft;
use crate::keys::{Key, base64url};
use crate::{Case, NOW, digest};

const TYPE: &str = "coldsign-receipt+jwt";

/// The verifier's key, and others.
pub struct Verifier {
    pub own: Vec<Key>,
    pub others: Vec<Key>,
}

/// A receipt, and who keeps it.
pub struct Handed {
    verifier: &'static Verifier,
    draft: Draft,
}

pub const CHANGES: [(&str, Change<Handed>); 8] = [
    ("receipt of another version", version),
    ("counter at its edge", counter),
    ("another receipt before", before),
    ("receipt of another key", other_key),
    ("key in the receipt changed", key_inside),
    ("member of the receipt changed", member),
    ("kids of the receipt changed", kids),
    ("loaded_at changed", loaded),
];

impl Verifier {
    pub fn receipt(&'static self, counter: u64) -> Draft {
        let own = &self.own[0];
        let mut claims = json!({
            "version": 1, "store": "vectors", "verifier": "api-1", "counter": counter, "root_version": 2, "seq": 5,
            "bundle": "ab".repeat(32), "installed_at": NOW - 500, "loaded_at": NOW - 400, "kids": { "k1": NOW - 5, "k2": null },
            "iat": NOW, "key": own.jwk,
        });
        if counter > 1 {
            claims["prev"] = if counter == 4 { json!(self.digest()) } else { json!("cd".repeat(32)) };
        }
        Draft::new(TYPE, claims, own)
    }

    /// The digest of receipt 3, the last one known.
    fn digest(&'static self) -> String {
        digest(self.receipt(3).signed().as_bytes())
    }

    pub fn case(&'static self, chance: &mut Chance) -> Case {
        let counter = *chance.pick(&[1, 4, 4, 5]);
        let mut handed = Handed { verifier: self, draft: self.receipt(counter) };
        let mut noted = Vec::new();
        for _ in 0..*chance.pick(&[0, 1, 1, 1, 2]) {
            chance.apply(&CHANGES, &mut handed, &mut noted);
        }
        let more = json!({
            "enrolled": chance.pick(&[None, None, Some("enrolled"), Some("enrolled"), Some("enrolled"), Some("another")]),
            "last": if counter > 1 { *chance.pick(&[None, Some("receipt-3"), Some("receipt-3")]) } else { None },
        });
        let text = if chance.one_in(3) {
            handed.draft.changed(chance, &self.others, &mut noted)
        } else {
            handed.draft.signed()
        };
        Case::new("receipt", text, more, noted)
    }
}

fn version(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    handed.draft.claims.set(&["version"], chance.pick(&[json!(0), json!(2), json!("1"), json!(null)]).clone())
}

fn counter(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    let counter = chance.around_one(&[0, 1, 3, 4, (1 << 53) - 1]);
    handed.draft.claims.set(&["counter"], json!(counter))
}

fn before(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    let digest = handed.verifier.digest();
    let values = [json!("ab".repeat(32)), json!(digest.to_uppercase()), json!(digest), json!(null), json!("")];
    let value = chance.pick(&values).clone();
    if chance.one_in(4) { handed.draft.claims.remove(&["prev"]) } else { handed.draft.claims.set(&["prev"], value) }
}

/// Signed by another key, which may be the one inside too; sometimes under the verifier's name.
fn other_key(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    let signer = chance.pick(&handed.verifier.others);
    let mut other = Draft::new(TYPE, handed.draft.claims.clone(), signer);
    if chance.one_in(2) {
        other.claims.set(&["key"], signer.jwk.clone())?;
    }
    if chance.one_in(4) {
        other.header = handed.draft.header.clone();
    }
    handed.draft = other;
    Some(())
}

fn key_inside(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    let other = &handed.verifier.others[0].jwk;
    let (name, value) = chance
        .pick(&[
            ("kid", json!("another")),
            ("kid", json!("")),
            ("kid", json!(null)),
            ("kid", json!("k".repeat(65))),
            ("alg", json!("Ed25519")),
            ("alg", json!("ES256")),
            ("alg", json!("ES384")),
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!(["verify", "verify"])),
            ("key_ops", json!(["verify"])),
            ("d", json!(base64url([1; 32]))),
            ("x", other["x"].clone()),
            ("x", json!(base64url([0; 32]))),
            ("crv", json!("P-256")),
            ("kty", json!("RSA")),
            ("kty", json!("AKP")),
            ("kty", json!("oct")),
            ("note", json!("x")),
        ])
        .clone();
    match chance.below(6) {
        0 => handed.draft.claims.remove(&["key", name]),
        1 => {
            handed.draft.claims.set(&["key"], chance.pick(&[json!(null), json!({}), json!("x"), other.clone()]).clone())
        }
        _ => handed.draft.claims.set(&["key", name], value),
    }
}

fn member(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    let (name, value) = chance
        .pick(&[
            ("store", json!("")),
            ("store", json!("another")),
            ("verifier", json!("")),
            ("verifier", json!("-a")),
            ("verifier", json!("a.b_c-d")),
            ("verifier", json!("API-1")),
            ("verifier", json!("a".repeat(64))),
            ("verifier", json!("a".repeat(65))),
            ("verifier", json!("né")),
            ("root_version", json!(0)),
            ("root_version", json!(1)),
            ("seq", json!(0)),
            ("seq", json!((1_u64 << 53) - 1)),
            ("seq", json!(1_u64 << 53)),
            ("bundle", json!("AB".repeat(32))),
            ("bundle", json!("ab".repeat(33))),
            ("installed_at", json!(0)),
            ("installed_at", json!(NOW + 1)),
            ("installed_at", json!(null)),
            ("iat", json!(0)),
            ("iat", json!("0")),
        ])
        .clone();
    if chance.one_in(6) { handed.draft.claims.remove(&[name]) } else { handed.draft.claims.set(&[name], value) }
}

fn kids(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    let values = [
        json!({}),
        json!({ "": 1 }),
        json!({ "k": 0 }),
        json!({ "k": "1" }),
        json!({ "k": -1 }),
        json!({ "k": 1.5 }),
        json!({ "k": [] }),
        json!({ "k".repeat(65): null }),
        json!([]),
        json!(null),
    ];
    let value = chance.pick(&values).clone();
    if chance.one_in(6) { handed.draft.claims.remove(&["kids"]) } else { handed.draft.claims.set(&["kids"], value) }
}

fn loaded(chance: &mut Chance, handed: &mut Handed) -> Option<()> {
    let value = chance.pick(&[json!(null), json!(0), json!("1"), json!(NOW + 100)]).clone();
    if chance.one_in(3) {
        handed.draft.claims.remove(&["loaded_at"])
    } else {
        handed.draft.claims.set(&["loaded_at"], value)
    }
}
