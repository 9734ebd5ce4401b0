//! What somebody makes with a store's files alone: every key replaced, every signature anew.

use crate::ground::Ground;
use crate::pen::{Pages, Pen, Written};
use crate::tree::{Node, Tree, bytes};
use age::secrecy::SecretString;
use coldsign::journal::{hex, sha256};
use coldsign::keystore::{RsaBits, SealingIdentity, SecretKey, seal_onto};
use coldsign_verify::root::{self, Root, Terms};
use coldsign_verify::{Algorithm, PublicKey, UnixTime, base64url};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::iter::once;

/// What becomes of the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roots {
    /// Root 1 is the forger's.
    Replaced,
    /// The genuine roots stay; a draft that names the forger's bundle key waits for the genuine custodians.
    Draft,
}

/// A key in another's place.
pub struct Swapped {
    pub kid: String,
    pub jwk: Value,
    pub pem: String,
}

/// The forged store, and what its forger knows.
pub struct Forged {
    pub files: Tree,
    pub kids: Vec<String>,
}

/// Seals to recipients.
pub fn sealed_to(recipients: &[String], text: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    seal_onto(recipients, text, &mut sealed).unwrap();
    sealed
}

/// Seals to a passphrase.
pub fn wrapped_by(passphrase: &str, text: &[u8]) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(10);
    let encryptor = age::Encryptor::with_recipients(once(&recipient as &dyn age::Recipient)).unwrap();
    let mut sealed = Vec::new();
    let mut to = encryptor.wrap_output(&mut sealed).unwrap();
    to.write_all(text).unwrap();
    to.finish().unwrap();
    sealed
}

/// The recipients of all unlocks, as the journal tells everybody.
pub fn recipients(lines: &[Written]) -> Vec<String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for line in lines {
        let text = |member: &str| line.members[member].as_str().unwrap().to_owned();
        match line.kind.as_str() {
            "unlock.added" | "unlock.changed" => drop(all.insert(text("name"), text("recipient"))),
            "unlock.removed" => drop(all.remove(&text("name"))),
            _ => {}
        }
    }
    all.into_values().collect()
}

/// What a seal says.
pub fn seal_text(sealing: &SealingIdentity, journal_key: &[u8; 32], first_line: &str, store_id: &str) -> Vec<u8> {
    serde_json::to_vec(&json!({
        "format": "coldsign-seal", "version": 1, "sealing_identity": sealing.expose().as_str(),
        "journal_key": base64url::encode(journal_key), "store_id": store_id,
        "genesis": hex(&sha256(first_line.as_bytes())),
    }))
    .unwrap()
}

fn swap_text(value: &Value, swap: &BTreeMap<String, Swapped>) -> Value {
    match value {
        Value::String(text) => Value::String(swap.get(text).map_or_else(|| text.clone(), |key| key.kid.clone())),
        Value::Array(all) => all.iter().map(|one| swap_text(one, swap)).collect(),
        Value::Object(all) => Value::Object(
            all.iter()
                .map(|(name, value)| {
                    (swap.get(name).map_or_else(|| name.clone(), |key| key.kid.clone()), swap_text(value, swap))
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

fn public(jwk: &Value) -> PublicKey {
    PublicKey::ed25519(Algorithm::EdDsa, &base64url::decode(jwk["x"].as_str().unwrap()).unwrap()).unwrap()
}

/// Forges a store from its files.
pub fn forge(store: &Tree, roots: Roots) -> Forged {
    let pages = Pages::of(bytes(store, "journal/entries.jsonl").unwrap());
    let lines = pages.written();
    let mut files = store.clone();
    let journal = Pen::new();
    let sealing = SealingIdentity::generate();
    let mut custodians: BTreeMap<String, Pen> = BTreeMap::new();
    let mut swap: BTreeMap<String, Swapped> = BTreeMap::new();
    let newest_journal = lines
        .iter()
        .rfind(|line| line.kind == "key.generated" && line.members["purpose"] == "journal")
        .map(|line| line.members["kid"].clone())
        .unwrap();
    for line in lines.iter().filter(|line| line.kind == "key.generated") {
        let kid = line.members["kid"].as_str().unwrap().to_owned();
        let of_pen = |pen: &Pen| Swapped { kid: pen.kid().to_owned(), jwk: pen.jwk(), pem: pen.pem() };
        let swapped = match line.members["purpose"].as_str().unwrap() {
            "journal" if line.members["kid"] == newest_journal => of_pen(&journal),
            "root" if roots == Roots::Draft => continue,
            "bundle" if roots == Roots::Draft => continue,
            "root" => {
                let pen = Pen::new();
                let swapped = of_pen(&pen);
                custodians.insert(kid.clone(), pen);
                swapped
            }
            _ => {
                let algorithm: Algorithm = line.members["jwk"]["alg"].as_str().unwrap().parse().unwrap();
                let key = SecretKey::generate(algorithm, RsaBits::Two).unwrap();
                let (kid, pem) = (key.kid().to_owned(), key.expose_pkcs8_pem().unwrap().to_string());
                Swapped { jwk: key.public().to_jwk(&kid), kid, pem }
            }
        };
        swap.insert(kid, swapped);
    }
    let generation = lines.iter().filter(|line| line.kind == "seal.generation").count();
    let folder = format!("sealed/{generation}");
    let mut first = lines[0].clone();
    first.members.insert("journal_key".to_owned(), base64url::encode(&journal.public()).into());
    let mut draft = Pages::new(&pages.store_id);
    draft.push(&first);
    let first_line = String::from_utf8(draft.bytes()).unwrap();
    let seal = seal_text(&sealing, &journal.public(), first_line.trim_end(), &pages.store_id);
    files.retain(|path, _| !path.starts_with("sealed/"));
    let mut digests: BTreeMap<String, String> = BTreeMap::new();
    let mut keep = |files: &mut Tree, name: &str, bytes: Vec<u8>| {
        digests.insert(name.to_owned(), hex(&sha256(&bytes)));
        files.insert(format!("{folder}/{name}"), Node::File(bytes));
    };
    keep(&mut files, "seal.age", sealed_to(&recipients(&lines), &seal));
    for (_, key) in swap.iter().filter(|(kid, _)| !custodians.contains_key(*kid)) {
        keep(&mut files, &format!("key-{}.age", key.kid), sealed_to(&[sealing.recipient()], key.pem.as_bytes()));
    }
    for (kid, key) in &swap {
        if let Some(certificate) = files.remove(&format!("certificates/{kid}.pem")) {
            files.insert(format!("certificates/{}.pem", key.kid), certificate);
        }
    }
    let bundle = Pen::new();
    let mut rooted = RootForger { custodians, swap: &swap, before: None };
    let mut text = Pages::new(&pages.store_id);
    let mut note = String::new();
    let ends = lines.len() - 1;
    for (at, line) in lines.iter().enumerate() {
        let mut line = line.clone();
        match line.kind.as_str() {
            "store.created" => line = first.clone(),
            "checkpoint" => {
                if at == ends && roots == Roots::Draft {
                    let sealed = sealed_to(&[sealing.recipient()], bundle.pem().as_bytes());
                    let sha256 = hex(&sha256(&sealed));
                    files.insert(format!("{folder}/key-{}.age", bundle.kid()), Node::File(sealed));
                    plant_draft(&mut text, &mut files, &lines, &bundle, &sha256);
                }
                note = text.commit(&[&journal]);
                continue;
            }
            // One key for all of it.
            "journal.rekeyed" => continue,
            "key.destroyed" if is_of(&lines, &line, "journal") => continue,
            "key.generated" => {
                let kid = line.members["kid"].as_str().unwrap().to_owned();
                if line.members["purpose"] == "journal" {
                    if line.members["number"] != 1 {
                        continue;
                    }
                    line.members.insert("kid".to_owned(), journal.kid().into());
                    line.members.insert("jwk".to_owned(), journal.jwk());
                    line.members
                        .insert("sha256".to_owned(), digests[&format!("key-{}.age", journal.kid())].clone().into());
                } else if let Some(key) = swap.get(&kid) {
                    line.members.insert("kid".to_owned(), key.kid.clone().into());
                    line.members.insert("jwk".to_owned(), key.jwk.clone());
                    if let Some(digest) = digests.get(&format!("key-{}.age", key.kid)) {
                        line.members.insert("sha256".to_owned(), digest.clone().into());
                    }
                } else if line.members["purpose"] == "bundle" {
                    // The genuine one: its private half is not needed.
                    line.members.insert("elsewhere".to_owned(), true.into());
                }
            }
            "seal.generation" => {
                line.members.insert("files".to_owned(), serde_json::to_value(&digests).unwrap());
            }
            "root.made" if roots == Roots::Replaced => rooted.made(&mut line, &mut files),
            "root.drafted" if roots == Roots::Replaced => rooted.drafted(&mut line, &mut files),
            _ => line.members = map(swap_text(&Value::Object(line.members.clone()), &swap)),
        }
        text.push(&line);
    }
    files.insert("journal/entries.jsonl".to_owned(), Node::File(text.bytes()));
    files.insert("journal/checkpoint".to_owned(), Node::File(note.into_bytes()));
    let kids = swap.into_values().map(|key| key.kid).chain([bundle.kid().to_owned()]).collect();
    Forged { files, kids }
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("an object stays one") };
    members
}

/// Whether the key that a line speaks of is for that.
fn is_of(lines: &[Written], line: &Written, purpose: &str) -> bool {
    lines.iter().any(|made| {
        made.kind == "key.generated" && made.members["kid"] == line.members["kid"] && made.members["purpose"] == purpose
    })
}

/// Signs each root of the store anew.
struct RootForger<'s> {
    custodians: BTreeMap<String, Pen>,
    swap: &'s BTreeMap<String, Swapped>,
    before: Option<String>,
}

impl RootForger<'_> {
    fn forged(&self, old: &[u8], version: u64) -> String {
        let old: Value = serde_json::from_slice(old).unwrap();
        let payload = base64url::decode(old["payload"].as_str().unwrap()).unwrap();
        let old: Value = serde_json::from_slice(&payload).unwrap();
        let kids = |role: &str| -> Vec<String> {
            old["roles"][role]["kids"].as_array().unwrap().iter().map(|kid| kid.as_str().unwrap().to_owned()).collect()
        };
        let new = |kid: &String| public(&self.swap[kid].jwk);
        let terms = Terms {
            store: old["store"].as_str().unwrap().to_owned(),
            issuer: old["issuer"].as_str().or(old["iss"].as_str()).unwrap().to_owned(),
            root_version: version,
            issued_at: UnixTime(old["iat"].as_u64().unwrap()),
            expires_at: UnixTime(old["exp"].as_u64().unwrap()),
            root_keys: kids("root").iter().map(new).collect(),
            threshold: usize::try_from(old["roles"]["root"]["threshold"].as_u64().unwrap()).unwrap(),
            bundle_keys: kids("bundle").iter().map(new).collect(),
        };
        let signers: Vec<&Pen> = kids("root").iter().map(|kid| &self.custodians[kid]).collect();
        let signers: Vec<&dyn coldsign_verify::jws::Sign> =
            signers.into_iter().map(|pen| pen as &dyn coldsign_verify::jws::Sign).collect();
        root::sign(&terms, &signers).unwrap()
    }

    fn made(&mut self, line: &mut Written, files: &mut Tree) {
        let version = line.members["root_version"].as_u64().unwrap();
        let path = format!("roots/{}", root::file_name(version));
        let text = self.forged(bytes(files, &path).unwrap(), version);
        line.members.insert("sha256".to_owned(), hex(&sha256(text.as_bytes())).into());
        files.insert(path, Node::File(text.clone().into_bytes()));
        self.before = Some(text);
        // Their own files keep their places: no code opens them now.
        for (kid, pen) in &self.custodians {
            if let Some(file) = files.remove(&format!("roots/key-{kid}.age")) {
                files.insert(format!("roots/key-{}.age", pen.kid()), file);
            }
        }
    }

    fn drafted(&self, line: &mut Written, files: &mut Tree) {
        let version = line.members["root_version"].as_u64().unwrap();
        let path = format!("roots/draft-{}.json", line.members["sha256"].as_str().unwrap());
        let Some(old) = files.remove(&path) else { return };
        let Node::File(old) = old else { return };
        let text = self.forged(&old, version);
        let digest = hex(&sha256(text.as_bytes()));
        line.members = map(swap_text(&Value::Object(line.members.clone()), self.swap));
        line.members.insert("sha256".to_owned(), digest.clone().into());
        files.insert(format!("roots/draft-{digest}.json"), Node::File(text.into_bytes()));
    }
}

/// A root that names the forger's bundle key and waits for the genuine custodians.
fn plant_draft(text: &mut Pages, files: &mut Tree, lines: &[Written], bundle: &Pen, sha256_of_it: &str) {
    let mut newest = Root::first(bytes(files, "roots/root.1.json").unwrap()).unwrap();
    while let Some(next) = bytes(files, &format!("roots/{}", root::file_name(newest.root_version() + 1))) {
        newest = newest.successor(next).unwrap();
    }
    let time = lines.last().unwrap().time;
    let terms = Terms {
        root_version: newest.root_version() + 1,
        issued_at: UnixTime(time),
        bundle_keys: vec![public(&bundle.jwk())],
        ..newest.terms().clone()
    };
    let mut draft: Value = serde_json::from_str(&root::sign(&terms, &[&Pen::new()]).unwrap()).unwrap();
    draft["signatures"] = json!([]);
    let draft = format!("{draft}\n");
    let digest = hex(&sha256(draft.as_bytes()));
    files.retain(|path, _| !path.starts_with("roots/draft-"));
    files.insert(format!("roots/draft-{digest}.json"), Node::File(draft.into_bytes()));
    let number =
        1 + lines.iter().filter(|line| line.kind == "key.generated" && line.members["purpose"] == "bundle").count();
    text.push(&Written::new(
        time,
        "key.generated",
        json!({
            "keyset": "bundle", "number": number, "purpose": "bundle", "kid": bundle.kid(), "jwk": bundle.jwk(),
            "state": "pre-activation", "sha256": sha256_of_it,
        }),
    ));
    text.push(&Written::new(
        time,
        "root.drafted",
        json!({"root_version": terms.root_version, "sha256": digest, "signed": []}),
    ));
}

/// What the forger makes of the live store.
pub fn forged_live(roots: Roots) -> Forged {
    forge(&Ground::get().live, roots)
}
