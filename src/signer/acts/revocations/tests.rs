//! What a bundle says of revocations, judged by the verifier's own eyes on real tokens.

use super::*;
use crate::acts::issue::{self, Batch, Issued};
use crate::acts::{RELEASED, init, policy, publish};
use crate::keystore::{KdfCost, Passphrase, RecoveryCode};
use coldsign_verify::revocation::Revocations;
use coldsign_verify::{Profile, base64url, json};
use serde_json::Value;
use std::fs;
use zeroize::Zeroizing;

const POLICY: &str = r#"
format = "coldsign-policy"
version = 1
[keysets.default]
algorithm = "EdDSA"
[keysets.study]
algorithm = "ES256"
[keysets.registry]
algorithm = "ES256"
[services.api]
profile = "rfc9068"
keyset = "default"
audience = "https://api.example"
sees_revocations = true
[services.api.roles.reader]
[services.api.roles.writer]
[services.study]
profile = "fedn"
keyset = "study"
[services.study.roles.client]
[services.study.roles.admin]
[services.registry]
profile = "plain"
keyset = "registry"
audience = "registry.example"
kid = "libtrust"
leeway = "5m"
[services.registry.roles.pull]
"#;
/// What makes a bundle of half an hour allowed.
const SOON: &str = "publish_every = \"1m\"\ndelivery = \"1m\"\nreload = \"1m\"\nlost_sticks = 0\n";
const START: u64 = RELEASED + 1_000;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

struct Bench {
    folder: tempfile::TempDir,
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned())).unwrap()
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        init::init(&init::Request {
            path: &bench.folder.path().join("store"),
            issuer: "https://tokens.example",
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
        bench
    }

    fn session(&self, now: u64) -> Session {
        Session::open(&self.folder.path().join("store"), None, &passphrase(), now).unwrap()
    }

    fn apply_policy(&self, now: u64) {
        let mut session = self.session(now);
        let comparison = policy::compare(session.store(), session.now()).unwrap();
        policy::apply(&mut session, &comparison).unwrap();
    }

    fn store(&self) -> Store {
        Store::open(&self.folder.path().join("store")).unwrap()
    }

    fn issue(&self, grant: &str, subject: &str, now: u64) -> Token {
        let (service, roles) = grant.split_once('/').unwrap();
        let batch = Batch {
            service: service.to_owned(),
            roles: roles.split(',').map(str::to_owned).collect(),
            subjects: vec![subject.to_owned()],
            lifetime: Some(HOUR),
            ..Batch::default()
        };
        let issued = issue::issue(&mut self.session(now), &batch).unwrap().remove(0);
        Token::new(service, &issued)
    }

    fn revoke(&self, what: What, name: &str, now: u64) -> Result<Vec<RevocationMade>, Refusal> {
        let names = if what == What::Everything { Vec::new() } else { vec![name.to_owned()] };
        revoke(&mut self.session(now), &Request { what, names, reason: None, unseen: false })
    }

    fn current(&self, now: u64) -> Revocations {
        current(&self.store(), now)
    }
}

/// A token as a verifier sees it.
struct Token {
    service: String,
    profile: Profile,
    kid: String,
    jti: String,
    claims: serde_json::Map<String, Value>,
}

impl Token {
    fn new(service: &str, issued: &Issued) -> Self {
        let part = |at: usize| {
            let part = issued.token.split('.').nth(at).unwrap();
            json::parse_object(&base64url::decode(part).unwrap()).unwrap()
        };
        Self {
            service: service.to_owned(),
            profile: match service {
                "api" => Profile::Rfc9068,
                "study" => Profile::Fedn,
                _ => Profile::Plain,
            },
            kid: part(0)["kid"].as_str().unwrap().to_owned(),
            jti: issued.jti.clone(),
            claims: part(1),
        }
    }

    fn is_revoked_by(&self, revocations: &Revocations) -> bool {
        revocations.of_token(&self.service, self.profile, &self.kid, &self.claims).is_some()
    }

    fn iat(&self) -> u64 {
        self.claims["iat"].as_u64().unwrap()
    }
}

fn rule<T>(refused: Result<T, Refusal>) -> &'static str {
    refused.err().and_then(|refusal| refusal.reason().rule()).unwrap_or("not refused")
}

#[test]
fn each_revocation_reaches_exactly_what_it_names_and_nothing_issued_after_it() {
    let grants = [
        ("api/reader", "ann"),
        ("api/writer", "ann"),
        ("api/reader,writer", "bob"),
        ("study/client", "ann"),
        ("study/admin", "ward7"),
        ("registry/pull", "bob"),
    ];
    for (what, name, reached) in [
        (What::Subject, "ann", &[0, 1, 3][..]),
        (What::Role, "api/writer", &[1, 2]),
        (What::Role, "study/client", &[3]),
        (What::Service, "study", &[3, 4]),
        (What::Key, "default/1", &[0, 1, 2]),
        (What::Key, "registry/1", &[5]),
        (What::Everything, "", &[0, 1, 2, 3, 4, 5]),
    ] {
        let bench = Bench::new();
        let at = START + HOUR;
        // Issued and revoked within one second: the hardest case for a cut-off.
        let before: Vec<Token> = grants.iter().map(|(grant, subject)| bench.issue(grant, subject, at)).collect();
        bench.revoke(what, name, at).unwrap();
        let after: Vec<Token> = grants.iter().map(|(grant, subject)| bench.issue(grant, subject, at)).collect();
        let current = bench.current(at);
        for (place, (old, new)) in before.iter().zip(&after).enumerate() {
            assert_eq!(old.is_revoked_by(&current), reached.contains(&place), "{what} {name}: {}", grants[place].0);
            assert!(!new.is_revoked_by(&current), "{what} {name}: {} issued again", grants[place].0);
            assert!(new.iat() <= at, "{what} {name}: a verifier without leeway takes it at once");
        }
        let store = bench.store();
        let told: Vec<bool> =
            store.ledger().tokens.all().iter().map(|token| store.ledger().revocations.of(token).is_some()).collect();
        let wanted: Vec<bool> = (0..12).map(|place| reached.contains(&place)).collect();
        assert_eq!(told, wanted, "{what} {name}: the journal's word");
    }
}

#[test]
fn a_cut_off_stands_only_where_verifiers_can_judge_by_it() {
    let bench = Bench::new();
    let token = bench.issue("api/writer", "ann", START + 1);
    bench.revoke(What::Role, "api/writer", START + 2).unwrap();
    let current = bench.current(START + 2);
    assert!(current.roles.is_empty());
    assert_eq!(current.tokens.into_keys().collect::<Vec<_>>(), [token.jti]);
    bench.issue("study/client", "ann", START + 3);
    bench.revoke(What::Role, "study/client", START + 4).unwrap();
    let current = bench.current(START + 4);
    assert_eq!((current.roles.len(), current.tokens.len()), (1, 1));
}

#[test]
fn a_token_that_a_cut_off_misses_is_listed() {
    let bench = Bench::new();
    let token = bench.issue("api/reader", "ann", START + 1);
    let text = format!("{POLICY}[timing]\nbackdate = \"30m\"\n");
    fs::write(bench.folder.path().join("store/policy.toml"), text).unwrap();
    bench.apply_policy(START + 2);
    bench.revoke(What::Subject, "ann", START + 3).unwrap();
    let current = bench.current(START + 3);
    assert!(current.subjects["ann"].0 < token.iat());
    assert!(current.tokens.contains_key(&token.jti) && token.is_revoked_by(&current));
}

#[test]
fn what_no_token_can_meet_any_more_is_dropped() {
    let bench = Bench::new();
    bench.issue("registry/pull", "ann", START);
    let jti = bench.issue("registry/pull", "bob", START).jti;
    bench.revoke(What::Token, &jti, START).unwrap();
    bench.revoke(What::Subject, "ann", START).unwrap();
    // exp, leeway and S.
    let last = START + HOUR + 300 + 60;
    assert_eq!(bench.current(last).tokens.len(), 1);
    assert_eq!(bench.current(last + 1).tokens.len(), 0);
    // The cut-off lies b before; then the longest validity, leeway and S.
    let last = START - 60 + 30 * DAY + 60 + 300 + 60;
    assert_eq!(bench.current(last).subjects.len(), 1);
    assert!(bench.current(last + 1).is_empty());
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let bench = Bench::new();
    let jti = bench.issue("api/reader", "ann", START).jti;
    for (what, name) in [
        (What::Token, "nobody"),
        (What::Subject, "anna"),
        (What::Role, "api/reade"),
        (What::Service, "apo"),
        (What::Key, "journal/1"),
    ] {
        assert_eq!(rule(bench.revoke(what, name, START)), "REVOKE-UNKNOWN", "{what} {name}");
    }
    assert_eq!(rule(bench.revoke(What::Key, "default/9", START)), "KEY-UNKNOWN");
    bench.revoke(What::Token, &jti, START).unwrap();
    assert_eq!(rule(bench.revoke(What::Token, &jti, START)), "REVOKE-DONE");
    let jti = bench.issue("api/reader", "ann", START).jti;
    assert_eq!(rule(bench.revoke(What::Token, &jti, START + HOUR + 61)), "REVOKE-EXPIRED");
    let unseen = Request { what: What::Subject, names: vec!["anna".into()], reason: None, unseen: true };
    revoke(&mut bench.session(START + HOUR), &unseen).unwrap();
    assert!(bench.current(START + HOUR).subjects.contains_key("anna"));
}

#[test]
fn bounds_go_by_what_a_service_can_see() {
    let bench = Bench::new();
    let at = START + 1;
    for grant in ["api/reader", "registry/pull"] {
        bench.issue(grant, "ann", at);
    }
    let all = Request { what: What::Everything, names: Vec::new(), reason: None, unseen: false };
    let bounds = |now: u64| {
        let store = bench.store();
        let reach = reach(&store, &all, now).unwrap();
        let bounds = reach.services.iter().map(|one| (one.service.clone(), one.on_bundles, one.on_files));
        (bounds.collect::<Vec<_>>(), last_bundle_end(&store, None, now))
    };
    let (api, registry) = (at + HOUR + 60, at + HOUR + 300 + 60);
    let told = |on_bundles| vec![("api".to_owned(), Some(on_bundles), api), ("registry".to_owned(), None, registry)];
    // Who reads bundles has none.
    assert_eq!(bounds(at), (told(at + 60), at));
    let text = format!("{POLICY}[distribution]\n{SOON}bundle_lifetime = \"30m\"\n");
    fs::write(bench.folder.path().join("store/policy.toml"), text).unwrap();
    bench.apply_policy(at);
    publish::publish(&mut bench.session(at), false).unwrap();
    assert_eq!(bounds(at + 60), (told(at + 1_860), at + 1_800), "it ends by itself");
    // One that was signed for longer is out.
    fs::write(bench.folder.path().join("store/policy.toml"), POLICY).unwrap();
    bench.apply_policy(at);
    publish::publish(&mut bench.session(at), true).unwrap();
    assert_eq!(bounds(at + 60), (told(api), at + 120 * DAY));
}

#[test]
fn a_revocation_is_a_reason_to_publish_until_no_one_needs_it() {
    let bench = Bench::new();
    let jti = bench.issue("api/reader", "ann", START).jti;
    let publish = |now: u64| publish::publish(&mut bench.session(now), false).unwrap().new;
    assert!(publish(START) && !publish(START));
    bench.revoke(What::Token, &jti, START).unwrap();
    assert_eq!(unpublished(&bench.store(), START).len(), 1);
    assert_eq!(unpublished(&bench.store(), START + HOUR + 61).len(), 0, "over");
    assert!(publish(START) && !publish(START));
    assert_eq!(unpublished(&bench.store(), START).len(), 0);
}
