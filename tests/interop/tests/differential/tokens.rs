//! Tokens of every profile and algorithm, before a bare key set.

use serde_json::{Value, json};

use crate::any_json;
use crate::chance::{Chance, Change};
use crate::compact::Draft;
use crate::keys::{Ed25519, Key};
use crate::node::Node;
use crate::{Case, NOW};

pub const ISSUER: &str = "https://tokens.example.org";
pub const AUDIENCE: &str = "https://api.example.org";
const LONGEST_TOKEN: usize = 16384;
pub const PROFILES: [&str; 4] = ["rfc9068", "flowkit", "fedn", "plain"];

/// A token, and what the verifier is given with it.
pub struct Asked {
    pub token: Draft,
    pub expected: Value,
    pub now: u64,
}

/// Changes of a token's claims, or of what is expected, that one of the rules is about.
pub const CHANGES: [(&str, Change<Asked>); 16] = [
    ("exp at its edge", exp_at_edge),
    ("nbf at its edge", nbf_at_edge),
    ("iat at its edge", iat_at_edge),
    ("validity at its edge", validity_at_edge),
    ("a date spelled otherwise", date_spelled),
    ("another aud", other_audience),
    ("another iss", other_issuer),
    ("a claim gone", claim_gone),
    ("a claim of another type", claim_type),
    ("a forbidden claim", claim_forbidden),
    ("another role", other_role),
    ("another further claim", other_further),
    ("of another profile", other_profile),
    ("signed by another key of the set", other_key),
    ("as long as it may be", at_longest),
    ("clock far off", clock_far_off),
];

/// The keys of the set that tokens are verified with, and some that are not in it.
pub struct Keys {
    pub known: Vec<Key>,
    pub foreign: Vec<Key>,
}

impl Keys {
    pub fn new() -> Self {
        let known = vec![
            Key::ed25519("EdDSA", 7),
            Key::ed25519("Ed25519", 8).called("ключ"),
            Key::p256(),
            Key::rsa(),
            Key::of_ed25519("EdDSA", Ed25519::new(9, true)).called("mixed"),
        ];
        // One of the foreign keys goes by the name of a known one.
        let foreign =
            vec![Key::ed25519("EdDSA", 20), Key::p256().called(&known[2].kid), Key::rsa(), Key::ed25519("EdDSA", 7)];
        Self { known, foreign }
    }

    pub fn set(&self) -> Value {
        json!({ "keys": self.known.iter().map(|key| key.jwk.clone()).collect::<Vec<_>>() })
    }

    /// The same keys without `alg` and `use`, which then follow from their kinds.
    pub fn bare_set(&self) -> Value {
        let mut set = self.set();
        for key in set["keys"].as_array_mut().unwrap() {
            key.as_object_mut().unwrap().retain(|name, _| name != "alg" && name != "use");
        }
        set
    }
}

pub fn typ(profile: &str) -> &'static str {
    if profile == "rfc9068" { "at+jwt" } else { "JWT" }
}

/// Claims as the signer makes them.
pub fn claims(profile: &str, issuer: Option<&str>, audience: Option<&str>) -> Value {
    let mut claims =
        json!({ "sub": "ward7", "jti": "0123456789abcdef", "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 3540 });
    match profile {
        "rfc9068" => {
            claims["client_id"] = "ward7".into();
            claims["scope"] = "data:read".into();
        }
        "flowkit" => claims["user_claims"] = "H4sIAAAAAAAA/6uuBQBDv6ajAgAAAA==".into(),
        "fedn" => claims["role"] = "client".into(),
        _ => {}
    }
    for (name, value) in [("iss", issuer), ("aud", audience)] {
        if let Some(value) = value {
            claims[name] = value.into();
        }
    }
    claims
}

pub fn case(chance: &mut Chance, keys: &'static Keys) -> Case {
    let profile = *chance.pick(&PROFILES);
    let mut expected = json!({
        "profile": profile, "leeway": chance.pick(&[0_u64, 0, 1, 60, (1 << 53) - 1]), "possession": chance.one_in(8),
    });
    if profile == "rfc9068" || (profile == "plain" && chance.one_in(2)) {
        expected["issuer"] = ISSUER.into();
    }
    if profile == "rfc9068" || profile == "flowkit" || (profile == "plain" && chance.one_in(2)) {
        expected["audience"] = AUDIENCE.into();
    }
    if chance.one_in(2) {
        expected["longest"] = (*chance.pick(&[3600_u64, 3660, 86400])).into();
    }
    if profile == "fedn" && chance.one_in(2) {
        expected["role"] = "client".into();
    }
    let mut claims = claims(profile, expected["issuer"].as_str(), expected["audience"].as_str());
    if chance.one_in(3) {
        expected["claims"] = json!({ "project": "ward7" });
        claims["project"] = "ward7".into();
    }
    let token = Draft::new(typ(profile), claims, chance.pick(&keys.known));
    let mut asked = Asked { token, expected, now: NOW };
    let mut noted = Vec::new();
    for _ in 0..*chance.pick(&[0, 0, 1, 1, 1, 2]) {
        // What needs the other keys is done here.
        if chance.one_in(15) {
            asked.token.signer = chance.pick(&keys.known);
        }
        chance.apply(&CHANGES, &mut asked, &mut noted);
    }
    let text = if noted.is_empty() || chance.one_in(3) {
        asked.token.changed(chance, &keys.foreign, &mut noted)
    } else {
        asked.token.signed()
    };
    Case::new(
        "token",
        text,
        json!({ "keys": chance.word(&["tokens", "tokens", "bare"]), "expected": asked.expected, "now": asked.now }),
        noted,
    )
}

fn leeway(asked: &Asked) -> u64 {
    asked.expected["leeway"].as_u64().unwrap_or_default()
}

fn set(asked: &mut Asked, name: &str, value: impl Into<Value>) -> Option<()> {
    asked.token.claims.set(&[name], value.into())
}

fn exp_at_edge(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    // Of the two ways to an edge, one moves the clock.
    if chance.one_in(2) {
        asked.now = chance.around(asked.token.claims.number(&["exp"])?.checked_add(leeway(asked))?);
        return Some(());
    }
    let exp = chance.around(asked.now.checked_sub(leeway(asked))?);
    set(asked, "exp", exp)
}

fn nbf_at_edge(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let nbf = chance.around(asked.now.saturating_add(leeway(asked)));
    set(asked, "nbf", nbf)
}

fn iat_at_edge(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let iat = chance.around(asked.now.saturating_add(leeway(asked)));
    set(asked, "iat", iat)
}

fn validity_at_edge(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let longest = asked.expected["longest"].as_u64().unwrap_or(0);
    let iat = asked.token.claims.number(&["iat"])?;
    let exp = chance.around_one(&[iat, iat.saturating_add(longest), iat.saturating_add(longest)]);
    set(asked, "exp", exp)
}

fn date_spelled(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    const SPELLED: [&str; 15] = [
        "1799999000.0",
        "1.7e9",
        "1799999000e0",
        "-0",
        "0",
        "-1",
        "01799999000",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551615",
        "18446744073709551616",
        "1e309",
        r#""1799999000""#,
        "null",
        "true",
    ];
    let name = *chance.pick(&["exp", "nbf", "iat"]);
    asked.token.claims.set(&[name], Node::text(*chance.pick(&SPELLED)))
}

fn other_audience(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let others = [
        json!([AUDIENCE]),
        json!([]),
        json!([AUDIENCE, "x"]),
        json!("https://api.example.org/"),
        json!("https://API.example.org"),
        json!(""),
        json!(null),
        json!(AUDIENCE),
        json!({ AUDIENCE: 1 }),
    ];
    let other = chance.pick(&others).clone();
    if chance.one_in(6) { asked.token.claims.remove(&["aud"]) } else { set(asked, "aud", other) }
}

fn other_issuer(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let others =
        [json!("https://tokens.example.org/"), json!(""), json!(null), json!([ISSUER]), json!(ISSUER), json!(1)];
    let other = chance.pick(&others).clone();
    if chance.one_in(6) { asked.token.claims.remove(&["iss"]) } else { set(asked, "iss", other) }
}

fn claim_gone(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let names =
        ["sub", "jti", "iat", "exp", "nbf", "client_id", "scope", "user_claims", "role", "iss", "aud", "project"];
    asked.token.claims.remove(&[*chance.pick(&names)])
}

fn claim_type(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let names = ["sub", "jti", "client_id", "scope", "user_claims", "role", "iss", "project"];
    let value = chance.pick(&[json!(null), json!(7), json!(["ward7"]), json!({}), json!(false), json!("")]).clone();
    set(asked, chance.word(&names), value)
}

fn claim_forbidden(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let value = chance.pick(&[json!("access"), json!(null), json!({ "jkt": "x" })]).clone();
    set(asked, chance.word(&["type", "token_type", "cnf", "aud"]), value)
}

fn other_role(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let value = chance.pick(&[json!("combiner"), json!("Client"), json!("client"), json!(["client"])]).clone();
    set(asked, "role", value)
}

fn other_further(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    asked.expected.get("claims")?;
    let value = chance.pick(&[json!("ward8"), json!(["ward7"]), json!("Ward7"), json!(""), json!(null)]).clone();
    set(asked, "project", value)
}

fn other_profile(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let profile = *chance.pick(&PROFILES);
    let issuer = asked.expected["issuer"].as_str().map(str::to_owned);
    let audience = asked.expected["audience"].as_str().map(str::to_owned);
    asked.token = Draft::new(typ(profile), claims(profile, issuer.as_deref(), audience.as_deref()), asked.token.signer);
    Some(())
}

fn other_key(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    let kid = *chance.pick(&["mixed", "ключ"]);
    asked.token.header.set(&["kid"], json!(kid))
}

fn clock_far_off(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    asked.now = *chance.pick(&[0, 1, (1 << 53) - 1, 1 << 53, u64::MAX]);
    Some(())
}

/// Filled up until it has the longest length permitted, or one character less or more.
fn at_longest(chance: &mut Chance, asked: &mut Asked) -> Option<()> {
    set(asked, "filler", "")?;
    let length = asked.token.signed().len();
    let room = (LONGEST_TOKEN - length) / 4 * 3;
    set(asked, "filler", "x".repeat(room - 4 + chance.below(9)))?;
    any_json::TREE.iter().find(|(name, _)| *name == "members in another order")?.1(chance, &mut asked.token.claims)
}
