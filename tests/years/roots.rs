//! Root ceremonies: custodians come, sign, lose their keys and leave, over the years.

use super::office::{self, DAY, START, USUAL};
use coldsign::acts::root::{self, Custodian, Progress, Wish};
use coldsign::acts::{Session, check, publish, status};
use coldsign::issuing::record::PolicyApplied;
use coldsign::journal::{self, Event, Journal, Line};
use coldsign::keystore::{KeyGenerated, KeyState, RecoveryCode, SealGeneration, UnlockAdded};
use coldsign::refusal::Refusal;
use coldsign::storage::Directory;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Deref;

const YEAR: u64 = 365 * DAY;

/// A store, and the papers of its custodians.
struct Office {
    office: office::Office,
    /// Of the custodians but the first.
    codes: BTreeMap<String, RecoveryCode>,
}

impl Deref for Office {
    type Target = office::Office;

    fn deref(&self) -> &office::Office {
        &self.office
    }
}

impl Office {
    fn open() -> Self {
        Self { office: office::Office::new(USUAL), codes: BTreeMap::new() }
    }

    fn custodian(&self, session: &Session, name: &str) -> Result<Custodian, Refusal> {
        let record = root::signer(session.store(), Some(name))?;
        root::open(session.store(), record, None, &self.codes.get(name).unwrap_or(&self.root_code).to_passphrase())
    }

    fn propose(&self, wish: &Wish<'_>, by: &str, now: u64) -> Result<Progress, &'static str> {
        let mut session = self.session(now);
        let by = self.custodian(&session, by).map_err(rule)?;
        let proposal = root::prepare(&session, wish).map_err(rule)?;
        root::propose(&mut session, wish, proposal, &by).map_err(rule)
    }

    fn sign(&self, by: &str, now: u64) -> Result<Progress, &'static str> {
        let mut session = self.session(now);
        let by = self.custodian(&session, by).map_err(rule)?;
        let waiting = root::waiting(session.store()).map_err(rule)?.ok_or("ROOT-NOTHING-WAITS")?;
        root::sign(&mut session, &waiting, &by).map_err(rule)
    }

    /// A new custodian, with a code that is known by the name of the key.
    fn add(&mut self, wish: Wish<'_>, by: &str, now: u64) -> Result<Progress, &'static str> {
        let code = RecoveryCode::generate().unwrap();
        let progress = self.propose(&Wish { add: Some(&code), ..wish }, by, now)?;
        self.codes.insert(progress.new_keys[0].clone(), code);
        Ok(progress)
    }

    /// Three custodians of which two must sign.
    fn with_three() -> Self {
        let mut office = Self::open();
        let two = Wish { threshold: Some(2), ..Wish::default() };
        assert!(office.add(two, "root/1", START).unwrap().complete);
        assert!(!office.add(Wish::default(), "root/1", START).unwrap().complete);
        assert!(office.sign("root/2", START).unwrap().complete);
        office
    }

    fn names(&self) -> Vec<String> {
        let store = self.store();
        let newest = root::newest(&store).unwrap().unwrap();
        let names = newest.terms().root_keys.iter().map(|key| key.thumbprint());
        names.map(|kid| store.ledger().keys.by_kid(&kid).unwrap().name()).collect()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("store/roots"))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn whole(&self) {
        let faults = check::check(&self.path("store")).unwrap();
        assert!(faults.faults.is_empty(), "{:?}", faults.faults);
    }

    fn state(&self, key: &str) -> KeyState {
        self.store().ledger().keys.by_name(key).unwrap().state.clone()
    }
}

fn rule(refusal: Refusal) -> &'static str {
    refusal.reason().rule().unwrap_or("no rule")
}

#[test]
fn two_of_three_custodians_replace_one_whose_key_is_lost() {
    let mut office = Office::with_three();
    assert_eq!(office.names(), ["root/1", "root/2", "root/3"]);
    office.whole();

    // Berta, root/2, has lost her code: the other two are enough.
    let wish = Wish { remove: Some("root/2"), ..Wish::default() };
    let progress = office.add(wish, "root/1", START + DAY).unwrap();
    assert_eq!((progress.complete, progress.root_version), (false, 4));
    // She could sign still, and is asked last.
    assert_eq!(progress.may_sign, ["root/3", "root/2"]);
    office.whole();
    let progress = office.sign("root/3", START + 2 * DAY).unwrap();
    assert!(progress.complete);
    assert_eq!(progress.ended, ["root/2"]);
    assert_eq!(office.names(), ["root/1", "root/3", "root/4"]);
    assert_eq!(office.state("root/2"), KeyState::Destroyed);
    assert_eq!(office.state("root/4"), KeyState::Active);
    assert_eq!(office.files().iter().filter(|name| name.starts_with("key-")).count(), 3);
    office.whole();
    // Her key is not taken any more; the new one is.
    assert_eq!(office.propose(&Wish::default(), "root/2", START + 3 * DAY).map(drop), Err("ROOT-NO-CUSTODIAN"));
    assert!(!office.propose(&Wish::default(), "root/4", START + 3 * DAY).unwrap().complete);
    assert!(office.sign("root/1", START + 3 * DAY).unwrap().complete);
}

#[test]
fn with_too_few_custodians_left_no_root_is_made_and_nothing_else_is_lost() {
    let mut office = Office::with_three();
    // Only root/1 is left. Neither a newcomer's signature nor a lower threshold makes up for the second.
    let wish = Wish { remove: Some("root/2"), threshold: Some(1), ..Wish::default() };
    assert!(!office.add(wish, "root/1", START).unwrap().complete);
    assert_eq!(office.sign("root/4", START).map(drop), Err("ROOT-NO-CUSTODIAN"), "it has signed already");
    let waiting = root::waiting(&office.store()).unwrap().unwrap();
    let newest = root::newest(&office.store()).unwrap().unwrap();
    assert_eq!((waiting.lacks(newest.terms()), waiting.lacks(&waiting.terms)), (1, 0));
    assert_eq!(publish::publish(&mut office.session(START), false).unwrap().seq, 1, "publishing goes on under root 3");

    assert_eq!(root::discard(&mut office.session(START)).unwrap(), 4);
    assert_eq!(office.names(), ["root/1", "root/2", "root/3"]);
    assert_eq!(office.state("root/4"), KeyState::Destroyed);
    assert_eq!(office.files().iter().filter(|name| name.starts_with("key-")).count(), 3);
    assert_eq!(root::discard(&mut office.session(START)).map_err(rule), Err("ROOT-NOTHING-WAITS"));
    office.whole();
}

#[test]
fn a_bundle_key_changes_with_the_root_and_not_before() {
    let office = Office::with_three();
    let wish = Wish { bundle_key: true, ..Wish::default() };
    assert!(!office.propose(&wish, "root/2", START).unwrap().complete);
    assert_eq!((office.state("bundle/1"), office.state("bundle/2")), (KeyState::Active, KeyState::PreActivation));
    publish::publish(&mut office.session(START), false).unwrap();
    let progress = office.sign("root/3", START).unwrap();
    assert_eq!(progress.ended, ["bundle/1"]);
    assert_eq!((office.state("bundle/1"), office.state("bundle/2")), (KeyState::Destroyed, KeyState::Active));
    let two = publish::publish(&mut office.session(START), false).unwrap();
    assert!(two.new, "the next publication has the new root");
    office.whole();
}

#[test]
fn what_can_not_be_the_next_root_is_refused_before_anybody_is_asked() {
    let office = Office::with_three();
    let check = |wish: Wish<'_>| root::check(&office.store(), &wish).map_err(rule);
    let threshold = |threshold| Wish { threshold: Some(threshold), ..Wish::default() };
    assert_eq!(check(threshold(0)), Err("ROOT-CUSTODIANS"));
    assert_eq!(check(threshold(4)), Err("ROOT-CUSTODIANS"));
    assert_eq!(check(threshold(3)), Ok(()));
    let remove = |name| Wish { remove: Some(name), ..Wish::default() };
    assert_eq!(check(remove("root/4")), Err("ROOT-NO-CUSTODIAN"));
    assert_eq!(check(remove("bundle/1")), Err("ROOT-NO-CUSTODIAN"));
    assert_eq!(check(Wish { threshold: Some(3), ..remove("root/1") }), Err("ROOT-CUSTODIANS"));
    let lifetime = |lifetime| Wish { lifetime: Some(lifetime), ..Wish::default() };
    assert_eq!(check(lifetime(119 * DAY)), Err("ROOT-ENDS"), "bundles are good for 120 days");
    assert_eq!(check(lifetime(120 * DAY)), Ok(()));
    assert!(!office.propose(&lifetime(YEAR), "root/1", START).unwrap().complete);
    assert_eq!(check(Wish::default()), Err("ROOT-WAITING"));
    assert_eq!(office.propose(&Wish::default(), "root/2", START).map(drop), Err("ROOT-WAITING"));
}

#[test]
fn a_draft_that_was_changed_is_damage() {
    let office = Office::with_three();
    office.propose(&Wish::default(), "root/1", START).unwrap();
    let draft = office.files().into_iter().find(|name| name.starts_with("draft-")).unwrap();
    let draft = office.path("store/roots").join(draft);
    // A sound root, but not the one that was proposed.
    fs::copy(office.path("store/roots/root.3.json"), &draft).unwrap();
    assert_eq!(office.sign("root/2", START).map(drop), Err("STORE-DAMAGED"));
    let report = check::check(&office.path("store")).unwrap();
    assert!(report.faults.iter().any(|fault| fault.file.contains("draft-")), "{:?}", report.faults);
}

#[test]
fn each_signature_replaces_the_draft_before_and_the_journal_tells_them() {
    let mut office = Office::with_three();
    let all = Wish { threshold: Some(4), ..Wish::default() };
    assert!(!office.add(all, "root/1", START).unwrap().complete);
    assert!(!office.sign("root/2", START).unwrap().complete, "of root 4 all four must");
    let drafts = || office.files().into_iter().filter(|name| name.starts_with("draft-")).count();
    assert_eq!(drafts(), 1);
    assert!(office.sign("root/3", START).unwrap().complete);
    assert_eq!(drafts(), 0);
    let store = office.store();
    let kinds: Vec<&str> =
        store.journal().entries().iter().map(|entry| &*entry.kind).filter(|kind| kind.starts_with("root.")).collect();
    assert_eq!(
        kinds,
        ["root.made", "root.made", "root.drafted", "root.made", "root.drafted", "root.drafted", "root.made"]
    );
}

#[test]
fn status_asks_for_a_new_root_in_time() {
    let office = Office::open();
    let asks = |now: u64| {
        let store = office.store();
        let todo = status::summary(&store, now).unwrap().todo;
        todo.into_iter().find(|todo| todo.what.contains("root ")).map(|todo| (todo.what, todo.command))
    };
    let end = START + root::LIFETIME;
    assert_eq!(asks(end - 240 * DAY), None);
    let (what, command) = asks(end - 240 * DAY + 1).unwrap();
    assert!(what.contains("bundles can be made under it until"), "{what}");
    assert_eq!(command, "coldsign root rotate");
    let (what, _) = asks(end - 120 * DAY + 1).unwrap();
    assert!(what.contains("no bundle can be made under it any more"), "{what}");
    office.propose(&Wish::default(), "root/1", end - 120 * DAY + 1).unwrap();
    assert_eq!(asks(end - 120 * DAY + 1), None);
}

#[test]
fn status_says_that_a_bundle_has_expired() {
    let office = Office::open();
    publish::publish(&mut office.session(START), false).unwrap();
    let asks = |now: u64| {
        let store = office.store();
        let todo = status::summary(&store, now).unwrap().todo;
        todo.into_iter().find(|todo| todo.what.contains("bundle has expired")).map(|todo| todo.command)
    };
    assert_eq!(asks(START + 120 * DAY - 1), None);
    assert_eq!(asks(START + 120 * DAY).as_deref(), Some("coldsign publish --renew --to ."));
}

#[test]
fn a_store_whose_roots_were_taken_away_gets_no_other_first_root() {
    let office = Office::open();
    // The same keys under the genuine journal key, and no word of a root: as a thief of it could write.
    let directory = Directory::open(&office.path("store")).unwrap();
    let old = Journal::open(&directory).unwrap();
    let mut events: Vec<Line> = Vec::new();
    for entry in old.entries() {
        events.extend(entry.event::<UnlockAdded>().unwrap().map(|event| event.line()));
        events.extend(entry.event::<KeyGenerated>().unwrap().map(|event| event.line()));
        events.extend(entry.event::<PolicyApplied>().unwrap().map(|event| event.line()));
        events.extend(entry.event::<SealGeneration>().unwrap().map(|event| event.line()));
    }
    let session = office.session(START);
    fs::remove_dir_all(office.path("store/journal")).unwrap();
    fs::remove_file(office.path("store/roots/root.1.json")).unwrap();
    journal::start(&directory, old.genesis(), &events, session.opened(), START, "admin").unwrap();
    drop(session);
    assert_eq!(office.store().ledger().roots.all().len(), 0);
    let refused = publish::publish(&mut office.session(START), false).map(drop).map_err(rule);
    assert_eq!(refused, Err("PUBLISH-NO-ROOT"));
    let store = office.store();
    let todo = status::summary(&store, START).unwrap().todo;
    assert!(todo.iter().any(|todo| todo.command == "coldsign root rotate"));

    // The custodian's own file names the first root that there was.
    let refused = office.propose(&Wish::default(), "root/1", START + DAY).map(drop);
    assert_eq!(refused, Err("ROOT-STORE"));
}
