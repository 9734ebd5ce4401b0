//! Bundles under a root, after an installed one; and tokens before the verifier that a bundle makes.

use serde_json::{Value, json};

use crate::any_json;
use crate::chance::{Chance, Change};
use crate::compact::Draft;
use crate::keys::Key;
use crate::node::Node;
use crate::roots::Holders;
use crate::tokens::{AUDIENCE, ISSUER, Keys, claims, typ};
use crate::{Case, Context, NOW, digest};

const DAY: u64 = 86_400;
const TYPE: &str = "jwk-set+jwt";
pub const SERVICES: [(&str, &str); 4] = [("api", "rfc9068"), ("flow", "flowkit"), ("fed", "fedn"), ("plain", "plain")];
/// How many different installed bundles tokens are put before.
pub const INSTALLED: u64 = 150;

pub struct Publisher {
    pub holders: Holders,
    pub keys: Keys,
}

/// Contents of a bundle, and the clock of whoever installs it.
pub struct Offered {
    publisher: &'static Publisher,
    draft: Draft,
    now: u64,
    trusted: u64,
}

/// Changes that one of the bundle's rules is about.
pub const CHANGES: [(&str, Change<Offered>); 14] = [
    ("bundle of another version", version),
    ("seq at an edge", seq),
    ("another prev", prev),
    ("bundle's dates at their edges", dates),
    ("clock at an edge of the bundle", clock),
    ("skew at its edge", skew),
    ("bundle under another root", other_root),
    ("bundle signed by another", other_signer),
    ("bundle of another store or issuer", foreign),
    ("service changed", service),
    ("key of the bundle changed", key),
    ("keys' services changed", users),
    ("what is withdrawn changed", withdrawn),
    ("file of the bundle changed", file),
];

impl Publisher {
    /// Bundle 5 of the store, as the signer makes it.
    pub fn bundle(&'static self) -> Draft {
        let keys = self.keys.known.iter().enumerate().map(|(place, key)| {
            let mut jwk = key.jwk.clone();
            let users: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).skip(place % 2).collect();
            jwk["services"] = json!(users);
            jwk
        });
        let services: serde_json::Map<String, Value> = SERVICES
            .iter()
            .map(|(name, profile)| {
                let mut service = json!({ "profile": profile, "leeway_seconds": 60, "longest_validity_seconds": 3660 });
                if matches!(*profile, "rfc9068" | "flowkit") {
                    service["audience"] = AUDIENCE.into();
                } else if *profile == "fedn" {
                    service["claims"] = json!({ "project": "ward7" });
                }
                ((*name).to_owned(), service)
            })
            .collect();
        let claims = json!({
            "iss": ISSUER, "sub": ISSUER, "store": "vectors", "version": 1, "seq": 5, "prev": "ab".repeat(32), "root_version": 2,
            "iat": NOW - 10, "exp": NOW + 90 * DAY, "skew_seconds": 60, "services": services,
            "keys": keys.collect::<Vec<_>>(),
            "revoked": {},
            "files": { "for-api/jwks.json": "cd".repeat(32), "root.1.json": "ef".repeat(32) },
            "checkpoint": "coldsign/journal/vectors\n5\n",
        });
        Draft::new(TYPE, claims, &self.holders.bundlers[0])
    }

    /// The digest of that bundle, which is the one installed.
    fn digest(&'static self) -> String {
        digest(self.bundle().signed().as_bytes())
    }

    /// The bundles that tokens are judged by, each with something withdrawn.
    pub fn installed(&'static self, chance: &mut Chance, place: u64) -> Context {
        let mut draft = self.bundle();
        let times: Vec<u64> = (0..6).map(|_| chance.around(NOW - 60)).collect();
        let entries = [
            ("all", json!(times[0])),
            ("services", json!({ chance.pick(&SERVICES).0: times[1] })),
            ("roles", json!({ "fed/client": times[2], "fed/combiner": NOW })),
            ("subjects", json!({ "ward7": times[3], "ward8": NOW })),
            ("kids", json!({ chance.pick(&self.keys.known).kid.as_str(): times[4], "nobody": NOW })),
            ("tokens", json!({ *chance.pick(&["0123456789abcdef", "other"]): NOW + 3540 })),
        ];
        for (name, value) in entries {
            if chance.one_in(5) {
                draft.claims.set(&["revoked", name], value);
            }
        }
        Context { name: format!("installed-{place}"), bytes: draft.signed().into_bytes() }
    }

    pub fn token(&'static self, chance: &mut Chance) -> Case {
        let (service, profile) = *chance.pick(&SERVICES);
        let issuer = matches!(profile, "rfc9068" | "plain").then_some(ISSUER);
        let audience = matches!(profile, "rfc9068" | "flowkit").then_some(AUDIENCE);
        let mut claims = claims(profile, issuer, audience);
        if profile == "fedn" {
            claims["project"] = "ward7".into();
        }
        let mut noted = Vec::new();
        if chance.one_in(3) {
            noted.push("iat around a cut-off");
            claims["iat"] = chance.around(NOW - 60).into();
        }
        let place = chance.below(self.keys.known.len());
        let token = Draft::new(typ(profile), claims, &self.keys.known[place]);
        let mut now = NOW;
        if chance.one_in(6) {
            noted.push("clock at an end of the installed bundle");
            now = chance.around_one(&[NOW - 70, NOW + 90 * DAY]);
        }
        let text =
            if chance.one_in(3) { token.changed(chance, &self.keys.foreign, &mut noted) } else { token.signed() };
        let bundle = format!("installed-{}", chance.below(usize::try_from(INSTALLED).unwrap()));
        let more = json!({ "bundle": bundle, "root": "root-2", "service": service, "now": now });
        Case::new("trusted-token", text, more, noted)
    }

    pub fn case(&'static self, chance: &mut Chance) -> Case {
        let mut offered = Offered { publisher: self, draft: self.bundle(), now: NOW, trusted: 2 };
        let mut noted = Vec::new();
        if chance.one_in(2) {
            offered.draft.claims.set(&["seq"], json!(6));
            offered.draft.claims.set(&["prev"], json!(self.digest()));
        }
        if chance.one_in(20) {
            prev(chance, &mut offered);
        }
        for _ in 0..*chance.pick(&[0, 1, 1, 1, 2]) {
            chance.apply(&CHANGES, &mut offered, &mut noted);
        }
        let installed = *chance.pick(&[None, Some("bundle-5"), Some("bundle-5")]);
        let more = json!({
            "trusted": format!("root-{}", offered.trusted), "installed": installed, "installed_under": "root-2", "now": offered.now,
        });
        let text = if chance.one_in(3) {
            offered.draft.changed(chance, &self.holders.strangers, &mut noted)
        } else {
            offered.draft.signed()
        };
        Case::new("bundle", text, more, noted)
    }
}

/// What is noted besides the table.
pub const MORE: [&str; 2] = ["iat around a cut-off", "clock at an end of the installed bundle"];

fn set(offered: &mut Offered, path: &[&str], value: impl Into<Node>) -> Option<()> {
    offered.draft.claims.set(path, value)
}

fn version(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    set(offered, &["version"], chance.pick(&[json!(0), json!(2), json!("1"), json!(null)]).clone())
}

fn seq(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let edge = *chance.pick(&[0, 1, 5, 6, 10_005, (1 << 53) - 1]);
    let seq = chance.around(edge);
    if seq == 1 && chance.one_in(2) {
        offered.draft.claims.remove(&["prev"]);
    }
    set(offered, &["seq"], json!(seq))
}

fn prev(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let digest = offered.publisher.digest();
    let values =
        [json!("ab".repeat(32)), json!("AB".repeat(32)), json!("ab".repeat(31)), json!(null), json!(digest), json!("")];
    let value = chance.pick(&values).clone();
    if chance.one_in(5) { offered.draft.claims.remove(&["prev"]) } else { set(offered, &["prev"], value) }
}

fn dates(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let iat = offered.draft.claims.number(&["iat"])?;
    let exp = chance.around_one(&[iat, NOW, NOW + 100 * DAY + offered.trusted]);
    if chance.one_in(2) {
        return set(offered, &["exp"], json!(exp));
    }
    let iat = chance.around(offered.now.saturating_add(offered.draft.claims.number(&["skew_seconds"])?));
    set(offered, &["iat"], json!(iat))
}

fn clock(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let skew = offered.draft.claims.number(&["skew_seconds"])?;
    let ends = [offered.draft.claims.number(&["exp"])?, offered.draft.claims.number(&["iat"])?.saturating_sub(skew)];
    offered.now = chance.around_one(&ends);
    Some(())
}

fn skew(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let skew = chance.around_one(&[0, DAY]);
    set(offered, &["skew_seconds"], json!(skew))
}

fn other_root(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    offered.trusted = 1 + chance.below(3) as u64;
    set(offered, &["root_version"], json!(chance.below(5)))
}

fn other_signer(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let Publisher { holders, keys, .. } = offered.publisher;
    let signers: [&Key; 6] = [
        &holders.bundlers[0],
        &holders.bundlers[1],
        &holders.bundlers[1],
        &holders.custodians[0],
        &holders.strangers[0],
        &keys.known[2],
    ];
    let signer = chance.pick(&signers);
    offered.trusted = *chance.pick(&[2, 3]);
    let mut other = Draft::new(TYPE, offered.draft.claims.clone(), signer);
    if chance.one_in(5) {
        // Under the name of a key that the root has.
        other.header = offered.draft.header.clone();
    }
    offered.draft = other;
    Some(())
}

fn foreign(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let value = chance.pick(&[json!("another"), json!(""), json!(null), json!([ISSUER])]).clone();
    let name = *chance.pick(&["iss", "sub", "store", "both"]);
    if name == "both" {
        set(offered, &["iss"], value.clone())?;
        return set(offered, &["sub"], value);
    }
    set(offered, &[name], value)
}

fn service(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let (name, _) = *chance.pick(&SERVICES);
    let (member, value) = chance
        .pick(&[
            ("profile", json!("plain")),
            ("profile", json!("fedn")),
            ("profile", json!("Fedn")),
            ("audience", json!("x")),
            ("audience", json!("")),
            ("audience", json!(null)),
            ("audience", json!([AUDIENCE])),
            ("leeway_seconds", json!(0)),
            ("leeway_seconds", json!(-1)),
            ("leeway_seconds", json!("60")),
            ("longest_validity_seconds", json!(0)),
            ("longest_validity_seconds", json!((1_u64 << 53) - 1)),
            ("claims", json!({})),
            ("claims", json!({ "project": "" })),
            ("claims", json!({ "": "x" })),
            ("claims", json!({ "a": "x", "b": "y" })),
            ("claims", json!({ "project": 7 })),
            ("claims", json!(null)),
            ("issuer", json!("x")),
            ("note", json!("x")),
        ])
        .clone();
    match chance.below(6) {
        0 => offered.draft.claims.remove(&["services", name, member]),
        1 => offered.draft.claims.remove(&["services", name]),
        2 => {
            let named = offered.draft.claims.at(&["services", name])?.clone();
            set(offered, &["services", *chance.pick(&["new", "New", "", "a/b", "né", ".."])], named)
        }
        _ => set(offered, &["services", name, member], value),
    }
}

fn key(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let keys = offered.draft.claims.at(&["keys"])?.elements()?;
    keys.first()?;
    let place = chance.below(keys.len());
    match chance.below(5) {
        0 => keys.extend(keys.get(place).cloned()),
        1 => drop(keys.remove(place)),
        2 => {
            let many = 999 + chance.below(3);
            let template = keys[0].clone();
            for number in keys.len()..many {
                let mut more = template.clone();
                more.set(&["kid"], json!(number.to_string()))?;
                keys.push(more);
            }
        }
        _ => chance.apply(&crate::keysets::CHANGES, &mut keys[place], &mut Vec::new()),
    }
    Some(())
}

fn users(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let values = [
        json!([]),
        json!(["api"]),
        json!(["api", "api"]),
        json!(["nobody"]),
        json!(["api", "nobody"]),
        json!([1]),
        json!("api"),
        json!(null),
        json!({ "api": 1 }),
    ];
    let place = chance.below(5).to_string();
    let value = chance.pick(&values).clone();
    if chance.one_in(6) {
        return offered.draft.claims.remove(&["keys", &place, "services"]);
    }
    if chance.one_in(5) {
        // Of a key that is skipped.
        set(offered, &["keys", &place, "alg"], json!("ES384"))?;
    }
    set(offered, &["keys", &place, "services"], value)
}

fn withdrawn(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    let time = Node::text(*chance.pick(&["0", "1800000000", "1.0", "-1", "null", "9007199254740992"]));
    let paths: [&[&str]; 16] = [
        &["revoked", "all"],
        &["revoked", "everything"],
        &["revoked", "services", "api"],
        &["revoked", "services", "nobody"],
        &["revoked", "roles", "fed/client"],
        &["revoked", "roles", "api/reader"],
        &["revoked", "roles", "nobody/client"],
        &["revoked", "roles", "fed"],
        &["revoked", "roles", "fed/"],
        &["revoked", "roles", "fed/a/b"],
        &["revoked", "subjects", "ward7"],
        &["revoked", "subjects", ""],
        &["revoked", "kids", "k"],
        &["revoked", "kids", ""],
        &["revoked", "tokens", "0123456789abcdef"],
        &["revoked", "tokens", ""],
    ];
    let path = *chance.pick(&paths);
    if let [around, member, _] = path {
        set(offered, &[around, member], json!({}))?;
    }
    match chance.below(8) {
        0 => offered.draft.claims.remove(&["revoked"]),
        1 => set(offered, &path[..2], json!(null)),
        2 => set(offered, &path[..2], json!([])),
        _ => set(offered, path, time),
    }
}

fn file(chance: &mut Chance, offered: &mut Offered) -> Option<()> {
    const PATHS: [&str; 16] = [
        "a",
        "a/b",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        ".a",
        "a.",
        "-a",
        "a b",
        "a\\b",
        "né",
        "",
        "SHA256SUMS",
        "bundle.jwt",
    ];
    let digest = chance
        .pick(&[json!("cd".repeat(32)), json!("cd".repeat(32)), json!("CD".repeat(32)), json!(""), json!(null)])
        .clone();
    match chance.below(8) {
        0 if chance.one_in(2) => offered.draft.claims.remove(&["files"]),
        0 => set(offered, &["files"], json!({})),
        1 => set(offered, &["checkpoint"], chance.pick(&[json!(""), json!(null), json!("x")]).clone()),
        _ => set(offered, &["files", *chance.pick(&PATHS)], digest),
    }
}

/// For the tables of every kind: what this one's cases can note.
pub fn names() -> impl Iterator<Item = &'static str> {
    CHANGES.iter().map(|(name, _)| *name).chain(MORE).chain(any_json::TREE.iter().map(|(name, _)| *name))
}
