//! What `revoke` takes back is refused by a real trust store once its bundle is installed, and nothing else is.

use super::office::{self, DAY, Office, START, accepts};
use coldsign::acts::issue::Issued;
use coldsign::acts::revocations::{self, Request};
use coldsign::acts::{cutover, emergency};
use coldsign::issuing::revoked::What;
use coldsign::rotation::Bound;
use coldsign::storage::Outbox;
use coldsign_verify::trust::TrustStore;
use std::ops::Deref;

const HOUR: u64 = 3_600;
const POLICY: &str = r#"format = "coldsign-policy"
version = 1
[distribution]
publish_every = "1d"
delivery = "1d"
reload = "1d"
bundle_lifetime = "10d"
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
sees_revocations = true
[services.study.roles.client]
[services.study.roles.admin]
[services.registry]
profile = "plain"
keyset = "registry"
audience = "registry.example"
kid = "libtrust"
sees_revocations = true
[services.registry.roles.pull]
"#;

/// A signer, a stick and a verifier's machine.
struct World {
    office: Office,
    trust: TrustStore,
}

impl Deref for World {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

impl World {
    fn new() -> Self {
        let office = Office::new(POLICY);
        Self { trust: office.pin("trust"), office }
    }

    /// Publishes, and the verifier installs it.
    fn install(&mut self, now: u64) {
        let folder = self.carry(now, true);
        office::install(&mut self.trust, &folder, now).unwrap();
    }

    fn revoke(&self, what: What, names: &[&str], now: u64) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        revocations::revoke(&mut self.session(now), &Request { what, names, reason: None, unseen: false }).unwrap();
    }

    fn judges(&self, grant: &str, token: &str, now: u64) -> &'static str {
        accepts(&self.trust, grant.split('/').next().unwrap(), token, now).err().unwrap_or("accepted")
    }
}

const GRANTS: [(&str, &str); 6] = [
    ("api/reader", "ann"),
    ("api/writer", "ann"),
    ("api/writer", "bob"),
    ("study/client", "ann"),
    ("study/admin", "ward7"),
    ("registry/pull", "bob"),
];

#[test]
fn what_is_taken_back_is_refused_and_what_comes_after_it_is_not() {
    let mut world = World::new();
    let kinds = [
        (What::Token, None, &[2][..]),
        (What::Subject, Some("ann"), &[0, 1, 3]),
        (What::Role, Some("api/writer"), &[1, 2]),
        (What::Role, Some("study/client"), &[3]),
        (What::Service, Some("study"), &[3, 4]),
        (What::Key, Some("default/1"), &[0, 1, 2]),
        (What::Key, Some("registry/1"), &[5]),
        (What::Everything, None, &[0, 1, 2, 3, 4, 5]),
    ];
    for (round, (what, name, reached)) in kinds.into_iter().enumerate() {
        let now = START + round as u64 * HOUR;
        let all = |world: &World| GRANTS.map(|(grant, subject)| world.issue(grant, subject, Some(HOUR), now).remove(0));
        let old = all(&world);
        world.install(now);
        let judged = |world: &World, tokens: &[Issued; 6], at: u64| -> Vec<&'static str> {
            GRANTS.iter().zip(tokens).map(|((grant, _), token)| world.judges(grant, &token.token, at)).collect()
        };
        assert_eq!(judged(&world, &old, now), ["accepted"; 6], "{what} {name:?}");
        let names: Vec<&str> = match what {
            What::Token => vec![&old[2].jti],
            _ => name.into_iter().collect(),
        };
        world.revoke(what, &names, now);
        assert_eq!(judged(&world, &old, now), ["accepted"; 6], "{what} {name:?}: nobody has heard of it");
        let new = all(&world);
        world.install(now);
        let wanted: Vec<&str> =
            (0..6).map(|place| if reached.contains(&place) { "TOKEN-REVOKED" } else { "accepted" }).collect();
        assert_eq!(judged(&world, &old, now), wanted, "{what} {name:?}");
        assert_eq!(judged(&world, &new, now), ["accepted"; 6], "{what} {name:?}: issued again within the second");
    }
}

#[test]
fn a_revocation_during_a_cutover_takes_the_token_and_its_replacement() {
    let mut world = World::new();
    let old = ["ann", "bob", "cyd", "dan"]
        .map(|subject| world.issue("study/admin", subject, Some(30 * DAY), START).remove(0));
    let outbox = Outbox::open(&world.path("out")).unwrap();
    let sheets = cutover::Sheets { operator: |_, _| String::new(), holder: |_| String::new() };
    let set =
        cutover::issue(&mut world.session(START), "study", &cutover::Wanted::default(), &outbox, &sheets).unwrap();
    let both = world.issue("study/client", "eve", Some(30 * DAY), START);
    assert_eq!(both.len(), 2);
    // By the token that is in use, by the one that will be, by its subject, by the first of a pair.
    let replacement = |subject: &str| set.replacements.iter().find(|token| token.subject == subject).unwrap();
    world.revoke(What::Token, &[&old[0].jti], START + 1);
    world.revoke(What::Token, &[&replacement("bob").jti], START + 1);
    world.revoke(What::Subject, &["cyd"], START + 1);
    world.revoke(What::Token, &[&both[0].jti], START + 1);
    let again = world.issue("study/admin", "cyd", Some(30 * DAY), START + 1);
    world.install(START + 1);
    let now: Vec<&str> =
        old.iter().chain([&both[0], &again[0]]).map(|token| world.judges("study", &token.token, START + 1)).collect();
    let revoked = "TOKEN-REVOKED";
    assert_eq!(now, [revoked, revoked, revoked, "accepted", revoked, "accepted"]);

    let swap = set.survey.swap.at;
    cutover::confirm(&mut world.session(swap), "study", false).unwrap();
    world.install(swap);
    let then = ["ann", "bob", "cyd", "dan"].map(|subject| world.judges("study", &replacement(subject).token, swap));
    assert_eq!(then, [revoked, revoked, revoked, "accepted"]);
    let pairs = [&both[1], &again[1]].map(|token| world.judges("study", &token.token, swap));
    assert_eq!(pairs, [revoked, "accepted"]);
}

#[test]
fn a_key_revoked_during_a_cutover_takes_both_keys() {
    for key in ["study/1", "study/2"] {
        let mut world = World::new();
        let old = world.issue("study/admin", "ann", Some(30 * DAY), START).remove(0);
        let outbox = Outbox::open(&world.path("out")).unwrap();
        let sheets = cutover::Sheets { operator: |_, _| String::new(), holder: |_| String::new() };
        let set =
            cutover::issue(&mut world.session(START), "study", &cutover::Wanted::default(), &outbox, &sheets).unwrap();
        world.revoke(What::Key, &[key], START + 1);
        let again = world.issue("study/admin", "ann", Some(30 * DAY), START + 1);
        world.install(START + 1);
        let judged = [&old, &again[0]].map(|token| world.judges("study", &token.token, START + 1));
        assert_eq!(judged, ["TOKEN-REVOKED", "accepted"], "{key}");
        let swap = set.survey.swap.at;
        cutover::confirm(&mut world.session(swap), "study", false).unwrap();
        world.install(swap);
        let judged = [&set.replacements[0], &again[1]].map(|token| world.judges("study", &token.token, swap));
        assert_eq!(judged, ["TOKEN-REVOKED", "accepted"], "{key}");
    }
}

#[test]
fn a_lost_key_is_in_no_bundle_and_its_bounds_are_those_of_a_revocation() {
    let mut world = World::new();
    let token = world.issue("api/reader", "ann", Some(30 * DAY), START).remove(0);
    world.install(START);
    let now = START + DAY;
    let all = Request { what: What::Key, names: vec!["default/1".into()], reason: None, unseen: false };
    let store = world.store();
    let reach = revocations::reach(&store, &all, now).unwrap();
    let survey = emergency::survey(&store, "default", now).unwrap();
    // The token would live longer than the bundle.
    assert_eq!(reach.services[0].on_bundles, Some(START + 10 * DAY + 60));
    assert_eq!(survey.hits[0].bound, Bound::Until(START + 10 * DAY + 60));
    let until = START + 10 * DAY;
    assert_eq!(world.judges("api", &token.token, until - 1), "accepted", "whoever never hears of it");
    assert_ne!(world.judges("api", &token.token, until), "accepted");
    drop(store);
    emergency::declare(&mut world.session(now), "default", None).unwrap();
    world.install(now);
    assert_eq!(world.judges("api", &token.token, now), "TOKEN-KEY-UNKNOWN");
}
