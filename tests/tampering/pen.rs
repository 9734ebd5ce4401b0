//! A key of the attacker's, and a journal written with it.

use coldsign::journal::{Checkpoint, JournalFault, SignNote, hex, sha256};
use coldsign_verify::jws::{Sign, SignFailure};
use coldsign_verify::{Algorithm, PublicKey};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Map, Value};

/// An Ed25519 key.
#[derive(Clone)]
pub struct Pen {
    key: SigningKey,
    kid: String,
}

impl Pen {
    pub fn new() -> Self {
        Self::of(SigningKey::from_bytes(&coldsign::keystore::random::<32>().unwrap()))
    }

    fn of(key: SigningKey) -> Self {
        let public = PublicKey::ed25519(Algorithm::EdDsa, key.verifying_key().as_bytes()).unwrap();
        Self { kid: public.thumbprint(), key }
    }

    pub fn of_pem(pem: &str) -> Self {
        Self::of(SigningKey::from_pkcs8_pem(pem).unwrap())
    }

    pub fn pem(&self) -> String {
        self.key.to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
    }

    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn jwk(&self) -> Value {
        PublicKey::ed25519(Algorithm::EdDsa, &self.public()).unwrap().to_jwk(&self.kid)
    }
}

impl SignNote for Pen {
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], JournalFault> {
        Ok(self.key.sign(text).to_bytes())
    }

    fn public_key(&self) -> [u8; 32] {
        self.public()
    }
}

impl Sign for Pen {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }

    fn kid(&self) -> &str {
        &self.kid
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        Ok(self.key.sign(signing_input).to_bytes().to_vec())
    }
}

/// One line, taken apart: time, unlock, type, its further members.
#[derive(Clone)]
pub struct Written {
    pub time: u64,
    pub by: String,
    pub kind: String,
    pub members: Map<String, Value>,
}

impl Written {
    pub fn read(line: &str) -> Self {
        let mut members: Map<String, Value> = serde_json::from_str(line).unwrap();
        for own in ["index", "prev"] {
            members.remove(own);
        }
        let text = |value: Option<Value>| value.unwrap().as_str().unwrap().to_owned();
        let time = members.remove("time").unwrap().as_u64().unwrap();
        Self { time, by: text(members.remove("by")), kind: text(members.remove("type")), members }
    }

    pub fn new(time: u64, kind: &str, members: Value) -> Self {
        let Value::Object(members) = members else { panic!("members are an object") };
        Self { time, by: "admin".to_owned(), kind: kind.to_owned(), members }
    }
}

/// A journal in an attacker's hands.
#[derive(Clone)]
pub struct Pages {
    pub store_id: String,
    lines: Vec<String>,
}

impl Pages {
    pub fn new(store_id: &str) -> Self {
        Self { store_id: store_id.to_owned(), lines: Vec::new() }
    }

    pub fn of(text: &[u8]) -> Self {
        let lines: Vec<String> = std::str::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        Self { store_id: first["store_id"].as_str().unwrap().to_owned(), lines }
    }

    /// The first lines of it.
    pub fn first(&self, lines: usize) -> Self {
        Self { store_id: self.store_id.clone(), lines: self.lines[..lines].to_vec() }
    }

    pub fn written(&self) -> Vec<Written> {
        self.lines.iter().map(|line| Written::read(line)).collect()
    }

    pub fn push(&mut self, line: &Written) {
        let prev = self.lines.last().map_or([0; 32], |line| sha256(line.as_bytes()));
        let rest = serde_json::to_string(&line.members).unwrap();
        let rest = if rest == "{}" { "}".to_owned() } else { format!(",{}", &rest[1..]) };
        let (by, kind) = (Value::from(line.by.as_str()), Value::from(line.kind.as_str()));
        self.lines.push(format!(
            "{{\"index\":{},\"prev\":\"{}\",\"time\":{},\"by\":{by},\"type\":{kind}{rest}",
            self.lines.len(),
            hex(&prev),
            line.time
        ));
    }

    /// The signed note over what there is.
    pub fn note(&self, pens: &[&Pen]) -> String {
        let checkpoint = Checkpoint::of_lines(self.lines.iter().map(String::as_bytes));
        let notes: Vec<String> = pens.iter().map(|pen| checkpoint.sign(&self.store_id, *pen).unwrap()).collect();
        let mut note = notes[0].clone();
        for more in &notes[1..] {
            note.push_str(more.split_once("\n\n").unwrap().1);
        }
        note
    }

    /// Ends a group; returns its note.
    pub fn commit(&mut self, pens: &[&Pen]) -> String {
        let note = self.note(pens);
        let last = Written::read(self.lines.last().unwrap());
        let members = Map::from_iter([("note".to_owned(), Value::from(note.as_str()))]);
        self.push(&Written { kind: "checkpoint".to_owned(), members, ..last });
        note
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
    }
}
