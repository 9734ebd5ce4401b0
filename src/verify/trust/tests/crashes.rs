//! The plug pulled between any two steps of a change.

use super::durable::STEPS_LEFT;
use super::*;
use crate::vectors::Key;

/// Stops `change` after 0, 1, 2… steps until it gets through; after each stop the store on disk must
/// be `judge`d fit, and the same change, done again, must get through.
fn at_every_step(
    change: impl Fn(&mut Machine) -> Result<(), Fault>,
    judge: impl Fn(&Machine, &TrustStore),
    prepare: impl Fn() -> Machine,
) -> usize {
    for steps in 0.. {
        let mut machine = prepare();
        STEPS_LEFT.set(steps);
        let result = change(&mut machine);
        STEPS_LEFT.set(usize::MAX);
        let stopped = result.is_err();
        let reopened = TrustStore::open(machine.trust.directory()).unwrap();
        judge(&machine, &reopened);
        machine.trust = reopened;
        change(&mut machine).unwrap();
        if !stopped {
            let mut names: Vec<_> =
                fs::read_dir(machine.trust.directory()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["lock", "trust.json"], "renamed, not copied");
            return steps;
        }
    }
    unreachable!("every change has an end")
}

#[test]
fn an_installation_is_whole_or_not_there() {
    let first = Stick::under_1(&contents_1());
    let roots = chain(3);
    let second = Stick::new(&Contents { root_version: 3, ..numbered(2, Some(&first)) }, bundle_seed(3), &roots);
    let steps = at_every_step(
        |machine| {
            let stick = machine.stick();
            try_install(&mut machine.trust, &stick, NOW)
        },
        |_, trust| {
            let state = (trust.bundle().unwrap().seq(), trust.root().root_version());
            assert!([(1, 1), (2, 3)].contains(&state), "{state:?}");
            assert!(trust.verifier("api").is_ok());
        },
        || {
            let mut machine = Machine::new();
            machine.bring(&first);
            assert_eq!(machine.install(), "installed");
            machine.bring(&second);
            machine
        },
    );
    assert_eq!(steps, 7, "every step was stopped at");
}

#[test]
fn a_receipt_that_left_is_never_made_again() {
    let first = Stick::under_1(&contents_1());
    let key = Key::new(0x0e);
    let left = std::cell::RefCell::new(Vec::new());
    let steps = at_every_step(
        |machine| {
            let text = machine.trust.receipt(&key.public, &key, NOW)?;
            let receipt = receipt::Receipt::verify(&text, &key.public)?;
            left.borrow_mut().push(receipt.contents().counter);
            Ok(())
        },
        |_, _| (),
        || {
            left.borrow_mut().clear();
            let mut machine = Machine::new();
            machine.bring(&first);
            assert_eq!(machine.install(), "installed");
            machine
        },
    );
    assert_eq!(steps, 7);
    assert_eq!(*left.borrow(), [1, 2], "the last run got through twice, with two numbers");
}

#[test]
fn a_pin_is_whole_or_not_there() {
    let root = root_1();
    for steps in 0.. {
        let temp = tempfile::tempdir().unwrap();
        let pin = || TrustStore::pin(temp.path(), "api-1", root.text().as_bytes(), &root.fingerprint());
        STEPS_LEFT.set(steps);
        let stopped = pin().is_err();
        STEPS_LEFT.set(usize::MAX);
        match TrustStore::open(temp.path()) {
            Ok(trust) => assert_eq!(trust.pinned(), root.fingerprint()),
            Err(fault) => assert_eq!(fault.code(), "TRUST-MISSING"),
        }
        pin().unwrap();
        if !stopped {
            break;
        }
    }
}
