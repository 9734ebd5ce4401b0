//! Pinning, following, sleeping, and being put back from an image.

use super::*;
use crate::receipt::Receipt;
use crate::vectors::Key;
use proptest::prelude::*;

const OWN: u8 = 0x0e;

fn receipt(trust: &mut TrustStore) -> Receipt {
    let key = Key::new(OWN);
    let text = trust.receipt(&key.public, &key, NOW).unwrap();
    Receipt::verify(&text, &key.public).unwrap()
}

fn code<T>(result: Result<T, Fault>) -> &'static str {
    result.map(|_| "done").unwrap_or_else(|fault| fault.code())
}

#[test]
fn one_root_is_pinned_by_its_fingerprint_and_no_other_over_it() {
    let temp = tempfile::tempdir().unwrap();
    let place = temp.path().join("a/b");
    let (root, print) = (root_1(), root_1().fingerprint());
    let pin = |name: &str, root: &Root, print| code(TrustStore::pin(&place, name, root.text().as_bytes(), &print));
    assert_eq!(code(TrustStore::open(&place)), "TRUST-MISSING");
    assert_eq!(pin("api-1", &root, vectors::root_2().fingerprint()), "ROOT-FINGERPRINT");
    for name in ["", "Api", "-a", "a/b", "..", &"x".repeat(65)] {
        assert_eq!(pin(name, &root, print), "TRUST-NAME");
    }
    assert!(!place.exists(), "a refusal leaves nothing behind");
    assert_eq!(pin("api-1", &root, print), "done");
    assert_eq!(pin("api-1", &root, print), "done", "again");
    assert_eq!(pin("api-2", &root, print), "TRUST-PINNED");
    let two = vectors::root_2();
    assert_eq!(pin("api-1", &two, two.fingerprint()), "TRUST-PINNED");
    assert_eq!(TrustStore::open(&place).unwrap().pinned(), print);
}

#[test]
fn a_verifier_that_pinned_root_1_follows_to_root_7() {
    let mut machine = Machine::new();
    let roots = chain(7);
    machine.bring(&Stick::new(&Contents { root_version: 7, ..numbered(3, None) }, bundle_seed(7), &roots));
    assert_eq!(machine.install(), "installed");
    let again = TrustStore::open(machine.trust.directory()).unwrap();
    assert_eq!((again.root().root_version(), again.pinned()), (7, root_1().fingerprint()));
    assert_eq!((again.name(), again.installed_at(), again.loaded_at()), ("api-1", Some(NOW), None));
}

#[test]
fn one_that_slept_through_ten_publications_catches_up() {
    let mut machine = Machine::new();
    let mut last = Stick::under_1(&contents_1());
    machine.bring(&last);
    assert_eq!(machine.install(), "installed");
    for seq in 2..=11 {
        last = Stick::under_1(&numbered(seq, Some(&last)));
    }
    machine.bring(&last);
    let late = UnixTime(contents_1().expires_at.0 - 1);
    assert_eq!((machine.install_at(late), machine.seq()), ("installed", Some(11)));
}

#[test]
fn a_root_that_replaces_the_bundle_key_resets_the_floor() {
    let mut machine = Machine::new();
    // Somebody who had the bundle key leapt as far as they could.
    machine.bring(&Stick::under_1(&numbered(999_999, None)));
    assert_eq!(machine.install(), "installed");
    let roots = chain(2);
    let honest = Contents { root_version: 2, ..numbered(7, None) };
    machine.bring(&Stick::new(&honest, bundle_seed(2), &roots));
    assert_eq!((machine.install(), machine.seq()), ("installed", Some(7)));
    // From here on the number counts again.
    let older = Contents { root_version: 2, ..numbered(6, None) };
    machine.bring(&Stick::new(&older, bundle_seed(2), &roots));
    assert_eq!(machine.install(), "BUNDLE-ROLLBACK");
    // A root that leaves the key alone resets nothing.
    let mut machine = Machine::new();
    machine.bring(&Stick::under_1(&numbered(9, None)));
    assert_eq!(machine.install(), "installed");
    let same_key = [signed(&terms_1(), &[1]), signed(&Terms { root_version: 2, ..terms_1() }, &[1])];
    machine.bring(&Stick::new(&honest, 0x0a, &same_key));
    assert_eq!(machine.install(), "BUNDLE-ROLLBACK");
}

#[test]
fn receipts_count_and_one_put_back_from_an_image_is_told_apart() {
    let mut machine = Machine::new();
    let key = Key::new(OWN);
    assert_eq!(code(machine.trust.receipt(&key.public, &key, NOW)), "TRUST-EMPTY");
    assert_eq!(code(machine.trust.note_loaded(NOW)), "TRUST-EMPTY");
    let first = Stick::under_1(&contents_1());
    machine.bring(&first);
    assert_eq!(machine.install(), "installed");
    let kid = contents_1().keys[0].kid.clone();
    let one = receipt(&mut machine.trust);
    assert_eq!((one.contents().counter, one.contents().loaded_at), (1, None));
    assert_eq!(one.contents().kids, BTreeMap::from([(kid.clone(), None)]));
    let image = fs::read(machine.trust.directory().join("trust.json")).unwrap();

    machine.trust.note_loaded(UnixTime(NOW.0 + 1)).unwrap();
    machine.trust.note_loaded(UnixTime(NOW.0 + 9)).unwrap();
    machine.trust.note_used([(kid.as_str(), UnixTime(NOW.0 + 5)), ("other", NOW)]).unwrap();
    machine.trust.note_used([(kid.as_str(), UnixTime(NOW.0 + 2))]).unwrap();
    let two = receipt(&mut TrustStore::open(machine.trust.directory()).unwrap());
    let told = two.contents();
    assert_eq!((told.counter, told.seq, told.loaded_at), (2, 1, Some(UnixTime(NOW.0 + 1))));
    assert_eq!(told.kids, BTreeMap::from([(kid, Some(UnixTime(NOW.0 + 5)))]));
    assert_eq!(two.check_after(one.contents().counter, &one.digest()), Ok(()));

    fs::write(machine.trust.directory().join("trust.json"), image).unwrap();
    machine.bring(&Stick::under_1(&numbered(2, Some(&first))));
    assert_eq!(machine.install(), "installed");
    let restored = receipt(&mut machine.trust);
    let refusal = restored.check_after(two.contents().counter, &two.digest()).unwrap_err();
    assert_eq!(refusal.code(), "RECEIPT-COUNTER");
    let later = receipt(&mut machine.trust);
    assert_eq!(later.check_after(two.contents().counter, &two.digest()).unwrap_err().code(), "RECEIPT-FORK");
}

#[test]
fn a_new_installation_is_not_loaded_yet() {
    let mut machine = Machine::new();
    let first = Stick::under_1(&contents_1());
    machine.bring(&first);
    assert_eq!(machine.install(), "installed");
    machine.trust.note_loaded(NOW).unwrap();
    assert_eq!(machine.install(), "installed");
    assert_eq!(machine.trust.loaded_at(), Some(NOW), "the same again changes nothing");
    let mut before = machine.trust.clone();
    machine.bring(&Stick::under_1(&numbered(2, Some(&first))));
    assert_eq!(machine.install(), "installed");
    assert_eq!(machine.trust.loaded_at(), None);
    // A process that has the bundle before in memory says nothing of this one.
    assert_eq!(code(before.note_loaded(NOW)), "TRUST-BUSY");
    assert_eq!(code(before.note_exported("/keys", NOW)), "TRUST-BUSY");
}

#[test]
fn one_process_at_a_time_changes_the_store() {
    let mut machine = Machine::new();
    machine.bring(&Stick::under_1(&contents_1()));
    let held = Change::begin(machine.trust.directory()).unwrap();
    assert_eq!(machine.install(), "TRUST-BUSY");
    assert!(TrustStore::open(machine.trust.directory()).is_ok(), "reading waits for nobody");
    drop(held);
    // Another process was faster: what was examined before is examined again.
    let publication = Publication::at(&machine.stick());
    let mut slow = machine.trust.clone();
    let accepted = slow.examine(&publication, NOW).unwrap();
    assert_eq!(machine.install(), "installed");
    assert_eq!(code(slow.install(&accepted, NOW)), "TRUST-BUSY");
}

#[test]
fn a_store_changed_by_hand_is_damage() {
    let mut machine = Machine::new();
    machine.bring(&Stick::under_1(&contents_1()));
    assert_eq!(machine.install(), "installed");
    let file = machine.trust.directory().join("trust.json");
    let good: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let open = |value: &serde_json::Value| {
        fs::write(&file, value.to_string()).unwrap();
        code(TrustStore::open(machine.trust.directory()))
    };
    assert_eq!(open(&good), "done");
    type Change = fn(&mut serde_json::Value);
    let changes: [Change; 14] = [
        |it| it["version"] = 2.into(),
        |it| it["more"] = 1.into(),
        |it| it["root"] = "{}".into(),
        |it| it["bundle"] = format!("{}x", it["bundle"].as_str().unwrap()).into(),
        |it| it["counter"] = 7.into(),
        |it| it["pinned"] = "00".into(),
        |it| drop(it.as_object_mut().unwrap().remove("installed_at")),
        |it| drop(it.as_object_mut().unwrap().remove("bundle")),
        |it| *it = serde_json::json!([]),
        |it| it["exports"] = serde_json::json!({"/keys": {}}),
        |it| it["exports"] = serde_json::json!({"/keys": {"due": 1}}),
        |it| it["exports"] = serde_json::json!({"/keys": {"due": true, "service": 1}}),
        |it| it["exports"] = serde_json::json!({"/keys": {"due": true, "more": 1}}),
        |it| it["exports"] = serde_json::json!({"": {"due": true}}),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut value = good.clone();
        change(&mut value);
        assert_eq!(open(&value), "TRUST-DAMAGED", "change {at}");
    }
    fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(code(TrustStore::open(machine.trust.directory())), "TRUST-DAMAGED");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(code(TrustStore::open(machine.trust.directory())), "TRUST-DAMAGED");
    // A name longer than any file system takes.
    assert_eq!(code(TrustStore::open(&machine.trust.directory().join("x".repeat(300)))), "TRUST-SYSTEM");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_bytes_in_the_store_panic(bytes: Vec<u8>) {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("trust.json"), bytes).unwrap();
        prop_assert_eq!(code(TrustStore::open(temp.path())), "TRUST-DAMAGED");
    }
}
