//! Stores made through the library, the time as a parameter.

use std::path::{Path, PathBuf};

use coldsign::acts::{RELEASED, Session, init};
use coldsign::issuing::record::{TokenDelivered, TokenIssued};
use coldsign::journal::{Event as _, Line, hex, sha256};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode};
use zeroize::Zeroizing;

pub const POLICY: &str = include_str!("policy.toml");
pub const ISSUER: &str = "https://tokens.example.org";
pub const START: u64 = RELEASED + 1_000;

/// A new store below `folder`.
pub fn make(folder: &Path) -> PathBuf {
    let place = folder.join("store");
    init::init(&init::Request {
        path: &place,
        issuer: ISSUER,
        admin: "admin",
        passphrase: &passphrase(),
        cost: KdfCost::new(10).unwrap(),
        policy: POLICY,
        recovery: &RecoveryCode::generate().unwrap(),
        root_code: &RecoveryCode::generate().unwrap(),
        root_to: None,
        now: START,
    })
    .unwrap();
    place
}

/// The store, opened for an act.
pub fn session(place: &Path) -> Session {
    Session::open(place, None, &passphrase(), START).unwrap()
}

/// Lines as `token issue` and its delivery leave them: two tokens, then their delivery.
pub fn lines(from: usize, count: usize) -> Vec<Line> {
    (from..from + count)
        .map(|number| match number % 3 {
            2 => TokenDelivered { jtis: vec![jti(number - 2), jti(number - 1)] }.line(),
            _ => issued(number),
        })
        .collect()
}

fn issued(number: usize) -> Line {
    let digest = hex(&sha256(&number.to_le_bytes()));
    TokenIssued {
        jti: jti(number),
        service: "api".to_owned(),
        roles: vec!["reader".to_owned()],
        sub: format!("hospital-{}", number % 1_000),
        kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".to_owned(),
        policy: hex(&sha256(POLICY.as_bytes())),
        iat: START,
        nbf: START,
        exp: START + 43_200,
        token_sha256: digest,
        claims: serde_json::Map::new(),
        form: "header".to_owned(),
        reason: None,
        stands_for: None,
    }
    .line()
}

fn jti(number: usize) -> String {
    coldsign_verify::base64url::encode(&sha256(&number.to_le_bytes())[..16])
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned())).unwrap()
}
