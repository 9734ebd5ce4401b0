//! The secrets of a store, opened with its passphrase and codes, in every dress they could walk about in.

use age::secrecy::SecretString;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use coldsign::acts::{Session, Store};
use coldsign::keystore::{Passphrase, Purpose, SealingIdentity};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use zeroize::Zeroizing;

/// How many bytes of a secret are compared first.
const BEGINNING: usize = 8;

/// Secrets by what they are, as bytes.
pub type Secrets = BTreeMap<String, Vec<u8>>;

/// A code in the forms people and machines write it.
pub fn code(secrets: &mut Secrets, what: &str, code: &str) {
    let plain = code.replace('-', "");
    for (form, text) in [("", code.to_owned()), (" plain", plain.clone()), (" small", plain.to_lowercase())] {
        secrets.insert(format!("{what}{form}"), text.into_bytes());
    }
}

/// What the store holds sealed: identities, and every private key that is there now.
pub fn of_store(secrets: &mut Secrets, when: &str, place: &Path, unlocks: &[(&str, &str)], roots: &[String], now: u64) {
    let store = Store::open(place).unwrap();
    let sealed = place.join(format!("sealed/{}/seal.age", store.ledger().unlocks.generation()));
    for (unlock, word) in unlocks {
        let identity = opened(&place.join(format!("unlock/{unlock}.age")), word);
        // Its other lines say which store it is for.
        let identity = std::str::from_utf8(&identity).unwrap().lines().last().unwrap();
        let seal = SealingIdentity::read(identity).unwrap().open(&fs::read(&sealed).unwrap()).unwrap();
        let seal: serde_json::Value = serde_json::from_slice(&seal).unwrap();
        age_identity(secrets, &format!("{when} identity of {unlock}"), identity);
        age_identity(secrets, &format!("{when} sealing identity"), seal["sealing_identity"].as_str().unwrap());
    }
    let passphrase = Passphrase::from(Zeroizing::new(unlocks[0].1.to_owned()));
    let session = Session::open(place, Some(unlocks[0].0), &passphrase, now).unwrap();
    for key in store.ledger().keys.all().iter().filter(|key| key.has_private_half()) {
        let name = key.name();
        let pem = match key.purpose {
            Purpose::Root => {
                let file = place.join(format!("roots/key-{}.age", key.kid));
                let pem = roots.iter().find_map(|code| try_opened(&file, &code.replace('-', "")));
                String::from_utf8(pem.expect("one of the root codes")).unwrap()
            }
            _ => session.opened().load(key).unwrap().expose_pkcs8_pem().unwrap().as_str().to_owned(),
        };
        private_key(secrets, &name, &pem);
    }
}

/// A private key as PKCS#8 PEM: its DER, and each secret number in it.
pub fn private_key(secrets: &mut Secrets, name: &str, pem: &str) {
    // A custodian's file says before it which store it is for.
    let block = pem.lines().skip_while(|line| !line.starts_with('-'));
    let body: String = block.filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    let mut numbers = Vec::new();
    secret_numbers(&der, &mut numbers);
    // RFC 8017 A.1.2: the first large number is the modulus, which everybody may know.
    if numbers.len() > 1 {
        numbers.remove(0);
    }
    assert!(!numbers.is_empty(), "{name} has no secret number");
    for (at, number) in numbers.into_iter().enumerate() {
        secrets.insert(format!("{name} number {at}"), number);
    }
    secrets.insert(format!("{name} PKCS#8"), der);
}

/// The forms in which a secret is looked for.
pub fn dresses(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut dresses = vec![
        ("raw", secret.to_vec()),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
        ("backwards", secret.iter().rev().copied().collect()),
    ];
    // Within other bytes the secret begins at any of three places in a group of base64.
    for before in 0..3 {
        let shifted = [&[0; 2][..before.min(2)], secret].concat();
        let skip = before.div_ceil(1) + usize::from(before > 0);
        let whole = shifted.len() / 3 * 4;
        for (name, text) in
            [("base64", STANDARD_NO_PAD.encode(&shifted)), ("base64url", URL_SAFE_NO_PAD.encode(&shifted))]
        {
            dresses.push((name, text.as_bytes()[skip..whole].to_vec()));
        }
    }
    dresses
}

/// What of the secrets is in some bytes, as `what (dress)`; white space may lie between.
pub fn found(secrets: &Secrets, haystack: &[u8]) -> BTreeSet<String> {
    let mut needles: HashMap<[u8; BEGINNING], Vec<(String, Vec<u8>)>> = HashMap::new();
    for (what, secret) in secrets {
        for (dress, needle) in dresses(secret) {
            let begins = *needle.first_chunk().expect("no secret is that short");
            needles.entry(begins).or_default().push((format!("{what} ({dress})"), needle));
        }
    }
    let dense: Vec<u8> = haystack.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut found = BTreeSet::new();
    for text in [haystack, &dense] {
        for (at, window) in text.windows(BEGINNING).enumerate() {
            for (what, needle) in window.first_chunk().and_then(|begins| needles.get(begins)).into_iter().flatten() {
                if text[at..].starts_with(needle) {
                    found.insert(what.clone());
                }
            }
        }
    }
    found
}

fn opened(file: &Path, passphrase: &str) -> Vec<u8> {
    try_opened(file, passphrase).unwrap()
}

fn try_opened(file: &Path, passphrase: &str) -> Option<Vec<u8>> {
    let identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    age::decrypt(&identity, &fs::read(file).unwrap()).ok()
}

fn age_identity(secrets: &mut Secrets, what: &str, identity: &str) {
    const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    secrets.insert(what.to_owned(), identity.as_bytes().to_vec());
    secrets.insert(format!("{what} small"), identity.to_lowercase().into_bytes());
    let data = identity.to_lowercase().rsplit_once('1').unwrap().1.to_owned();
    let (mut bits, mut held, mut raw) = (0_u32, 0, Vec::new());
    for symbol in data[..data.len() - 6].chars() {
        bits = (bits << 5 | BECH32.find(symbol).unwrap() as u32) & 0xffff;
        held += 5;
        if held >= 8 {
            held -= 8;
            raw.push((bits >> held) as u8);
        }
    }
    assert_eq!(raw.len(), 32);
    secrets.insert(format!("{what} bytes"), raw);
}

/// The integers and octet strings of at least 31 bytes, in order.
fn secret_numbers(der: &[u8], found: &mut Vec<Vec<u8>>) {
    let mut rest = der;
    while let [tag, length, after @ ..] = rest {
        let (length, after) = match length {
            0x81 => (after[0] as usize, &after[1..]),
            0x82 => ((after[0] as usize) << 8 | after[1] as usize, &after[2..]),
            short => (*short as usize, after),
        };
        let (inside, next) = after.split_at(length);
        match tag {
            0x30 => secret_numbers(inside, found),
            // 32 bytes are the secret itself, whatever they look like.
            0x04 if inside.len() != 32 && matches!(inside, [0x30, ..] | [0x04, 0x20, ..]) => {
                secret_numbers(inside, found);
            }
            0x04 | 0x02 if inside.len() >= 31 => {
                found.push(inside.iter().copied().skip_while(|byte| *byte == 0).collect());
            }
            _ => {}
        }
        rest = next;
    }
}
