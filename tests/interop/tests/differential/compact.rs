//! A compact JWS being made, and what can be wrong with it besides its claims.

use serde_json::json;

use crate::any_json;
use crate::any_text;
use crate::chance::{Chance, Change};
use crate::keys::{Key, base64url};
use crate::node::Node;
use crate::signatures::{self, Signed};

/// Header and claims, and who signs them.
#[derive(Clone)]
pub struct Draft {
    pub header: Node,
    pub claims: Node,
    pub signer: &'static Key,
}

/// Changes of the header; it is signed afterwards.
pub const HEADER: [(&str, Change<Node>); 7] = [
    ("header member more", member_more),
    ("header member gone", member_gone),
    ("another alg", other_alg),
    ("another typ", other_typ),
    ("another kid", other_kid),
    ("header member that is no string", no_string),
    ("header changed as any JSON", any),
];

/// Changes of the finished text, which nobody signs.
pub const FORM: [(&str, Change<String>); 12] = [
    ("base64 padding", padding),
    ("base64 bits left over", bits_left_over),
    ("base64 of the other alphabet", other_alphabet),
    ("base64 with a character gone", character_gone),
    ("a blank or line end", blank),
    ("a foreign character", foreign),
    ("a part more", part_more),
    ("a part gone", part_gone),
    ("a part empty", part_empty),
    ("parts exchanged", parts_exchanged),
    ("JSON serialisation", json_serialisation),
    ("character changed", character_changed),
];

impl Draft {
    pub fn new(typ: &str, claims: impl Into<Node>, signer: &'static Key) -> Self {
        let header = json!({ "alg": signer.algorithm, "kid": signer.kid, "typ": typ });
        Self { header: header.into(), claims: claims.into(), signer }
    }

    /// The JWS as it should be.
    pub fn signed(&self) -> String {
        assembled(self.signer, &self.header.bytes(), &self.claims.bytes())
    }

    /// The JWS with a change in one of its layers; what it says is mostly signed by the right key.
    pub fn changed(mut self, chance: &mut Chance, others: &'static [Key], noted: &mut Vec<&'static str>) -> String {
        let (mut header, mut claims) = (None, None);
        match chance.below(12) {
            0..=3 => chance.apply(&any_json::TREE, &mut self.claims, noted),
            4 => claims = Some(changed_text(chance, &self.claims, noted)),
            5 | 6 => chance.apply(&HEADER, &mut self.header, noted),
            7 => header = Some(changed_text(chance, &self.header, noted)),
            8 | 9 => return self.with_signature(chance, others, noted),
            10 => {
                let mut text = self.signed();
                chance.apply(&FORM, &mut text, noted);
                return text;
            }
            _ => claims = Some(blanks(chance, &self.claims, noted)),
        }
        let (header, claims) =
            (header.unwrap_or_else(|| self.header.bytes()), claims.unwrap_or_else(|| self.claims.bytes()));
        assembled(self.signer, &header, &claims)
    }

    fn with_signature(self, chance: &mut Chance, others: &'static [Key], noted: &mut Vec<&'static str>) -> String {
        let message = format!("{}.{}", base64url(self.header.bytes()), base64url(self.claims.bytes()));
        let signature = self.signer.sign(message.as_bytes());
        let mut signed = Signed { key: self.signer, others, message: message.clone().into_bytes(), signature };
        signatures::change(chance, &mut signed, noted);
        format!("{message}.{}", base64url(signed.signature))
    }
}

pub fn assembled(signer: &Key, header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = signer.sign(message.as_bytes());
    format!("{message}.{}", base64url(signature))
}

pub fn changed_text(chance: &mut Chance, node: &Node, noted: &mut Vec<&'static str>) -> Vec<u8> {
    let mut text = node.bytes();
    chance.apply(&any_text::TEXT, &mut text, noted);
    text
}

/// The same with white space wherever it may be.
pub fn blanks(chance: &mut Chance, node: &Node, noted: &mut Vec<&'static str>) -> Vec<u8> {
    noted.push(BLANKS);
    let mut text = String::new();
    node.write(&mut text, &mut || chance.word(&["", " ", "\t", "\r\n", ""]));
    text.into_bytes()
}

pub const BLANKS: &str = "blanks everywhere";

fn member_more(chance: &mut Chance, header: &mut Node) -> Option<()> {
    const MEMBERS: [(&str, &str); 13] = [
        ("crit", r#"["exp"]"#),
        ("crit", "[]"),
        ("b64", "false"),
        ("b64", "true"),
        ("zip", r#""DEF""#),
        ("jwk", "{}"),
        ("jku", r#""https://keys.example""#),
        ("x5u", r#""https://keys.example""#),
        ("x5c", "[]"),
        ("x5t", r#""""#),
        ("cty", r#""JWT""#),
        ("Alg", r#""none""#),
        ("", "null"),
    ];
    let (name, value) = *chance.pick(&MEMBERS);
    header.set(&[name], Node::text(value))
}

fn member_gone(chance: &mut Chance, header: &mut Node) -> Option<()> {
    header.remove(&[*chance.pick(&["alg", "kid", "typ"])])
}

fn other_alg(chance: &mut Chance, header: &mut Node) -> Option<()> {
    const ALGORITHMS: [&str; 13] = [
        "EdDSA", "Ed25519", "ES256", "RS256", "none", "None", "HS256", "eddsa", "es256", "ES384", "PS256", "Ed448", "",
    ];
    header.set(&["alg"], json!(chance.pick(&ALGORITHMS)))
}

fn other_typ(chance: &mut Chance, header: &mut Node) -> Option<()> {
    const TYPES: [&str; 16] = [
        "JWT",
        "jwt",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/JWT",
        "application/jwt",
        "application/",
        "",
        "jwk-set+jwt",
        "JWK-SET+jwt",
        "coldsign-root+json",
        "coldsign-receipt+jwt",
        "text/jwt",
        "application/application/jwt",
        " jwt",
    ];
    header.set(&["typ"], json!(chance.pick(&TYPES)))
}

fn other_kid(chance: &mut Chance, header: &mut Node) -> Option<()> {
    let kid = header.string(&["kid"])?;
    let other = match chance.below(7) {
        0 => String::new(),
        1 => "k".repeat(64 + chance.below(2)),
        2 => "\u{e9}".repeat(64 + chance.below(2)),
        3 => kid.to_lowercase(),
        4 => format!("{kid} "),
        5 => "../../etc/passwd".to_owned(),
        _ => kid.chars().skip(1).collect(),
    };
    header.set(&["kid"], json!(other))
}

fn no_string(chance: &mut Chance, header: &mut Node) -> Option<()> {
    let value = chance.word(&["null", "7", "true", "[]", "{}", r#"["JWT"]"#]);
    header.set(&[chance.word(&["alg", "kid", "typ"])], Node::text(value))
}

fn any(chance: &mut Chance, header: &mut Node) -> Option<()> {
    chance.apply(&any_json::TREE, header, &mut Vec::new());
    Some(())
}

/// Puts another text in the place of one of the parts between dots.
fn in_a_part(
    chance: &mut Chance,
    text: &mut String,
    change: impl FnOnce(&mut Chance, &str) -> Option<String>,
) -> Option<()> {
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    let place = chance.below(parts.len());
    parts[place] = change(chance, &parts[place])?;
    *text = parts.join(".");
    Some(())
}

fn padding(chance: &mut Chance, text: &mut String) -> Option<()> {
    in_a_part(chance, text, |_, part| {
        let pad = (4 - part.len() % 4) % 4;
        Some(format!("{part}{}", "=".repeat(pad.max(1))))
    })
}

/// The last character stands for more bits than are used: another one says the same to a careless reader.
fn bits_left_over(chance: &mut Chance, text: &mut String) -> Option<()> {
    in_a_part(chance, text, |_, part| {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (part.len() % 4 != 0).then_some(())?;
        let last = ALPHABET.iter().position(|known| Some(known) == part.as_bytes().last())?;
        Some(format!("{}{}", &part[..part.len() - 1], char::from(ALPHABET[last | 1])))
    })
}

fn other_alphabet(chance: &mut Chance, text: &mut String) -> Option<()> {
    (text.contains('-') || text.contains('_')).then_some(())?;
    *text = if chance.one_in(2) { text.replace('-', "+").replace('_', "/") } else { text.replacen(['-', '_'], "+", 1) };
    Some(())
}

fn character_gone(chance: &mut Chance, text: &mut String) -> Option<()> {
    let at = chance.below(text.len());
    (at < text.len() && text.is_ascii()).then(|| text.remove(at)).map(|_| ())
}

fn insert(chance: &mut Chance, text: &mut String, what: &str) -> Option<()> {
    let at = *chance.pick(&[0, text.len(), text.len() / 2, text.find('.')?]);
    text.is_char_boundary(at).then(|| text.insert_str(at, what))
}

fn blank(chance: &mut Chance, text: &mut String) -> Option<()> {
    let what = *chance.pick(&[" ", "\n", "\r\n", "\t", "\0"]);
    insert(chance, text, what)
}

fn foreign(chance: &mut Chance, text: &mut String) -> Option<()> {
    let what = *chance.pick(&["\u{e9}", "\u{ff10}", "%2E", "~", "\u{200b}", "=", "\u{feff}", "!"]);
    insert(chance, text, what)
}

fn part_more(chance: &mut Chance, text: &mut String) -> Option<()> {
    text.push_str(chance.word(&[".", ".e30", ".AAAA.AAAA"]));
    Some(())
}

fn part_gone(chance: &mut Chance, text: &mut String) -> Option<()> {
    let mut parts: Vec<&str> = text.split('.').collect();
    parts.remove(chance.below(parts.len()));
    *text = parts.join(".");
    Some(())
}

fn part_empty(chance: &mut Chance, text: &mut String) -> Option<()> {
    in_a_part(chance, text, |_, _| Some(String::new()))
}

fn parts_exchanged(_: &mut Chance, text: &mut String) -> Option<()> {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else { return None };
    *text = [payload, header, signature].join(".");
    Some(())
}

fn json_serialisation(_: &mut Chance, text: &mut String) -> Option<()> {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else { return None };
    *text = json!({ "payload": payload, "protected": header, "signature": signature }).to_string();
    Some(())
}

fn character_changed(chance: &mut Chance, text: &mut String) -> Option<()> {
    let at = chance.below(text.len());
    (text.is_ascii() && at < text.len()).then(|| text.replace_range(at..=at, chance.word(&["A", "_", "0", "z", "."])))
}
