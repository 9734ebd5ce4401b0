//! Policy edits and the tokens that are out: none of them dies of an edit, and none longer than those is taken.

use super::office::{DAY, Office, START, accepts, install, passphrase};
use coldsign::acts::backup::outlook::outlook;
use coldsign::acts::backup::{self, Backup, Sealed, restore};
use coldsign::acts::issue::Issued;
use coldsign::acts::{Store, issue, keys, policy, publications, publish, revocations, status, told, verify};
use coldsign::issuing::revoked::What;
use coldsign::keystore::{KeyState, Transition};
use coldsign::publishing::ServiceSheet;
use coldsign::storage::Outbox;
use coldsign_verify::jws::assemble;
use coldsign_verify::trust::TrustStore;
use std::fs;
use std::ops::Deref;

const POLICY: &str = r#"format = "coldsign-policy"
version = 1
[distribution]
publish_every = "7d"
delivery = "3d"
[keysets.default]
algorithm = "EdDSA"
[keysets.study]
algorithm = "ES256"
[services.api]
profile = "rfc9068"
keyset = "default"
audience = "https://api.example"
leeway = "2m"
[services.api.roles.reader]
longest_lifetime = "30d"
[services.other]
profile = "rfc9068"
keyset = "default"
audience = "https://other.example"
[services.other.roles.reader]
[services.study]
profile = "fedn"
keyset = "study"
sees_revocations = true
[services.study.roles.client]
[services.study.roles.admin]
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

    /// Edits the policy in force, and applies it.
    fn edit(&self, from: &str, to: &str, now: u64) {
        let file = self.path("store").join("policy.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from:?} is not in the policy");
        fs::write(file, text.replace(from, to)).unwrap();
        let mut session = self.session(now);
        let comparison = policy::compare(session.store(), session.now()).unwrap();
        policy::apply(&mut session, &comparison).unwrap();
    }

    /// Takes a service out of the policy.
    fn remove(&self, service: &str, now: u64) {
        let text = fs::read_to_string(self.path("store").join("policy.toml")).unwrap();
        let from = text.find(&format!("[services.{service}]")).unwrap();
        let next = text.get(from + 1..).unwrap().match_indices("\n[").find_map(|(at, _)| {
            let line = text.get(from + 1 + at + 1..).unwrap();
            (!line.starts_with(&format!("[services.{service}."))).then_some(from + 1 + at + 1)
        });
        let section = text.get(from..next.unwrap_or(text.len())).unwrap().to_owned();
        self.edit(&section, "", now);
    }

    /// Publishes where something changed, and the verifier installs it.
    fn publish_and_install(&mut self, now: u64) -> u64 {
        let folder = self.carry(now, false);
        install(&mut self.trust, &folder, now).unwrap()
    }

    fn judges(&self, service: &str, token: &str, now: u64) -> &'static str {
        match self.trust.verifier(service) {
            Ok(_) => accepts(&self.trust, service, token, now).err().unwrap_or("accepted"),
            Err(_) => "no such service",
        }
    }

    /// What the newest publication's `service.json` says of a token's validity.
    fn told(&self, service: &str) -> Option<u64> {
        let store = self.store();
        let newest = publications::find(&store, None).unwrap().made.seq;
        let files = publications::files(&store, newest).unwrap();
        let sheet = files.get(&format!("for-{service}/service.json"))?;
        Some(ServiceSheet::parse(sheet).unwrap().longest_validity_seconds)
    }

    /// A token of that validity that the policy never allowed, signed with the true key.
    fn forged(&self, like: &Issued, validity: u64, now: u64) -> String {
        let session = self.session(now);
        let payload = like.token.split('.').nth(1).unwrap();
        let bytes = coldsign_verify::base64url::decode(payload).unwrap();
        let mut claims: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        claims["iat"] = (now - 60).into();
        claims["nbf"] = (now - 60).into();
        claims["exp"] = (now - 60 + validity).into();
        let key = keys::find(session.store(), &like.key).unwrap();
        let secret = session.opened().load(key).unwrap();
        assemble(&secret, "at+jwt", claims.to_string().as_bytes()).unwrap()
    }
}

fn is_due(store: &Store, now: u64) -> bool {
    publish::would_change(store, now).unwrap()
}

#[test]
fn a_narrower_policy_kills_no_token_that_is_out() {
    let mut world = World::new();
    let long = world.issue("api/reader", "ann", Some(30 * DAY), START).remove(0);
    assert_eq!(world.publish_and_install(START), 1);
    assert_eq!(world.judges("api", &long.token, START), "accepted");

    let day = START + DAY;
    world.edit("longest_lifetime = \"30d\"", "longest_lifetime = \"7d\"", day);
    world.carry(day, true);
    world.publish_and_install(day);
    let short = world.issue("api/reader", "ben", Some(7 * DAY), day).remove(0);
    assert_eq!(world.told("api"), Some(30 * DAY + 60));
    for now in [day, START + 15 * DAY, START + 30 * DAY - 1] {
        assert_eq!(world.judges("api", &long.token, now), "accepted", "at {now}");
    }
    assert_eq!(world.judges("api", &long.token, START + 30 * DAY + 120), "TOKEN-EXPIRED");
    assert_eq!(world.judges("api", &short.token, day), "accepted");
    // No longer one than those that are out.
    let forged = world.forged(&long, 30 * DAY + 61, day);
    assert_eq!(world.judges("api", &forged, day), "TOKEN-VALIDITY");
    // A service on the same keyset is told nothing of it.
    assert_eq!(world.told("other"), Some(30 * DAY + 60), "its own policy");

    // With the last one the long validity goes, and that is due.
    let over = START + 30 * DAY + 120 + 60;
    assert!(!is_due(&world.store(), over - 1), "some clock may still be before its end");
    assert!(is_due(&world.store(), over));
    world.publish_and_install(over);
    assert_eq!(world.told("api"), Some(7 * DAY + 60));
    let forged = world.forged(&long, 7 * DAY + 61, over);
    assert_eq!(world.judges("api", &forged, over), "TOKEN-VALIDITY");
}

#[test]
fn what_the_signer_expects_is_what_the_service_is_told() {
    let world = World::new();
    let long = world.sign("api/reader", "ann", Some(30 * DAY), START).unwrap().remove(0);
    issue::confirm(&mut world.session(START), &[], std::slice::from_ref(&long)).unwrap();
    let day = START + DAY;
    world.edit("longest_lifetime = \"30d\"", "longest_lifetime = \"7d\"", day);
    let folder = world.carry(day, false).join("for-api");
    assert_eq!(world.told("api"), Some(30 * DAY + 60), "it may be out, though it is not delivered");
    let forged = world.forged(&long, 30 * DAY + 61, day);
    let of_store = verify::verifier_of_store(&world.store(), "api", day).unwrap();
    let (of_folder, _) = verify::verifier_of_folder(&folder).unwrap();
    for verifier in [of_store, of_folder] {
        let answer = |token: &str| verify::verify(&verifier, token.as_bytes(), day).map(drop);
        assert!(answer(&long.token).is_ok());
        assert_eq!(super::office::rule(answer(&forged)), "TOKEN-VALIDITY");
    }
}

#[test]
fn a_wider_policy_and_a_longer_token_make_a_publication_due() {
    let mut world = World::new();
    world.edit("longest_lifetime = \"30d\"", "longest_lifetime = \"7d\"", START);
    world.publish_and_install(START);
    let day = START + DAY;
    world.edit("longest_lifetime = \"7d\"", "longest_lifetime = \"60d\"", day);
    assert!(is_due(&world.store(), day), "services must hear of it");
    let long = world.issue("api/reader", "ann", Some(60 * DAY), day).remove(0);
    assert!(!long.validity_told, "the operator hears that it is refused until then");
    assert_eq!(world.judges("api", &long.token, day), "TOKEN-VALIDITY");
    // Narrowed again before anything was published: the token is out all the same.
    world.edit("longest_lifetime = \"60d\"", "longest_lifetime = \"1d\"\ndefault_lifetime = \"1d\"", day + 60);
    world.publish_and_install(day + 60);
    assert_eq!(world.told("api"), Some(60 * DAY + 60));
    assert_eq!(world.judges("api", &long.token, day + 60 * DAY - 1), "accepted");
}

#[test]
fn a_revoked_token_keeps_no_validity_alive() {
    let mut world = World::new();
    world.issue("study/client", "ward7", Some(30 * DAY), START);
    world.edit("[services.study.roles.client]", "[services.study.roles.client]\nlongest_lifetime = \"7d\"", START);
    world.edit("[services.study.roles.admin]", "[services.study.roles.admin]\nlongest_lifetime = \"1d\"", START);
    world.publish_and_install(START);
    assert_eq!(world.told("study"), Some(30 * DAY + 60));
    let request =
        revocations::Request { what: What::Service, names: vec!["study".to_owned()], reason: None, unseen: false };
    revocations::revoke(&mut world.session(START + 60), &request).unwrap();
    world.publish_and_install(START + 60);
    assert_eq!(world.told("study"), Some(7 * DAY + 60));
}

#[test]
fn a_service_that_left_is_told_what_it_needs_until_its_last_token_is_over() {
    let mut world = World::new();
    let token = world.issue("api/reader", "ann", Some(20 * DAY), START).remove(0);
    let late = world.issue("api/reader", "ben", Some(25 * DAY), START).remove(0);
    world.publish_and_install(START);
    let day = START + DAY;
    world.edit("leeway = \"2m\"", "leeway = \"1m\"", day);
    world.remove("api", day);
    let published = world.publish_and_install(day);
    assert_eq!((published, world.told("api")), (2, Some(30 * DAY + 60)), "as its last policy had it");
    for (token, end) in [(&token, START + 20 * DAY), (&late, START + 25 * DAY)] {
        assert_eq!(world.judges("api", &token.token, day), "accepted");
        assert_eq!(world.judges("api", &token.token, end + 59), "accepted", "its leeway is that of its last policy");
    }
    let store = world.store();
    let summary = status::summary(&store, day).unwrap();
    let api = summary.services.iter().find(|service| service.name == "api").unwrap();
    assert_eq!((api.live, api.last_expiry, api.left_at), (2, Some(START + 25 * DAY), Some(day)));
    assert_eq!(super::office::rule(world.sign_one(3600, day)), "POLICY-SERVICE-UNKNOWN");

    // What is revoked there stays told until no clock and no leeway lets it in.
    let request =
        revocations::Request { what: What::Token, names: vec![token.jti.clone()], reason: None, unseen: false };
    revocations::revoke(&mut world.session(day), &request).unwrap();
    let end = START + 20 * DAY + 59 + 60;
    world.carry(end, true);
    world.publish_and_install(end);
    assert_eq!(world.judges("api", &token.token, end - 60), "TOKEN-REVOKED");
    world.publish_and_install(START + 21 * DAY);

    let over = START + 25 * DAY + 60 + 60;
    assert!(!is_due(&world.store(), over - 1));
    world.publish_and_install(over);
    assert_eq!((world.told("api"), world.judges("api", &late.token, over)), (None, "no such service"));
    let store = world.store();
    assert!(status::summary(&store, over).unwrap().services.iter().all(|service| service.name != "api"));
}

#[test]
fn a_single_key_service_that_left_keeps_the_key_that_it_has() {
    let mut world = World::new();
    let client = world.issue("study/client", "ward7", Some(30 * DAY), START).remove(0);
    let admin = world.issue("study/admin", "ann", Some(20 * DAY), START).remove(0);
    world.publish_and_install(START);
    let first = world.kid("study/1");
    world.remove("study", START + DAY);
    keys::generate(&mut world.session(START + DAY), "study").unwrap();
    world.change("study/2", Transition::Activate, START + DAY).unwrap();
    world.change("study/1", Transition::Deactivate, START + DAY).unwrap();
    // Nothing changed for it, so nothing is due.
    assert!(!is_due(&world.store(), START + DAY));
    world.carry(START + DAY, true);
    world.publish_and_install(START + DAY);
    let held = world.trust.bundle().unwrap().contents().jwks("study").unwrap();
    assert_eq!(held.keys().map(|key| key.kid.clone()).collect::<Vec<_>>(), std::slice::from_ref(&first));
    let newest = world.store().ledger().publications.newest().unwrap().made.kids.clone();
    assert!(newest.contains(&first), "rotation counts with what is out: {newest:?}");
    assert_eq!(world.judges("study", &client.token, START + 2 * DAY), "accepted");

    // What is taken back there is told there, and nothing else goes with it.
    let names = vec!["study/client".to_owned()];
    let request = revocations::Request { what: What::Role, names, reason: None, unseen: false };
    revocations::revoke(&mut world.session(START + 2 * DAY), &request).unwrap();
    world.publish_and_install(START + 2 * DAY);
    assert_eq!(world.judges("study", &client.token, START + 2 * DAY), "TOKEN-REVOKED");
    assert_eq!(world.judges("study", &admin.token, START + 2 * DAY), "accepted");
    // The revoked one keeps nothing alive.
    let over = START + 20 * DAY + 60;
    assert!(!is_due(&world.store(), over - 1));
    world.publish_and_install(over);
    assert_eq!(world.told("study"), None);
}

#[test]
fn a_key_stays_for_the_leeway_of_a_service_that_left() {
    let world = World::new();
    world.issue("api/reader", "ann", Some(30 * DAY), START);
    world.publish(START);
    world.remove("api", START + DAY);
    world.remove("other", START + DAY);
    let ends = world.change("default/1", Transition::Deactivate, START + DAY).unwrap();
    assert_eq!(ends, KeyState::Deactivated { verify_until: START + 30 * DAY + 120 + 60 });
    world.edit("[keysets.default]\nalgorithm = \"EdDSA\"\n", "", START + DAY);
    assert_eq!((world.publish(START + DAY), world.told("api")), (2, Some(30 * DAY + 60)), "its keyset left too");
}

#[test]
fn tokens_that_a_restore_lost_live_on() {
    let mut world = World::new();
    world.edit("algorithm = \"EdDSA\"", "algorithm = \"EdDSA\"\nrotate_every = \"60d\"", START);
    world.publish_and_install(START);
    let made = backup::create(&mut world.session(START), &Outbox::open(&world.path("backups")).unwrap()).unwrap();
    let lost = world.issue("api/reader", "ann", Some(30 * DAY), START + DAY).remove(0);
    fs::rename(world.path("store"), world.path("burnt")).unwrap();
    let bytes = fs::read(&made.path).unwrap();
    let sealed = Sealed::read(&made.path, &bytes).unwrap();
    let backup = Backup::open(&made.path, &bytes, &sealed, "admin", &passphrase()).unwrap();
    let outlook = outlook(&backup, &[], None).unwrap();
    let (place, restored) = (world.path("store"), START + 2 * DAY);
    let request = restore::Request {
        backup: &backup,
        place: &place,
        outlook: &outlook,
        accept_fork: false,
        reason: None,
        now: restored,
    };
    restore::restore(&request).unwrap();

    // Nobody knows of the token any more, and yet neither the policy nor the key's end kills it.
    world.edit("longest_lifetime = \"30d\"", "longest_lifetime = \"7d\"", restored);
    keys::generate(&mut world.session(restored), "default").unwrap();
    world.publish_and_install(restored);
    assert_eq!(world.judges("api", &lost.token, restored), "accepted");
    world.remove("api", restored);
    world.publish_and_install(restored + 60);
    assert_eq!(world.judges("api", &lost.token, restored), "accepted");
    world.carry(restored + 7 * DAY, true);
    let known = restored + 20 * DAY;
    world.change("default/2", Transition::Activate, known).unwrap();
    let ends = world.change("default/1", Transition::Deactivate, known).unwrap();
    assert_eq!(ends, KeyState::Deactivated { verify_until: restored + 30 * DAY + 120 + 60 });
    let over = restored + 30 * DAY + 120 + 60;
    assert!(publishes(&world, over - 1) && !publishes(&world, over));
}

/// Whether a publication made then would tell `api` anything.
fn publishes(world: &World, now: u64) -> bool {
    told::policy(&world.store(), now).unwrap().service("api").is_some()
}
