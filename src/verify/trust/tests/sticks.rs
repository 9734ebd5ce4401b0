//! What must not be installed.

use super::*;
use crate::vectors::terms_2;
use proptest::prelude::*;
use std::os::unix::fs::symlink;

/// A machine with publication 5 installed, and that publication.
fn with_five() -> (Machine, Stick) {
    let mut machine = Machine::new();
    let five = Stick::under_1(&numbered(5, None));
    machine.bring(&five);
    assert_eq!(machine.install(), "installed");
    (machine, five)
}

fn refuses(machine: &mut Machine, stick: &Stick, rule: &str) {
    let before = machine.seq();
    machine.bring(stick);
    assert_eq!(machine.install(), rule);
    assert_eq!(machine.seq(), before, "nothing changed");
}

#[test]
fn rollback_fast_forward_and_a_fork_are_told_by_the_number() {
    let (mut machine, five) = with_five();
    refuses(&mut machine, &Stick::under_1(&numbered(4, None)), "BUNDLE-ROLLBACK");
    refuses(&mut machine, &Stick::under_1(&contents_1()), "BUNDLE-ROLLBACK");
    let forged = Contents { expires_at: UnixTime(MADE + 90 * DAY), ..numbered(5, None) };
    refuses(&mut machine, &Stick::under_1(&forged), "BUNDLE-SAME-NUMBER");
    refuses(&mut machine, &Stick::under_1(&numbered(10_006, None)), "BUNDLE-LEAP");
    refuses(&mut machine, &Stick::under_1(&numbered(6, None)), "BUNDLE-PREVIOUS");
    let six = Stick::under_1(&numbered(6, Some(&five)));
    machine.bring(&six);
    assert_eq!((machine.install(), machine.seq()), ("installed", Some(6)));
    assert_eq!(machine.install(), "installed", "the same bytes again are no attack");
    machine.bring(&Stick::under_1(&numbered(10_006, None)));
    assert_eq!((machine.install(), machine.seq()), ("installed", Some(10_006)));
}

#[test]
fn freeze_ends_with_the_bundle() {
    let (mut machine, _) = with_five();
    let contents = numbered(6, None);
    let end = contents.expires_at;
    let stick = Stick::under_1(&Contents { previous: Some(machine.trust.bundle().unwrap().digest()), ..contents });
    machine.bring(&stick);
    assert_eq!(machine.install_at(end), "BUNDLE-EXPIRED");
    assert_eq!(machine.install_at(UnixTime(MADE - 100)), "ROOT-FUTURE");
    assert_eq!(machine.install_at(UnixTime(end.0 - 1)), "installed");
    let future = Contents { issued_at: UnixTime(NOW.0 + 61), ..numbered(8, None) };
    refuses(&mut machine, &Stick::under_1(&future), "BUNDLE-FUTURE");
    machine.bring(&Stick::under_1(&Contents { issued_at: UnixTime(NOW.0 + 60), ..numbered(8, None) }));
    assert_eq!(machine.install(), "installed");
}

#[test]
fn a_root_that_has_expired_installs_nothing() {
    let mut machine = Machine::new();
    machine.bring(&Stick::under_1(&contents_1()));
    assert_eq!(machine.install_at(terms_1().expires_at), "ROOT-EXPIRED");
    assert_eq!(machine.install_at(UnixTime(contents_1().expires_at.0 - 1)), "installed");
}

#[test]
fn files_of_another_publication_are_not_mixed_in() {
    let (mut machine, five) = with_five();
    let six = Stick::under_1(&numbered(6, Some(&five)));
    let mut mixed = six.clone();
    mixed.files.insert("for-api/jwks.json".into(), five.files["for-api/jwks.json"].clone());
    refuses(&mut machine, &mixed, "PUBLICATION-CHANGED");
    let mut old_heart = six.clone();
    old_heart.files.insert(bundle::FILE_NAME.into(), Stick::under_1(&numbered(9, None)).bundle().to_vec());
    refuses(&mut machine, &old_heart, "PUBLICATION-CHANGED");
    let mut heartless = six.clone();
    heartless.files.remove(bundle::FILE_NAME);
    refuses(&mut machine, &heartless, "PUBLICATION-MISSING");
    let mut more = six.clone();
    more.files.insert("for-api/extra.sh".into(), b"#!/bin/sh\n".to_vec());
    more.files.remove("for-fed/fedn.env");
    machine.bring(&more);
    let publication = Publication::at(&machine.stick());
    let accepted = machine.trust.examine(&publication, NOW).unwrap();
    assert_eq!(accepted.file("for-api/jwks.json").unwrap(), six.files["for-api/jwks.json"]);
    for absent in ["for-api/extra.sh", "for-fed/fedn.env", "../trust/trust.json"] {
        assert_eq!(accepted.file(absent).unwrap_err().code(), "PUBLICATION-MISSING", "{absent}");
    }
    assert_eq!(machine.install(), "installed", "a stick may carry one service's folder alone");
}

#[test]
fn a_truncated_or_huge_bundle_is_refused() {
    let (mut machine, five) = with_five();
    let six = Stick::under_1(&numbered(6, Some(&five)));
    for cut in [0, 1, 200, six.bundle().len() - 1] {
        let mut stick = six.clone();
        stick.files.insert(bundle::FILE_NAME.into(), six.bundle()[..cut].to_vec());
        machine.bring(&stick);
        assert!(["BUNDLE-FORM", "BUNDLE-SIGNATURE"].contains(&machine.install()), "{cut}");
    }
    for (path, rule) in [
        (bundle::FILE_NAME, "PUBLICATION-TOO-LARGE"),
        ("root.2.json", "PUBLICATION-TOO-LARGE"),
        ("for-api/jwks.json", "PUBLICATION-TOO-LARGE"),
    ] {
        machine.bring(&six);
        // Sparse: nothing is read of it.
        fs::File::create(machine.stick().join(path)).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(machine.install(), rule, "{path}");
    }
    machine.bring(&six);
    fs::write(machine.stick().join(bundle::FILE_NAME), b"\xff\xfe").unwrap();
    assert_eq!(machine.install(), "BUNDLE-FORM");
    machine.bring(&six);
    assert_eq!(machine.install(), "installed");
}

#[test]
fn links_devices_and_folders_are_not_followed() {
    let (mut machine, five) = with_five();
    let six = Stick::under_1(&numbered(6, Some(&five)));
    let elsewhere = machine.temp.path().join("elsewhere");
    for path in [bundle::FILE_NAME, "root.2.json", "for-api/jwks.json"] {
        // Even a link to the very bytes.
        machine.bring(&six);
        let place = machine.stick().join(path);
        let _ = fs::rename(&place, &elsewhere);
        symlink(&elsewhere, &place).unwrap();
        assert_eq!(machine.install(), "PUBLICATION-NOT-A-FILE", "{path}");
        fs::remove_file(&place).unwrap();
        symlink("/dev/zero", &place).unwrap();
        assert_eq!(machine.install(), "PUBLICATION-NOT-A-FILE", "{path}");
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        assert_eq!(machine.install(), "PUBLICATION-NOT-A-FILE", "{path}");
    }
    machine.bring(&six);
    fs::rename(machine.stick().join("for-api"), machine.temp.path().join("for-api")).unwrap();
    symlink(machine.temp.path().join("for-api"), machine.stick().join("for-api")).unwrap();
    assert_eq!(machine.install(), "PUBLICATION-NOT-A-FILE", "a linked folder");
    machine.bring(&six);
    fs::remove_dir_all(machine.stick().join("for-api")).unwrap();
    fs::write(machine.stick().join("for-api"), b"").unwrap();
    assert_eq!(machine.install(), "PUBLICATION-NOT-A-FILE", "a file for a folder");
    machine.bring(&six);
    assert_eq!(machine.install(), "installed");
}

#[test]
fn another_issuer_store_or_signer_is_refused() {
    let (mut machine, five) = with_five();
    let six = numbered(6, Some(&five));
    refuses(
        &mut machine,
        &Stick::under_1(&Contents { issuer: "https://x.example".into(), ..six.clone() }),
        "BUNDLE-FOREIGN",
    );
    refuses(&mut machine, &Stick::under_1(&Contents { store: "other".into(), ..six.clone() }), "BUNDLE-FOREIGN");
    let root = [signed(&terms_1(), &[1])];
    refuses(&mut machine, &Stick::new(&six, 0x0c, &root), "BUNDLE-KEY");
    // Another store whose roots begin where ours end.
    let theirs = Terms { store: "other".into(), root_version: 2, root_keys: vectors::publics(&[9]), ..terms_1() };
    let roots = [root[0].clone(), signed(&theirs, &[9])];
    refuses(&mut machine, &Stick::new(&six, 0x0a, &roots), "ROOT-THRESHOLD");
    machine.bring(&Stick::under_1(&six));
    assert_eq!(machine.install(), "installed");
}

#[test]
fn a_gap_between_roots_is_not_jumped() {
    let mut machine = Machine::new();
    let roots = chain(4);
    let contents = Contents { root_version: 4, ..numbered(9, None) };
    let whole = Stick::new(&contents, bundle_seed(4), &roots);
    let without = |name: &str| {
        let mut stick = whole.clone();
        stick.files.remove(name);
        stick
    };
    refuses(&mut machine, &without("root.2.json"), "PUBLICATION-MISSING");
    refuses(&mut machine, &without("root.3.json"), "PUBLICATION-MISSING");
    // The one between has expired, and that is all anybody knows.
    refuses(&mut machine, &without("root.4.json"), "ROOT-EXPIRED");
    // The bundle's own key is that of root 4, which nobody trusts yet.
    let mut none = whole.clone();
    none.files.retain(|path, _| !path.starts_with("root."));
    refuses(&mut machine, &none, "BUNDLE-KEY");
    let mut renamed = without("root.2.json");
    renamed.files.insert("root.2.json".into(), roots[2].clone());
    refuses(&mut machine, &renamed, "ROOT-THRESHOLD");
    machine.bring(&whole);
    assert_eq!((machine.install(), machine.trust.root().root_version()), ("installed", 4));

    // The same key goes on, and only the number tells.
    let mut machine = Machine::new();
    let terms = |root_version| Terms { root_version, ..terms_1() };
    let roots = [signed(&terms(1), &[1]), signed(&terms(2), &[1]), signed(&terms(3), &[1])];
    let whole = Stick::new(&Contents { root_version: 3, ..contents_1() }, 0x0a, &roots);
    let mut gap = whole.clone();
    gap.files.remove("root.2.json");
    refuses(&mut machine, &gap, "PUBLICATION-MISSING");
    gap.files.remove("root.3.json");
    refuses(&mut machine, &gap, "BUNDLE-ROOT");
    gap.files.insert("root.2.json".into(), roots[2].clone());
    refuses(&mut machine, &gap, "ROOT-GAP");
    machine.bring(&whole);
    assert_eq!(machine.install(), "installed");
}

#[test]
fn one_custodian_signing_twice_is_one() {
    let mut machine = Machine::new();
    let contents = Contents { root_version: 2, ..numbered(2, None) };
    let twice: serde_json::Value = serde_json::from_slice(&signed(&terms_2(), &[1])).unwrap();
    let mut forged = twice.clone();
    forged["signatures"].as_array_mut().unwrap().push(twice["signatures"][0].clone());
    let first = signed(&terms_1(), &[1]);
    let stick = Stick::new(&contents, 0x0b, &[first.clone(), forged.to_string().into_bytes()]);
    refuses(&mut machine, &stick, "ROOT-THRESHOLD");
    machine.bring(&Stick::new(&contents, 0x0b, &[first, signed(&terms_2(), &[1, 3])]));
    assert_eq!(machine.install(), "installed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_bytes_on_a_stick_panic_or_get_in(bundle: Vec<u8>, root: Vec<u8>) {
        let mut machine = Machine::new();
        fs::write(machine.stick().join(bundle::FILE_NAME), bundle).unwrap();
        prop_assert_ne!(machine.install(), "installed");
        fs::write(machine.stick().join("root.2.json"), root).unwrap();
        prop_assert_ne!(machine.install(), "installed");
        prop_assert_eq!(machine.seq(), None);
    }

    #[test]
    fn no_flipped_bit_on_a_stick_gets_in(file: prop::sample::Index, at: prop::sample::Index, bit in 0..8_u8) {
        let mut machine = Machine::new();
        let mut stick = Stick::new(&Contents { root_version: 2, ..numbered(3, None) }, bundle_seed(2), &chain(2));
        let path = file.get(&stick.files.keys().cloned().collect::<Vec<_>>()).clone();
        let bytes = stick.files.get_mut(&path).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        machine.bring(&stick);
        prop_assert_ne!(machine.install(), "installed", "{} byte {} bit {}", path, place, bit);
        prop_assert_eq!(machine.seq(), None);
        stick.files.get_mut(&path).unwrap()[place] ^= 1 << bit;
        machine.bring(&stick);
        prop_assert_eq!(machine.install(), "installed");
    }
}
