//! Receipts of real trust stores, before the signer: who is believed, what that makes sooner, who lags.

use super::office::{self, DAY, DISTRIBUTION, Office, START};
use coldsign::acts::keys::{self, Change};
use coldsign::acts::verifiers::record::ReceiptTaken;
use coldsign::acts::verifiers::{self, Enrolment, ReceiptDenied};
use coldsign::acts::{Store, rotate, status};
use coldsign::keystore::{KeyState, Transition};
use coldsign::refusal::Refuse;
use coldsign::rotation::Act;
use coldsign_verify::jws::{Sign, SignFailure};
use coldsign_verify::receipt::{self, Contents, Receipt};
use coldsign_verify::trust::TrustStore;
use coldsign_verify::{Algorithm, Digest, PublicKey, UnixTime};
use ed25519_dalek::{Signer, SigningKey};
use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;
use std::path::Path;

const POLICY: &str = r#"format = "coldsign-policy"
version = 1
[keysets.default]
algorithm = "EdDSA"
[services.api]
keyset = "default"
audience = "https://api.example"
sees_revocations = true
confirmed_by = ["api-1", "api-2"]
[services.api.roles.reader]
"#;

/// A signer, a stick, and the verifiers' machines.
struct World(Office);

impl Deref for World {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.0
    }
}

impl World {
    fn new(policy: &str) -> Self {
        Self(Office::new(policy))
    }

    /// A machine that pinned the root and is enrolled.
    fn machine(&self, name: &str, seed: u8, now: u64) -> Machine {
        let machine = Machine { trust: self.pin(name), key: Key::new(seed) };
        self.enrol(name, machine.key.jwk().as_bytes(), &machine.fingerprint().to_string(), now).unwrap();
        machine
    }

    fn enrol(&self, name: &str, file: &[u8], fingerprint: &str, now: u64) -> Result<(), &'static str> {
        let enrolment = Enrolment { name, file, fingerprint };
        let added = verifiers::add(&mut self.session(now), &enrolment);
        added.map(drop).map_err(|refusal| refusal.reason().rule().unwrap())
    }

    /// Takes one receipt, or names the rule that refused.
    fn take(&self, receipt: &str, now: u64) -> Result<ReceiptTaken, &'static str> {
        let before = journal_lines(&self.store());
        let taken = verifiers::take(&mut self.session(now), &[receipt.as_bytes().to_vec()]).unwrap().remove(0);
        let grown = journal_lines(&self.store()) - before;
        assert_eq!(grown, if taken.is_ok() { 2 } else { 0 }, "a receipt and its checkpoint, or nothing");
        taken.map_err(|denied| rule(&denied))
    }

    /// Lets `default/2` sign, or names the rule that refused.
    fn activate(&self, now: u64) -> Result<(), (&'static str, String)> {
        let change = Change { key: "default/2", transition: Transition::Activate, reason: None, accept_outage: false };
        let changed = keys::change(&mut self.session(now), &change);
        changed.map(drop).map_err(|refusal| (refusal.reason().rule().unwrap(), refusal.to_string()))
    }
}

/// A verifier's trust store and its receipt key.
struct Machine {
    trust: TrustStore,
    key: Key,
}

impl Machine {
    fn install(&mut self, folder: &Path, now: u64) {
        office::install(&mut self.trust, folder, now).unwrap();
    }

    fn receipt(&mut self, now: u64) -> String {
        self.trust.receipt(&self.key.public, &self.key, UnixTime(now)).unwrap()
    }

    fn fingerprint(&self) -> Digest {
        receipt::fingerprint(&self.key.public)
    }

    /// A receipt that the trust store would not make.
    fn signed(&self, contents: &Contents) -> String {
        receipt::sign(contents, &self.key.public, &self.key).unwrap()
    }
}

struct Key {
    key: SigningKey,
    public: PublicKey,
    kid: String,
}

impl Key {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::ed25519(Algorithm::EdDsa, key.verifying_key().as_bytes()).unwrap();
        Self { kid: public.thumbprint(), key, public }
    }

    fn jwk(&self) -> String {
        self.public.to_jwk(&self.kid).to_string()
    }
}

impl Sign for Key {
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

fn journal_lines(store: &Store) -> usize {
    store.journal().entries().len()
}

fn rule(denied: &ReceiptDenied) -> &'static str {
    assert!(denied.why().last().unwrap().contains("nothing was recorded"), "{denied}");
    denied.rule().unwrap()
}

#[test]
fn receipts_of_all_let_a_key_sign_sooner_and_shorten_no_removal() {
    let world = World::new(POLICY);
    let (mut one, mut two) = (world.machine("api-1", 1, START), world.machine("api-2", 2, START));
    let first = world.carry(START, true);
    one.install(&first, START);
    two.install(&first, START);
    world.issue("api/reader", "ann", Some(20 * DAY), START);

    keys::generate(&mut world.session(START + DAY), "default").unwrap();
    let second = world.carry(START + DAY, true);
    assert_eq!(world.take(&one.receipt(START + 2 * DAY), START + 2 * DAY).unwrap().seq, 1);
    assert_eq!(world.take(&two.receipt(START + 2 * DAY), START + 2 * DAY).unwrap().seq, 1);
    assert_eq!(world.activate(START + 2 * DAY).unwrap_err().0, "KEY-CARRIED", "they have not got it");
    one.install(&second, START + 2 * DAY);
    one.trust.note_loaded(UnixTime(START + 2 * DAY)).unwrap();
    world.take(&one.receipt(START + 2 * DAY), START + 3 * DAY).unwrap();
    assert_eq!(world.activate(START + 3 * DAY).unwrap_err().0, "KEY-CARRIED", "one of two");
    two.install(&second, START + 3 * DAY);
    world.take(&two.receipt(START + 3 * DAY), START + 3 * DAY).unwrap();
    let (rule, fact) = world.activate(START + 4 * DAY + 59).unwrap_err();
    assert_eq!(rule, "KEY-EARLY", "installed, not known to be loaded: {fact}");
    assert!(fact.contains(&UnixTime(START + 4 * DAY + 60).to_string()), "{fact}");
    two.trust.note_loaded(UnixTime(START + 4 * DAY)).unwrap();
    world.take(&two.receipt(START + 4 * DAY), START + 4 * DAY).unwrap();
    let steps = rotate::plan(&world.store(), None, START + 4 * DAY, START + 400 * DAY).unwrap();
    assert!(steps.iter().any(|step| step.act == Act::Activate && step.to == "default/2"), "{steps:?}");
    assert_eq!(world.activate(START + 4 * DAY), Ok(()));

    let old = Change { key: "default/1", transition: Transition::Deactivate, reason: None, accept_outage: false };
    let ended = keys::change(&mut world.session(START + 4 * DAY), &old).unwrap();
    let token = world.store().ledger().tokens.all()[0].issued.exp;
    assert_eq!(ended.state, KeyState::Deactivated { verify_until: token + 60 }, "as without any receipt");
    let third = world.carry(START + 5 * DAY, true);
    for machine in [&mut one, &mut two] {
        machine.install(&third, START + 5 * DAY);
        machine.trust.note_loaded(UnixTime(START + 5 * DAY)).unwrap();
        world.take(&machine.receipt(START + 5 * DAY), START + 5 * DAY).unwrap();
    }
    let gone = Change { transition: Transition::Destroy, ..old };
    let refused = keys::change(&mut world.session(START + 5 * DAY), &gone).unwrap_err();
    assert_eq!(refused.reason().rule(), Some("KEY-NEEDED"));
}

#[test]
fn time_alone_decides_where_a_service_names_nobody_or_is_a_stock_consumer() {
    let silent = "[services.web]\nkeyset = \"default\"\naudience = \"web\"\n";
    for policy in [
        POLICY.replace("sees_revocations = true", "sees_revocations = false"),
        POLICY.replace("\"api-1\", \"api-2\"", ""),
        POLICY.to_owned() + silent,
        POLICY.replace("\"api-2\"", "\"api-3\""),
    ] {
        let world = World::new(&policy);
        let (mut one, mut two) = (world.machine("api-1", 1, START), world.machine("api-2", 2, START));
        keys::generate(&mut world.session(START), "default").unwrap();
        let folder = world.carry(START, true);
        for machine in [&mut one, &mut two] {
            machine.install(&folder, START);
            machine.trust.note_loaded(UnixTime(START)).unwrap();
            world.take(&machine.receipt(START), START).unwrap();
        }
        assert_eq!(world.activate(START + DAY).unwrap_err().0, "KEY-CARRIED", "{policy}");
        world.carry(START + 30 * DAY, true);
        assert_eq!(world.activate(START + DISTRIBUTION - 1).unwrap_err().0, "KEY-EARLY");
        assert_eq!(world.activate(START + DISTRIBUTION), Ok(()), "receipts hold up nothing");
    }
}

#[test]
fn each_receipt_that_is_not_what_it_seems_is_refused_and_its_twin_is_taken() {
    let world = World::new(POLICY);
    let mut machine = world.machine("api-1", 1, START);
    machine.install(&world.carry(START, true), START);
    let sound = machine.receipt(START + 10);
    let contents = Receipt::verify(&sound, &machine.key.public).unwrap().contents().clone();
    let changed = |change: &dyn Fn(&mut Contents)| {
        let mut contents = contents.clone();
        change(&mut contents);
        world.take(&machine.signed(&contents), START + 20).map(|_| ())
    };
    assert_eq!(changed(&|it| it.store = "other".to_owned()), Err("RECEIPT-STORE"));
    assert_eq!(changed(&|it| it.verifier = "api-2".to_owned()), Err("RECEIPT-VERIFIER"));
    assert_eq!(changed(&|it| it.seq = 2), Err("RECEIPT-PUBLICATION"));
    assert_eq!(changed(&|it| it.bundle = Digest::of(b"another")), Err("RECEIPT-BUNDLE"));
    assert_eq!(changed(&|it| it.issued_at = UnixTime(START + 81)), Err("RECEIPT-CLOCK"));
    let stranger = Machine { trust: machine.trust.clone(), key: Key::new(9) };
    assert_eq!(world.take(&stranger.signed(&contents), START + 20), Err("RECEIPT-KEY"));
    let other = machine.signed(&Contents { loaded_at: Some(UnixTime(START)), ..contents.clone() });
    let mixed = format!("{}.{}", sound.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    assert_eq!(world.take(&mixed, START + 20), Err("RECEIPT-SIGNATURE"));
    assert_eq!(world.take(&sound[1..], START + 20), Err("RECEIPT-FORM"));
    assert_eq!(world.take("", START + 20), Err("RECEIPT-FORM"));
    assert_eq!(world.take(&"x".repeat(receipt::LONGEST + 1), START + 20), Err("RECEIPT-LENGTH"));
    let bytes = verifiers::examine(&world.store(), &[vec![0xff; 9]], START).remove(0);
    assert_eq!(rule(&bytes.unwrap_err()), "RECEIPT-FORM");

    let taken = world.take(&format!("{sound}\n"), START + 20).unwrap();
    assert_eq!((taken.counter, taken.seq, taken.installed_at, taken.clock), (1, 1, START, START + 10));
    assert_eq!(world.take(&sound, START + 20), Err("RECEIPT-COUNTER"), "the same again");
    let ahead = Contents { counter: 2, previous: Some(Digest::of(sound.as_bytes())), ..contents };
    let ahead = Contents { issued_at: UnixTime(START + 80), ..ahead };
    assert!(world.take(&machine.signed(&ahead), START + 20).is_ok(), "within the skew");
}

#[test]
fn a_machine_put_back_from_an_image_is_told_from_a_receipt_that_was_late() {
    let world = World::new(POLICY);
    let mut machine = world.machine("api-1", 1, START);
    machine.install(&world.carry(START, true), START);
    let told = |receipt: &str, now: u64| {
        let denied = verifiers::examine(&world.store(), &[receipt.as_bytes().to_vec()], now).remove(0).unwrap_err();
        (rule(&denied), denied.hint().unwrap())
    };
    let late = ("RECEIPT-COUNTER", "coldsign-gate receipt --to .".to_owned());
    let image = ("RECEIPT-FORK", "coldsign verifier remove api-1".to_owned());

    let one = machine.receipt(START + 1);
    let put_back = fs::read(world.path("api-1/trust.json")).unwrap();
    let (two, three) = (machine.receipt(START + 2), machine.receipt(START + 3));
    world.take(&one, START + 3).unwrap();
    assert_eq!(world.take(&three, START + 3).unwrap().counter, 3, "the second is still on its way");
    assert_eq!(told(&two, START + 9), late);
    assert_eq!(told(&three, START + 9), late);

    fs::write(world.path("api-1/trust.json"), put_back).unwrap();
    machine.trust = TrustStore::open(&world.path("api-1")).unwrap();
    assert_eq!(told(&machine.receipt(START + 4), START + 9), image, "another second one");
    assert_eq!(told(&machine.receipt(START + 5), START + 9), image, "another third one");
    assert_eq!(told(&machine.receipt(START + 6), START + 9), image, "a fourth after another third");

    // Numbers that passed ours by: the publication tells, where it is an older one.
    let second = world.carry(START + DAY, true);
    let contents = Receipt::verify(&three, &machine.key.public).unwrap().contents().clone();
    machine.install(&second, START + DAY);
    let bundle = machine.trust.bundle().unwrap().digest();
    let next = |counter, seq, bundle| Contents {
        counter,
        seq,
        bundle,
        previous: Some(Digest::of(b"one that was lost")),
        issued_at: UnixTime(START + DAY),
        ..contents.clone()
    };
    let newer = machine.signed(&next(9, 2, bundle));
    assert_eq!(world.take(&newer, START + DAY).unwrap().seq, 2);
    assert_eq!(told(&machine.signed(&next(11, 1, contents.bundle)), START + DAY), image);
}

#[test]
fn a_verifier_is_enrolled_by_what_was_compared_and_removed_for_good() {
    let world = World::new(POLICY);
    let mut machine = world.machine("api-1", 1, START);
    machine.install(&world.carry(START, true), START);
    let (one, print) = (machine.receipt(START), machine.fingerprint());
    let hex = print.to_string();
    world.take(&one, START).unwrap();
    let enrol = |name, file: &str, print: &str| world.enrol(name, file.as_bytes(), print, START + 9);
    let jwk = machine.key.jwk();
    assert_eq!(enrol("api-1", &jwk, &hex), Err("VERIFIER-KNOWN"));
    assert_eq!(enrol("api-2", &jwk, &hex), Err("VERIFIER-KEY-KNOWN"));
    assert_eq!(enrol("API", &jwk, &hex), Err("VERIFIER-NAME"));
    let other = Key::new(7);
    let others = receipt::fingerprint(&other.public);
    assert_eq!(enrol("api-2", &other.jwk(), &hex), Err("VERIFIER-FINGERPRINT"));
    assert_eq!(enrol("api-2", &other.jwk(), &hex[1..]), Err("VERIFIER-FINGERPRINT"));
    assert_eq!(enrol("api-2", "{}", &hex), Err("VERIFIER-KEY"));
    assert_eq!(enrol("api-2", &one, &hex), Err("VERIFIER-KEY"), "another's receipt");
    let store_key = world.store().ledger().keys.all()[0].public.clone();
    let stores = receipt::fingerprint(&store_key).to_string();
    assert_eq!(enrol("api-2", &store_key.to_spki_pem(), &stores), Err("VERIFIER-KEY-KNOWN"), "the store's own");
    assert_eq!(enrol("api-2", &other.public.to_spki_pem(), &others.words().join(" ")), Ok(()));

    let remove = |name| verifiers::remove(&mut world.session(START + 9), name, None);
    assert_eq!(remove("api-9").unwrap_err().reason().rule(), Some("VERIFIER-UNKNOWN"));
    remove("api-1").unwrap();
    let two = machine.receipt(START + 9);
    assert_eq!(world.take(&two, START + 9), Err("RECEIPT-VERIFIER"));
    assert_eq!(enrol("api-3", &jwk, &hex), Err("VERIFIER-KEY-KNOWN"), "no key changes its name");
    assert_eq!(enrol("api-1", &two, &hex), Ok(()), "by a receipt of its own");
    assert_eq!(world.take(&one, START + 9), Err("RECEIPT-COUNTER"), "its counter goes on");
    assert_eq!(world.take(&two, START + 9).unwrap().counter, 2);

    remove("api-1").unwrap();
    let anew = Machine { trust: machine.trust.clone(), key: Key::new(3) };
    assert_eq!(enrol("api-1", &anew.key.jwk(), &anew.fingerprint().to_string()), Ok(()));
    let contents = Receipt::verify(&one, &machine.key.public).unwrap().contents().clone();
    assert_eq!(world.take(&anew.signed(&contents), START + 9).unwrap().counter, 1, "a new key begins at 1");
    assert_eq!(world.take(&machine.receipt(START + 9), START + 9), Err("RECEIPT-KEY"));
}

#[test]
fn enrolled_again_under_its_key_a_verifier_has_confirmed_nothing_yet() {
    let world = World::new(POLICY);
    let mut machines = ["api-1", "api-2"].map(|name| world.machine(name, name.as_bytes()[4], START));
    keys::generate(&mut world.session(START), "default").unwrap();
    let folder = world.carry(START, true);
    for machine in &mut machines {
        machine.install(&folder, START);
        machine.trust.note_loaded(UnixTime(START)).unwrap();
        world.take(&machine.receipt(START), START).unwrap();
    }
    let standing = || {
        let store = world.store();
        let (policy, _) = store.policy().unwrap();
        let confirms = verifiers::must_confirm(&store, &policy, "default").remove(0).has.is_some();
        let told = verifiers::standings(&store, &policy, START + 9).remove(0).last().map(|last| last.taken.counter);
        (confirms, told)
    };
    assert_eq!(standing(), (true, Some(1)));
    // All within the second in which its receipt was taken.
    let one = &mut machines[0];
    verifiers::remove(&mut world.session(START), "api-1", None).unwrap();
    assert_eq!(world.enrol("api-1", one.key.jwk().as_bytes(), &one.fingerprint().to_string(), START), Ok(()));
    assert_eq!(standing(), (false, None));
    assert_eq!(world.activate(START + DAY).unwrap_err().0, "KEY-CARRIED", "by time alone");
    let next = one.receipt(START + DAY);
    assert_eq!(world.take(&next, START + DAY).unwrap().counter, 2, "its counter goes on");
    assert_eq!(standing(), (true, Some(2)));
    assert_eq!(world.activate(START + DAY), Ok(()));
}

#[test]
fn receipts_are_taken_in_the_order_of_their_numbers_and_each_by_itself() {
    let world = World::new(POLICY);
    let mut machine = world.machine("api-1", 1, START);
    machine.install(&world.carry(START, true), START);
    let receipts: Vec<Vec<u8>> = (0..12).map(|at| machine.receipt(START + at).into_bytes()).collect();
    // As a shell sorts their names: 1, 10, 11, 12, 2, …; and something else among them.
    let mut given = vec![receipts[0].clone(), receipts[9].clone(), b"x".to_vec(), receipts[10].clone()];
    given.extend([receipts[11].clone()].into_iter().chain(receipts[1..9].iter().cloned()));
    let judged = verifiers::take(&mut world.session(START + 20), &given).unwrap();
    let counters: Vec<Option<u64>> = judged.iter().map(|one| one.as_ref().ok().map(|one| one.counter)).collect();
    let expected = [1, 10, 0, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9].map(|counter| Some(counter).filter(|it| *it > 0));
    assert_eq!(counters, expected);
    let store = world.store();
    let known = verifiers::find(&store, "api-1").unwrap();
    assert!(known.receipts.iter().map(|one| one.taken.counter).eq(1..=12));
}

#[test]
fn who_lags_is_told_when_a_newer_publication_should_be_there() {
    let world = World::new(POLICY);
    let first = world.carry(START, true);
    let mut machine = world.machine("api-1", 1, START + DAY);
    let lags = |now: u64| {
        let store = world.store();
        let (policy, _) = store.policy().unwrap();
        let standings = verifiers::standings(&store, &policy, now);
        let told: Vec<(String, bool)> = standings.iter().map(|one| (one.name.clone(), one.lags())).collect();
        let todo = status::summary(&store, now).unwrap().todo;
        assert!(todo.iter().any(|todo| todo.what.ends_with("that are not enrolled: api-2")), "{todo:?}");
        let missing = todo.iter().any(|todo| todo.what.starts_with("receipts are missing: api-1 "));
        assert_eq!(missing, told[0].1);
        assert_eq!((told.len(), told[1].1), (2, false));
        told[0].1
    };
    assert!(!lags(START + DISTRIBUTION), "asked for a day later");
    assert!(lags(START + DAY + DISTRIBUTION), "none by then");
    machine.install(&first, START + DAY);
    world.take(&machine.receipt(START + DAY), START + DAY + DISTRIBUTION).unwrap();
    assert!(!lags(START + DAY + DISTRIBUTION));
    let second = world.carry(START + 60 * DAY, true);
    assert!(!lags(START + 60 * DAY + DISTRIBUTION - 1));
    assert!(lags(START + 60 * DAY + DISTRIBUTION));
    machine.install(&second, START + 61 * DAY);
    world.take(&machine.receipt(START + 61 * DAY), START + 60 * DAY + DISTRIBUTION).unwrap();
    assert!(!lags(START + 60 * DAY + DISTRIBUTION));
}

#[test]
fn a_token_accepted_under_an_old_name_is_a_use_of_its_key() {
    use coldsign::keystore::{Foreign, RsaBits, SecretKey};
    let world = World::new(office::USUAL);
    let key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
    let foreign = Foreign { tokens: None, kid: Some("prod-2024".to_owned()) };
    keys::import(&mut world.session(START), "default", &key.expose_pkcs8_pem().unwrap(), foreign).unwrap();
    let mut machine = world.machine("api-1", 21, START);
    machine.install(&world.carry(START, false), START);
    let used = [("prod-2024", UnixTime(START + 9)), (key.kid(), UnixTime(START + 5))];
    machine.trust.note_used(used).unwrap();
    let taken = world.take(&machine.receipt(START + 10), START + 10).unwrap();
    assert_eq!(taken.used, BTreeMap::from([(key.kid().to_owned(), START + 9)]));
}
