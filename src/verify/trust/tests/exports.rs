//! Receipts and the files that services read: none vouches for files that are not in use.

use super::*;
use crate::vectors::Key;

const KEYS: &str = "/etc/api/keys";
const MORE: &str = "/srv/more";

fn at(seconds: u64) -> UnixTime {
    UnixTime(NOW.0 + seconds)
}

/// A machine with publication 1 installed, and 2 on the stick.
fn machine() -> Machine {
    let mut machine = Machine::new();
    let first = Stick::under_1(&contents_1());
    machine.bring(&first);
    assert_eq!(machine.install(), "installed");
    machine.bring(&Stick::under_1(&numbered(2, Some(&first))));
    machine
}

fn exporting(machine: &mut Machine, directory: &str, changes: bool, now: UnixTime) {
    let publication = Publication::at(&machine.stick());
    let accepted = machine.trust.examine(&publication, now).unwrap();
    let to = ExportTo { directory, service: Some("api"), changes };
    machine.trust.install_exporting(&accepted, &to, now).unwrap();
}

/// By the store as it is on the disk; which rule refuses the receipt, or when it says what was installed.
fn receipt(machine: &Machine) -> Result<(u64, UnixTime, Option<UnixTime>), &'static str> {
    let key = Key::new(0x0e);
    let mut trust = TrustStore::open(machine.trust.directory()).unwrap();
    let text = trust.receipt(&key.public, &key, at(1_000)).map_err(|fault| fault.code())?;
    let receipt = receipt::Receipt::verify(&text, &key.public).unwrap();
    let contents = receipt.contents();
    Ok((contents.seq, contents.installed_at, contents.loaded_at))
}

#[test]
fn no_receipt_before_the_files_are_switched_and_then_by_that_time() {
    let mut machine = machine();
    exporting(&mut machine, KEYS, true, at(10));
    assert_eq!(receipt(&machine), Err("TRUST-EXPORT-DUE"));
    machine.trust.note_exported(KEYS, at(500)).unwrap();
    assert_eq!(receipt(&machine), Ok((2, at(500), None)));
    // The same again is no news.
    exporting(&mut machine, KEYS, false, at(600));
    machine.trust.note_exported(KEYS, at(601)).unwrap();
    assert_eq!(receipt(&machine), Ok((2, at(500), None)));
}

#[test]
fn what_was_installed_days_before_its_export_counts_from_the_export() {
    let mut machine = machine();
    assert_eq!(machine.install_at(at(10)), "installed");
    machine.trust.note_loaded(at(11)).unwrap();
    assert_eq!(receipt(&machine), Ok((2, at(10), Some(at(11)))), "no machine has to export");
    exporting(&mut machine, KEYS, true, at(20));
    assert_eq!(machine.trust.loaded_at(), None, "what was loaded is not what will be there");
    assert_eq!(receipt(&machine), Err("TRUST-EXPORT-DUE"));
    machine.trust.note_exported(KEYS, at(300)).unwrap();
    assert_eq!(receipt(&machine), Ok((2, at(300), None)));
}

#[test]
fn every_known_directory_is_due_with_each_new_publication() {
    let mut machine = machine();
    for (directory, seconds) in [(KEYS, 10), (MORE, 20)] {
        exporting(&mut machine, directory, true, at(seconds));
        machine.trust.note_exported(directory, at(seconds)).unwrap();
    }
    assert_eq!(receipt(&machine), Ok((2, at(20), None)));
    let second = fs::read(machine.stick().join(bundle::FILE_NAME)).unwrap();
    let third = Contents { previous: Some(Digest::of(&second)), ..numbered(3, None) };
    machine.bring(&Stick::under_1(&third));
    assert_eq!(machine.install_at(at(30)), "installed", "without any export");
    assert_eq!(receipt(&machine), Err("TRUST-EXPORT-DUE"));
    exporting(&mut machine, KEYS, true, at(40));
    machine.trust.note_exported(KEYS, at(41)).unwrap();
    machine.trust.note_loaded(at(42)).unwrap();
    assert_eq!(receipt(&machine), Err("TRUST-EXPORT-DUE"), "the other one");
    assert_eq!(machine.trust.retire_export("/elsewhere").unwrap_err().code(), "TRUST-EXPORT-UNKNOWN");
    let image = fs::read(machine.trust.directory().join("trust.json")).unwrap();
    machine.trust.retire_export(MORE).unwrap();
    assert_eq!(receipt(&machine), Ok((3, at(41), Some(at(42)))));
    fs::write(machine.trust.directory().join("trust.json"), image).unwrap();
    // What is there is what belongs there: nobody loads anything anew.
    exporting(&mut machine, MORE, false, at(50));
    machine.trust.note_exported(MORE, at(51)).unwrap();
    assert_eq!(receipt(&machine), Ok((3, at(41), Some(at(42)))));
}

#[test]
fn nobody_notes_an_export_of_another_bundle() {
    let mut machine = machine();
    exporting(&mut machine, KEYS, true, at(10));
    let mut slow = machine.trust.clone();
    let second = fs::read(machine.stick().join(bundle::FILE_NAME)).unwrap();
    let third = Contents { previous: Some(Digest::of(&second)), ..numbered(3, None) };
    machine.bring(&Stick::under_1(&third));
    assert_eq!(machine.install_at(at(20)), "installed");
    assert_eq!(slow.note_exported(KEYS, at(21)).unwrap_err().code(), "TRUST-BUSY");
    assert_eq!(receipt(&machine), Err("TRUST-EXPORT-DUE"));
}
