//! Receipts on a stick.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

use machine::{Machine, ran};
use std::fs;
use std::path::Path;

#[test]
fn a_receipt_is_whole_on_the_stick_or_not_there() {
    let machine = Machine::pinned();
    machine.gate(&["install", &machine.at("stick")]).done();
    let back = machine.path("back");
    fs::create_dir(&back).unwrap();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(&back).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    fs::write(back.join("receipt-api-1-1.jwt"), "another's").unwrap();
    let taken = machine.gate(&["receipt", "--to", "back"]);
    assert!(taken.status == 1 && taken.err.contains("the next receipt has the next"), "{taken:?}");
    assert_eq!(fs::read_to_string(back.join("receipt-api-1-1.jwt")).unwrap(), "another's");
    // What a receipt before left when it was killed is not in the way.
    fs::write(back.join(".receipt-api-1-2.jwt.partial"), "half").unwrap();
    machine.gate(&["receipt", "--to", "back"]).done();
    assert_eq!(names(), ["receipt-api-1-1.jwt", "receipt-api-1-2.jwt"]);

    let strace = Path::new("/usr/bin/strace");
    if !strace.is_file() {
        println!("skipped: no strace");
        return;
    }
    let traced = |path: &str, inject: &str| {
        let mut traced = machine.command(strace);
        traced.args(["-f", "-o", "/dev/null", "-P", path, "-e", &format!("inject={inject}")]);
        ran(traced.args([env!("CARGO_BIN_EXE_coldsign-gate"), "receipt", "--to", "back"]), "")
    };
    let blind = traced(&machine.at("back"), "fsync:error=EINVAL");
    if blind.err.to_ascii_lowercase().contains("ptrace") {
        println!("skipped: strace may not trace here");
        return;
    }
    blind.done();
    assert_eq!(names(), ["receipt-api-1-1.jwt", "receipt-api-1-2.jwt", "receipt-api-1-3.jwt"]);
    for (counter, (path, inject)) in [
        (".receipt-api-1-4.jwt.partial", "write:error=ENOSPC"),
        (".receipt-api-1-5.jwt.partial", "fsync:error=EIO"),
        ("", "fsync:error=EIO"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = back.join(path).to_str().unwrap().to_owned();
        let failed = traced(&path, inject);
        assert!(failed.status == 1 && failed.err.contains("could not be written"), "{counter} {path}: {failed:?}");
        assert_eq!(names().len(), 3, "{path} {inject}: {:?}", names());
    }
}
