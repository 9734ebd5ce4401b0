//! What is exchanged under a change: the lock, the state, the folder; and what is planted there.

use super::*;
use crate::algorithm::Algorithm;
use crate::files::Identity;
use crate::jws::SignFailure;
use crate::vectors::Key;
use std::fs::File;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Signs, and while it does somebody is at the store.
struct Meanwhile<'a> {
    key: &'a Key,
    act: &'a dyn Fn(),
}

impl Sign for Meanwhile<'_> {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn kid(&self) -> &str {
        self.key.kid()
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        (self.act)();
        self.key.sign(signing_input)
    }
}

fn installed() -> Machine {
    let mut machine = Machine::new();
    machine.bring(&Stick::under_1(&contents_1()));
    assert_eq!(machine.install(), "installed");
    machine
}

/// The rule that refuses a receipt while that happens in the store's folder.
fn receipt_while(machine: &mut Machine, act: impl Fn(&Path)) -> &'static str {
    let key = Key::new(0x0e);
    let directory = machine.trust.directory().to_owned();
    let signer = Meanwhile { key: &key, act: &|| act(&directory) };
    machine.trust.receipt(&key.public, &signer, NOW).map_or_else(|fault| fault.code(), |_| "made")
}

#[test]
fn a_clean_up_of_lock_files_gives_no_number_twice() {
    let mut machine = installed();
    let said = receipt_while(&mut machine, |directory| {
        fs::remove_file(directory.join("lock")).unwrap();
        let key = Key::new(0x0e);
        let mut other = TrustStore::open(directory).unwrap();
        other.receipt(&key.public, &key, NOW).unwrap();
    });
    assert_eq!(said, "TRUST-EXCHANGED");
    assert_eq!(receipt_while(&mut machine, |_| ()), "made");
    let state = fs::read_to_string(machine.trust.directory().join("trust.json")).unwrap();
    assert!(state.contains("\"counter\": 2"), "{state}");
}

#[test]
fn what_was_exchanged_under_a_change_is_not_written_over() {
    let aside = |directory: &Path, name: &str| {
        fs::rename(directory.join(name), directory.join("aside")).unwrap();
        fs::copy(directory.join("aside"), directory.join(name)).unwrap();
    };
    for name in ["trust.json", "lock"] {
        let mut machine = installed();
        assert_eq!(receipt_while(&mut machine, |directory| aside(directory, name)), "TRUST-EXCHANGED", "{name}");
        assert!(!fs::read_to_string(machine.trust.directory().join("trust.json")).unwrap().contains("\"receipt\""));
    }
    // The whole folder, for a link to another one.
    let mut machine = installed();
    let said = receipt_while(&mut machine, |directory| {
        fs::rename(directory, directory.with_file_name("moved")).unwrap();
        fs::create_dir(directory.with_file_name("other")).unwrap();
        symlink("other", directory).unwrap();
    });
    assert_eq!(said, "TRUST-EXCHANGED");
    assert_eq!(fs::read_dir(machine.temp.path().join("other")).unwrap().count(), 0);
}

#[test]
fn what_is_planted_neither_hangs_nor_owns_the_state() {
    let pipe = |path: &Path| {
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    let mut machine = installed();
    let directory = machine.trust.directory().to_owned();
    let victim = machine.temp.path().join("victim");
    fs::write(&victim, b"kept").unwrap();
    let partial = directory.join(".trust.json.partial");
    symlink(&victim, &partial).unwrap();
    assert_eq!(receipt_while(&mut machine, |_| ()), "made");
    pipe(&partial);
    assert_eq!(receipt_while(&mut machine, |_| ()), "made");
    fs::write(&partial, b"planted").unwrap();
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o666)).unwrap();
    let planted = File::open(&partial).unwrap();
    assert_eq!(receipt_while(&mut machine, |_| ()), "made");
    let state = directory.join("trust.json");
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o644);
    assert_ne!(Identity::of(&planted).unwrap(), Identity::of(File::open(&state).unwrap()).unwrap());
    assert_eq!(fs::read(&victim).unwrap(), b"kept");

    fs::rename(&state, directory.join("aside")).unwrap();
    pipe(&state);
    assert_eq!(TrustStore::open(&directory).unwrap_err().code(), "TRUST-DAMAGED");
    fs::remove_file(&state).unwrap();
    fs::rename(directory.join("aside"), &state).unwrap();
    fs::remove_file(directory.join("lock")).unwrap();
    pipe(&directory.join("lock"));
    assert_eq!(receipt_while(&mut machine, |_| ()), "TRUST-LOCK");
}
