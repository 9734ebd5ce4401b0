//! A key that another system signed with: its tokens and its name there live on, as long as the
//! operator said, in front of a real trust store.

use super::office::{self, DAY, Office, START, accepts, rule};
use coldsign::acts::foreign::{ForeignDenied, Said, judged};
use coldsign::acts::revocations::{self, Request};
use coldsign::acts::{keys, publications};
use coldsign::issuing::revoked::What;
use coldsign::keystore::{Foreign, ForeignTokens, KeyState, RsaBits, SecretKey, Transition};
use coldsign::refusal::{Refusal, Refuse};
use coldsign_verify::Algorithm;
use coldsign_verify::jws::assemble;
use coldsign_verify::trust::TrustStore;
use serde_json::{Value, json};

const POLICY: &str = r#"format = "coldsign-policy"
version = 1
[distribution]
publish_every = "1d"
delivery = "1d"
reload = "1d"
bundle_lifetime = "10d"
[keysets.default]
algorithm = "EdDSA"
[keysets.other]
algorithm = "EdDSA"
[services.api]
profile = "rfc9068"
keyset = "default"
audience = "https://api.example"
sees_revocations = true
leeway = "30s"
[services.api.roles.reader]
[services.web]
profile = "plain"
keyset = "default"
audience = "web"
sees_revocations = true
[services.web.roles.reader]
[services.other]
profile = "plain"
keyset = "other"
audience = "other"
[services.other.roles.reader]
"#;
/// The `kid` in the old system's tokens.
const OLD: &str = "prod/2024 #1";
/// When the last of them expires.
const UNTIL: u64 = START + 300 * DAY;
const LONGEST: u64 = 365 * DAY;

/// A signer that has taken the old system's key in, and a verifier's machine.
struct World {
    office: Office,
    trust: TrustStore,
    key: SecretKey,
}

impl World {
    fn new() -> Self {
        let office = Office::new(POLICY);
        let world = Self {
            trust: office.pin("trust"),
            office,
            key: SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap(),
        };
        world.import("default", said(Some(UNTIL), Some(OLD)), START).unwrap();
        world
    }

    fn import(&self, keyset: &str, foreign: Foreign, now: u64) -> Result<(), Refusal> {
        let pem = self.key.expose_pkcs8_pem().unwrap();
        keys::import(&mut self.office.session(now), keyset, &pem, foreign).map(drop)
    }

    /// Publishes, and the verifier installs it.
    fn install(&mut self, now: u64) {
        let folder = self.office.carry(now, true);
        office::install(&mut self.trust, &folder, now).unwrap();
    }

    /// A token that the old system signed 60 days before the import, as that system did it.
    fn old_token(&self, kid: &str) -> String {
        let claims = json!({
            "iss": "https://tokens.example", "aud": "https://api.example", "sub": "ann", "client_id": "ann",
            "jti": "old-1", "iat": START - 60 * DAY, "exp": UNTIL,
        });
        assemble(&self.key.signing_as(kid), "at+jwt", claims.to_string().as_bytes()).unwrap()
    }

    fn at_api(&self, token: &str, now: u64) -> Result<(), &'static str> {
        accepts(&self.trust, "api", token, now)
    }
}

fn said(until: Option<u64>, kid: Option<&str>) -> Foreign {
    Foreign { tokens: until.map(|until| ForeignTokens { until, longest: LONGEST }), kid: kid.map(str::to_owned) }
}

#[test]
fn a_token_signed_elsewhere_lives_to_its_end_though_its_key_is_retired() {
    let mut world = World::new();
    let (old, thumbprint) = (world.old_token(OLD), world.old_token(world.key.kid()));
    world.install(START + DAY);
    assert_eq!(world.at_api(&old, START + DAY), Ok(()));
    assert_eq!(world.at_api(&thumbprint, START + DAY), Ok(()));
    assert!(world.at_api(&world.old_token("prod/2024 #2"), START + DAY).is_err(), "no other name of it");

    // It never signs here, and is retired at once: verifiers have it until the last token is over.
    let state = world.office.change("default/2", Transition::Deactivate, START + 2 * DAY).unwrap();
    assert_eq!(state, KeyState::Deactivated { verify_until: UNTIL + 60 + 30 });
    assert!(!world.office.has_private_half("default/2"));
    assert_eq!(rule(world.office.change("default/2", Transition::Destroy, UNTIL)), "KEY-NEEDED");
    for at in [START + 3 * DAY, START + 100 * DAY, UNTIL - 1] {
        world.install(at);
        assert_eq!(world.at_api(&old, at), Ok(()));
    }
    assert_eq!(world.at_api(&old, UNTIL + 30), Err("TOKEN-EXPIRED"));
    world.install(UNTIL + 90);
    assert_eq!(world.at_api(&old, UNTIL + 90), Err("TOKEN-KEY-UNKNOWN"));
    assert_eq!(world.office.change("default/2", Transition::Destroy, UNTIL + 90).unwrap(), KeyState::Destroyed);
}

#[test]
fn a_key_that_signs_here_is_kept_for_the_tokens_of_before_as_well() {
    let mut world = World::new();
    for at in [START, START + DAY, START + 2 * DAY] {
        world.install(at);
    }
    let change = |key: &str, transition, now| world.office.change(key, transition, now);
    assert_eq!(change("default/2", Transition::Activate, START + 8 * DAY).unwrap(), KeyState::Active);
    let own = world.office.sign_one(DAY, START + 8 * DAY).unwrap();
    assert!(own.expires_at < UNTIL);
    keys::generate(&mut world.office.session(START + 9 * DAY), "default").unwrap();
    for at in [START + 9 * DAY, START + 10 * DAY] {
        world.office.carry(at, true);
    }
    let now = START + 20 * DAY;
    assert_eq!(change("default/3", Transition::Activate, now).unwrap(), KeyState::Active);
    let state = change("default/2", Transition::Deactivate, now).unwrap();
    assert_eq!(state, KeyState::Deactivated { verify_until: UNTIL + 90 });
    world.install(now);
    assert_eq!(world.at_api(&world.old_token(OLD), now), Ok(()));
}

#[test]
fn a_revoked_key_is_revoked_under_both_its_names_as_long_as_a_token_may_live() {
    let mut world = World::new();
    let (old, thumbprint) = (world.old_token(OLD), world.old_token(world.key.kid()));
    world.install(START + DAY);
    assert_eq!(world.at_api(&old, START + DAY), Ok(()));
    let request = Request { what: What::Key, names: vec![OLD.to_owned()], reason: None, unseen: false };
    let now = START + 2 * DAY;
    let store = world.office.store();
    let reach = revocations::reach(&store, &request, now).unwrap();
    assert_eq!(reach.foreign.iter().map(|key| key.name()).collect::<Vec<_>>(), ["default/2"]);
    assert_eq!(
        reach.services.iter().map(|one| (one.service.as_str(), one.tokens)).collect::<Vec<_>>(),
        [("api", 0), ("web", 0)]
    );
    assert_eq!(reach.services[0].on_files, UNTIL + 30 + 60);
    revocations::revoke(&mut world.office.session(now), &request).unwrap();
    // Long after every token of the policy's own lengths.
    for at in [now, START + 250 * DAY, UNTIL - 1] {
        world.install(at);
        for token in [&old, &thumbprint] {
            assert_eq!(world.at_api(token, at), Err("TOKEN-REVOKED"), "{at}");
        }
        let newest = publications::find(&world.office.store(), None).unwrap().made.seq;
        let files = publications::files(&world.office.store(), newest).unwrap();
        for service in ["api", "web"] {
            let file = &files[&format!("for-{service}/revoked.json")];
            let revoked: Value = serde_json::from_slice(file).unwrap();
            let cut_off = json!(now - 60);
            assert_eq!(revoked["kids"], json!({OLD: cut_off, world.key.kid(): cut_off}));
        }
        assert!(!files.contains_key("for-other/revoked.json"));
    }
    world.install(UNTIL + 60 + 31);
    let newest = publications::find(&world.office.store(), None).unwrap().made.seq;
    let files = publications::files(&world.office.store(), newest).unwrap();
    let revoked: Value = serde_json::from_slice(&files["for-api/revoked.json"]).unwrap();
    assert_eq!(revoked["kids"], json!({}), "nobody can meet such a token any more");
}

#[test]
fn a_subject_s_cut_off_reaches_the_old_system_s_tokens_to_their_end() {
    let mut world = World::new();
    let old = world.old_token(OLD);
    let request = Request { what: What::Subject, names: vec!["ann".to_owned()], reason: None, unseen: true };
    revocations::revoke(&mut world.office.session(START + DAY), &request).unwrap();
    for at in [START + 2 * DAY, START + 299 * DAY] {
        world.install(at);
        assert_eq!(world.at_api(&old, at), Err("TOKEN-REVOKED"), "{at}");
    }
}

#[test]
fn a_lost_key_leaves_under_both_its_names() {
    let mut world = World::new();
    world.install(START);
    assert_eq!(world.at_api(&world.old_token(OLD), START), Ok(()));
    world.office.change("default/2", Transition::Compromise, START + DAY).unwrap();
    world.install(START + DAY);
    for kid in [OLD, world.key.kid()] {
        assert_eq!(world.at_api(&world.old_token(kid), START + DAY), Err("TOKEN-KEY-UNKNOWN"));
    }
}

#[test]
fn a_name_is_never_two_keys() {
    let world = World::new();
    let again = |keyset: &str, foreign| {
        let key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
        let pem = key.expose_pkcs8_pem().unwrap();
        rule(keys::import(&mut world.office.session(START), keyset, &pem, foreign))
    };
    let first = world.office.kid("default/1");
    let journal = world.office.kid("journal/1");
    let store = world.office.store();
    let libtrust = coldsign::publishing::libtrust_kid(&keys::find(&store, "other/1").unwrap().public);
    for taken in [OLD, &first, &journal, world.key.kid(), &libtrust, "default/1"] {
        assert_eq!(again("other", said(None, Some(taken))), "IMPORT-KID", "{taken}");
    }
    assert_eq!(rule(world.import("other", Foreign::default(), START)), "KEY-KNOWN");
    assert_eq!(again("other", said(None, Some("another"))), "not refused");
}

#[test]
fn what_nobody_can_mean_is_refused() {
    let judge = |tokens, kid: Option<&str>, named: Option<&str>| {
        let said = Said { tokens, kid: kid.map(|kid| Some(kid.to_owned())) };
        judged(&said, named.map(str::to_owned), "coldsign key import default old.pem", START)
    };
    let tokens = |until, longest| Some(Some(ForeignTokens { until, longest }));
    let refused = |result: Result<Foreign, ForeignDenied>| result.unwrap_err().rule().unwrap();
    assert_eq!(refused(judge(None, None, None)), "IMPORT-TOKENS");
    let hint = judge(None, None, None).unwrap_err().hint().unwrap();
    assert!(hint.starts_with("coldsign key import default old.pem --tokens-until "), "{hint}");
    assert_eq!(refused(judge(tokens(START, DAY), None, None)), "IMPORT-TOKENS");
    assert_eq!(refused(judge(tokens(u64::MAX, DAY), None, None)), "IMPORT-TOKENS");
    assert_eq!(refused(judge(tokens(START + 1, 0), None, None)), "IMPORT-TOKENS");
    assert_eq!(refused(judge(tokens(START + 1, u64::MAX), None, None)), "IMPORT-TOKENS");
    assert_eq!(refused(judge(Some(None), Some(&"k".repeat(65)), None)), "IMPORT-KID");
    assert_eq!(refused(judge(Some(None), Some("a\u{202e}b"), None)), "IMPORT-KID");
    let unnamed = Said { tokens: Some(None), kid: Some(None) };
    assert_eq!(refused(judged(&unnamed, None, "", START)), "IMPORT-KID");
    assert_eq!(judged(&unnamed, Some("k".to_owned()), "", START).unwrap().kid.as_deref(), Some("k"));
    assert_eq!(judge(tokens(START + 1, DAY), None, Some("k")).unwrap().kid, None, "only where it is wanted");
}
