//! Roots 1 to 3 with their thresholds, pinned or following one another.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::any_json;
use crate::chance::{Chance, Change};
use crate::compact::{FORM, HEADER, blanks, changed_text};
use crate::keys::{Key, base64url};
use crate::node::Node;
use crate::signatures::{self, Signed};
use crate::tokens::ISSUER;
use crate::{Case, NOW};

const DAY: u64 = 86_400;
pub const TYPE: &str = "coldsign-root+json";

/// Custodians and bundle keys; `strangers` are named by no root.
pub struct Holders {
    pub custodians: Vec<Key>,
    pub bundlers: Vec<Key>,
    pub strangers: Vec<Key>,
}

impl Holders {
    pub fn new() -> Self {
        let keys = |seeds: &[u8]| seeds.iter().map(|seed| Key::ed25519("EdDSA", *seed)).collect();
        Self { custodians: keys(&[1, 2, 3, 4]), bundlers: keys(&[10, 11]), strangers: keys(&[30, 31]) }
    }

    /// Who holds which root: custodians, threshold, bundle keys.
    fn of(&'static self, version: u64) -> (Vec<&'static Key>, u64, Vec<&'static Key>) {
        let [c1, c2, c3, c4] = [0, 1, 2, 3].map(|place| &self.custodians[place]);
        match version {
            1 => (vec![c1], 1, vec![&self.bundlers[0]]),
            2 => (vec![c1, c2, c3], 2, vec![&self.bundlers[0], &self.bundlers[1]]),
            _ => (vec![c2, c3, c4], 2, vec![&self.bundlers[1]]),
        }
    }

    pub fn root(&'static self, version: u64) -> Draft {
        let (custodians, threshold, bundlers) = self.of(version);
        let kids = |keys: &[&Key]| keys.iter().map(|key| Value::from(key.kid.as_str())).collect::<Vec<_>>();
        let payload = json!({
            "format": "coldsign-root", "version": 1, "store": "vectors", "issuer": ISSUER, "root_version": version,
            "iat": NOW - 10 * DAY + version, "exp": NOW + 100 * DAY + version,
            "keys": custodians.iter().chain(&bundlers).map(|key| key.jwk.clone()).collect::<Vec<_>>(),
            "roles": {
                "root": { "kids": kids(&custodians), "threshold": threshold },
                "bundle": { "kids": kids(&bundlers), "threshold": 1 },
            },
        });
        let mut signers = custodians;
        if version > 1 {
            let before = self.of(version - 1).0;
            let more: Vec<&Key> =
                before.into_iter().filter(|key| signers.iter().all(|known| known.kid != key.kid)).collect();
            signers.extend(more);
        }
        let signatures = signers.into_iter().map(Signature::new).collect();
        Draft { payload: payload.into(), signatures, holders: self }
    }
}

/// A signature to be made.
#[derive(Clone)]
struct Signature {
    header: Node,
    signer: &'static Key,
    spoiled: bool,
}

impl Signature {
    fn new(signer: &'static Key) -> Self {
        Self { header: json!({ "alg": "EdDSA", "kid": signer.kid, "typ": TYPE }).into(), signer, spoiled: false }
    }
}

#[derive(Clone)]
pub struct Draft {
    payload: Node,
    signatures: Vec<Signature>,
    holders: &'static Holders,
}

/// Changes of what the root says and of who signs it; the right keys sign it afterwards.
pub const CHANGES: [(&str, Change<Draft>); 16] = [
    ("root of another version", version),
    ("root_version at its edge", root_version),
    ("root's dates at their edges", dates),
    ("threshold at its edge", threshold),
    ("kid of a role changed", role_kid),
    ("key of the root changed", key_changed),
    ("key of the root more or less", key_more),
    ("root of another store or issuer", foreign),
    ("signature missing", signature_missing),
    ("signature twice", signature_twice),
    ("signature by a stranger", by_stranger),
    ("signature under another's name", under_another_name),
    ("signature without its name", without_its_name),
    ("signature spoiled", spoiled),
    ("header of a signature changed", header_changed),
    ("as many signatures as there may be", many_signatures),
];

/// Changes of the file, which nobody signs.
pub const FILE: [(&str, Change<Node>); 5] = [
    ("unprotected header", unprotected),
    ("file's member more", file_member),
    ("base64 in the file changed", file_base64),
    ("signatures in another order", other_order),
    ("file changed as any JSON", file_json),
];

impl Draft {
    pub fn file(&self, chance: &mut Chance) -> Node {
        self.file_over(chance, &self.payload.bytes())
    }

    /// By as few as have to, so that each signature counts.
    fn signed_by_few(&mut self) {
        let few: Vec<&str> = match self.signatures.len() {
            1 => return,
            3 => vec![&self.holders.custodians[0].kid, &self.holders.custodians[1].kid],
            _ => vec![&self.holders.custodians[1].kid, &self.holders.custodians[2].kid],
        };
        self.signatures.retain(|signature| few.contains(&signature.signer.kid.as_str()));
    }

    fn file_over(&self, chance: &mut Chance, payload: &[u8]) -> Node {
        let payload = base64url(payload);
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|each| {
                let protected = base64url(each.header.bytes());
                let message = format!("{protected}.{payload}").into_bytes();
                let signature = each.signer.sign(&message);
                let mut signed = Signed { key: each.signer, others: &self.holders.strangers, message, signature };
                if each.spoiled {
                    signatures::change(chance, &mut signed, &mut Vec::new());
                }
                json!({ "protected": protected, "signature": base64url(signed.signature) })
            })
            .collect();
        json!({ "payload": payload, "signatures": signatures }).into()
    }
}

fn changed(mut draft: Draft, chance: &mut Chance, noted: &mut Vec<&'static str>) -> Vec<u8> {
    if chance.one_in(2) {
        draft.signed_by_few();
    }
    for _ in 0..*chance.pick(&[0, 1, 1, 1, 2]) {
        chance.apply(&CHANGES, &mut draft, noted);
    }
    let payload = match chance.below(8) {
        0 => {
            chance.apply(&any_json::TREE, &mut draft.payload, noted);
            draft.payload.bytes()
        }
        1 => changed_text(chance, &draft.payload, noted),
        2 => blanks(chance, &draft.payload, noted),
        _ => draft.payload.bytes(),
    };
    let mut file = draft.file_over(chance, &payload);
    let mut bytes = match chance.below(12) {
        0 | 1 => {
            chance.apply(&FILE, &mut file, noted);
            file.bytes()
        }
        2 => changed_text(chance, &file, noted),
        3 => blanks(chance, &file, noted),
        _ => file.bytes(),
    };
    if chance.one_in(40) {
        noted.push("file at its longest");
        let longest = usize::try_from(chance.around(64 * 1024)).unwrap();
        bytes.resize(longest.max(bytes.len()), b' ');
    }
    bytes
}

pub fn pinned(chance: &mut Chance, holders: &'static Holders) -> Case {
    let draft = holders.root(1 + chance.below(3) as u64);
    let mut noted = Vec::new();
    let bytes = changed(draft, chance, &mut noted);
    let compared = if chance.one_in(30) {
        noted.push("another fingerprint");
        Sha256::digest([bytes.as_slice(), b"\n"].concat())
    } else {
        Sha256::digest(&bytes)
    };
    let fingerprint: String = compared.iter().map(|byte| format!("{byte:02x}")).collect();
    Case::new("pinned-root", bytes, json!({ "fingerprint": fingerprint }), noted)
}

pub fn next(chance: &mut Chance, holders: &'static Holders) -> Case {
    let trusted = 1 + chance.below(2) as u64;
    let mut noted = Vec::new();
    let mut version = trusted + 1;
    if chance.one_in(12) {
        noted.push("another root than the next");
        version = 1 + chance.below(3) as u64;
    }
    let bytes = changed(holders.root(version), chance, &mut noted);
    let skew = *chance.pick(&[0, 60, DAY]);
    let mut now = NOW;
    if chance.one_in(10) {
        noted.push("clock at an edge of the root");
        let edges = [NOW + 100 * DAY + version, (NOW - 10 * DAY + version).saturating_sub(skew)];
        let edge = *chance.pick(&edges);
        now = chance.around(edge);
    }
    Case::new("next-root", bytes, json!({ "trusted": format!("root-{trusted}"), "now": now, "skew": skew }), noted)
}

/// What is noted besides the tables.
pub const MORE: [&str; 4] =
    ["file at its longest", "another fingerprint", "another root than the next", "clock at an edge of the root"];

fn version(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    if chance.one_in(2) {
        return draft
            .payload
            .set(&["version"], chance.pick(&[json!(0), json!(2), json!("1"), json!(null), json!(1.0)]).clone());
    }
    draft
        .payload
        .set(&["format"], chance.pick(&[json!("coldsign-root"), json!("Coldsign-root"), json!(""), json!(1)]).clone())
}

fn root_version(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let number = draft.payload.number(&["root_version"])?;
    let number = chance.around_one(&[0, number, (1 << 53) - 1]);
    draft.payload.set(&["root_version"], json!(number))
}

fn dates(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let iat = draft.payload.number(&["iat"])?;
    let exp = chance.around_one(&[iat, NOW, (1 << 53) - 1]);
    if chance.one_in(2) { draft.payload.set(&["exp"], json!(exp)) } else { draft.payload.set(&["iat"], json!(exp)) }
}

fn threshold(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let role = *chance.pick(&["root", "bundle"]);
    let count = draft.payload.at(&["roles", role, "kids"])?.elements()?.len() as u64;
    let threshold = chance.around_one(&[0, 1, count]);
    draft.payload.set(&["roles", role, "threshold"], json!(threshold))
}

fn role_kid(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let role = *chance.pick(&["root", "bundle"]);
    let other = draft.payload.string(&["roles", *chance.pick(&["root", "bundle"]), "kids", "0"])?;
    let kids = draft.payload.at(&["roles", role, "kids"])?.elements()?;
    match chance.below(5) {
        0 => drop(kids.pop()),
        1 => kids.push(json!("unknown").into()),
        2 => kids.push(json!(other).into()),
        3 => kids.push(json!(1).into()),
        // The same one twice, in the place of another.
        _ => {
            let first = kids.first()?.clone();
            *kids.last_mut()? = first;
        }
    }
    if chance.one_in(3) {
        kids.reverse();
    }
    Some(())
}

fn key_changed(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let count = draft.payload.at(&["keys"])?.elements()?.len();
    let place = chance.below(count).to_string();
    let stranger = &draft.holders.strangers[0].jwk;
    let (name, value) = chance
        .pick(&[
            ("alg", json!("Ed25519")),
            ("alg", json!("ES256")),
            ("alg", json!(null)),
            ("use", json!("enc")),
            ("use", json!(null)),
            ("kid", json!("custodian")),
            ("kid", stranger["kid"].clone()),
            ("x", stranger["x"].clone()),
            ("x", json!(base64url([0; 32]))),
            ("crv", json!("X25519")),
            ("kty", json!("EC")),
            ("d", json!(base64url([1; 32]))),
            ("key_ops", json!(["verify"])),
            ("key_ops", json!(["sign"])),
            ("note", json!("of the safe")),
        ])
        .clone();
    if chance.one_in(5) {
        draft.payload.remove(&["keys", &place, name])
    } else {
        draft.payload.set(&["keys", &place, name], value)
    }
}

fn key_more(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let stranger = draft.holders.strangers[0].jwk.clone();
    let keys = draft.payload.at(&["keys"])?.elements()?;
    match chance.below(4) {
        0 => drop(keys.pop()),
        1 => keys.push(stranger.into()),
        2 => keys.extend(keys.first().cloned()),
        _ => keys.reverse(),
    }
    Some(())
}

fn foreign(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let value = chance.pick(&[json!("another"), json!(""), json!(null), json!("x".repeat(300))]).clone();
    draft.payload.set(&[*chance.pick(&["store", "issuer"])], value)
}

fn signature_missing(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    (!draft.signatures.is_empty()).then(|| drop(draft.signatures.remove(chance.below(draft.signatures.len()))))
}

fn signature_twice(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let count = draft.signatures.len();
    let again = draft.signatures.get(chance.below(count))?.clone();
    // In the place of another: two signatures of one key are one.
    if chance.one_in(2) {
        draft.signatures[chance.below(count)] = again
    } else {
        draft.signatures.push(again)
    }
    Some(())
}

fn by_stranger(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let holders = draft.holders;
    let keys = [&holders.strangers[0], &holders.strangers[1], &holders.bundlers[0], &holders.custodians[3]];
    let signer = *chance.pick(&keys);
    let signature = Signature::new(signer);
    if chance.one_in(2) && !draft.signatures.is_empty() {
        draft.signatures[0] = signature;
    } else {
        draft.signatures.push(signature);
    }
    Some(())
}

fn under_another_name(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let count = draft.signatures.len();
    let stranger = &draft.holders.strangers[0];
    let one = draft.signatures.get_mut(chance.below(count))?;
    if chance.one_in(2) {
        one.signer = stranger;
        return Some(());
    }
    let mut more = one.clone();
    more.signer = stranger;
    let at = chance.below(count + 1);
    draft.signatures.insert(at, more);
    Some(())
}

/// It holds, but under a name that is another key's or nobody's.
fn without_its_name(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let count = draft.signatures.len();
    let others = [&draft.holders.custodians[0].kid, &draft.holders.custodians[3].kid, &draft.holders.strangers[0].kid];
    let kid = (*chance.pick(&others)).clone();
    draft.signatures.get_mut(chance.below(count))?.header.set(&["kid"], json!(kid))
}

fn spoiled(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let count = draft.signatures.len();
    draft.signatures.get_mut(chance.below(count))?.spoiled = true;
    Some(())
}

fn header_changed(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let count = draft.signatures.len();
    let mut changed = draft.signatures.get(chance.below(count))?.clone();
    chance.apply(&HEADER, &mut changed.header, &mut Vec::new());
    if chance.one_in(2) {
        draft.signatures[0] = changed
    } else {
        draft.signatures.push(changed)
    }
    Some(())
}

fn many_signatures(chance: &mut Chance, draft: &mut Draft) -> Option<()> {
    let many = 31 + chance.below(3);
    let stranger = Signature::new(&draft.holders.strangers[0]);
    draft.signatures.resize(many, stranger);
    Some(())
}

fn unprotected(chance: &mut Chance, file: &mut Node) -> Option<()> {
    file.set(&["signatures", "0", "header"], chance.pick(&[json!({}), json!({ "kid": "x" }), json!(null)]).clone())
}

fn file_member(chance: &mut Chance, file: &mut Node) -> Option<()> {
    file.set(
        &[*chance.pick(&["x", "protected", "signature", "header", "critical"])],
        chance.pick(&[json!(""), json!([])]).clone(),
    )
}

fn file_base64(chance: &mut Chance, file: &mut Node) -> Option<()> {
    let paths: [&[&str]; 3] = [&["payload"], &["signatures", "0", "protected"], &["signatures", "0", "signature"]];
    let path = *chance.pick(&paths);
    let mut text = file.string(path)?;
    // A change of the text that a lone part has too.
    chance.apply(&FORM[..4], &mut text, &mut Vec::new());
    file.set(path, json!(text))
}

fn other_order(_: &mut Chance, file: &mut Node) -> Option<()> {
    file.at(&["signatures"])?.elements()?.reverse();
    Some(())
}

fn file_json(chance: &mut Chance, file: &mut Node) -> Option<()> {
    chance.apply(&any_json::TREE, file, &mut Vec::new());
    Some(())
}
