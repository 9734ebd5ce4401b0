//! Receipts for files that services read, and receipts on a stick.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

use coldsign_verify::receipt::{Contents, Receipt};
use machine::{Machine, Ran, contents, now, ran};
use serde_json::json;
use std::fs;
use std::path::Path;

fn told(receipt: Ran) -> Contents {
    let receipt = receipt.done();
    Receipt::introduce(receipt.out.trim_end()).unwrap().0.contents().clone()
}

#[test]
fn no_receipt_vouches_for_files_that_were_never_switched() {
    let machine = Machine::pinned();
    let (stick, export) = (machine.at("stick"), machine.at("export"));
    let install = ["install", &stick, "--export", &export, "--service", "api"];
    machine.gate(&install).done();
    assert_eq!(told(machine.gate(&["receipt"])).seq, 1);
    machine.bring(&contents(5));
    // Nothing can be renamed over a folder.
    fs::create_dir_all(machine.path("export/..data.partial/x")).unwrap();
    let failed = machine.gate(&install).refused("EXPORT-SYSTEM");
    assert!(failed.err.contains("publication 5 is installed"), "{}", failed.err);
    let refused = machine.gate(&["receipt"]).refused("TRUST-EXPORT-DUE");
    let place = machine.path("export").canonicalize().unwrap();
    let hint = format!(" install PUBLICATION --export {} --service api\n", place.display());
    assert!(refused.err.contains(&hint) && refused.err.contains("publication 5, or a newer one"), "{}", refused.err);
    let status = machine.gate(&["status", "--json"]).done().object();
    assert_eq!(status["installed"]["exports_due"], json!([place]));
    machine.gate(&["receipt", "--fingerprint"]).done();
    fs::remove_dir_all(machine.path("export/..data.partial")).unwrap();
    let before = now();
    machine.gate(&install).done();
    let receipt = told(machine.gate(&["receipt"]));
    assert!(receipt.seq == 5 && receipt.installed_at.0 >= before && receipt.counter == 2, "{receipt:?}");
    assert!(machine.gate(&["status"]).done().out.contains(&format!("exported: {}", place.display())));
}

#[test]
fn an_export_that_is_left_out_is_due_until_it_is_made_or_retired() {
    let machine = Machine::pinned();
    let stick = machine.at("stick");
    machine.gate(&["install", &stick]).done();
    assert_eq!(told(machine.gate(&["receipt"])).counter, 1, "no machine has to export");
    machine.gate(&["install", &stick, "--export", "one"]).done();
    machine.gate(&["install", &stick, "--export", "two"]).done();
    assert_eq!(told(machine.gate(&["receipt"])).counter, 2);
    machine.bring(&contents(4));
    let left_out = machine.gate(&["install", &stick, "--json"]).done();
    assert_eq!(left_out.object()["exports_due"].as_array().unwrap().len(), 2);
    assert!(left_out.err.contains("warning: "), "{}", left_out.err);
    machine.gate(&["receipt"]).refused("TRUST-EXPORT-DUE");
    // By another way to the same place.
    fs::create_dir(machine.path("sub")).unwrap();
    machine.gate(&["install", &stick, "--export", "sub/../one", "--reload", "true"]).done();
    machine.gate(&["receipt"]).refused("TRUST-EXPORT-DUE");
    let unknown = machine.gate(&["install", &stick, "--retire", "three"]).refused("TRUST-EXPORT-UNKNOWN");
    assert!(unknown.err.contains("/one, ") && unknown.err.contains("nothing was changed"), "{}", unknown.err);
    fs::remove_dir_all(machine.path("two")).unwrap();
    let failed = machine.gate(&["install", &stick, "--retire", "two", "--export", "one2", "--reload", "test -e ok"]);
    let hint = " --export one2 --reload 'test -e ok' --retire two\n";
    assert!(failed.refused("INSTALL-RELOAD").err.contains(hint));
    fs::write(machine.path("ok"), "").unwrap();
    machine.shell(&format!("\"$GATE\" install {stick} {}", hint.trim())).done();
    let receipt = told(machine.gate(&["receipt"]));
    assert!((receipt.counter, receipt.seq) == (3, 4) && receipt.loaded_at.is_some(), "{receipt:?}");
}

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
    machine.gate(&["receipt", "--to", "back"]).done();
    assert_eq!(names(), ["receipt-api-1-1.jwt", "receipt-api-1-2.jwt"]);

    let strace = Path::new("/usr/bin/strace");
    if !strace.is_file() {
        println!("skipped: no strace");
        return;
    }
    let traced = |options: &[&str]| {
        let mut traced = machine.command(strace);
        traced.args(["-f", "-y", "-o", "calls"]).args(options);
        ran(traced.args([env!("CARGO_BIN_EXE_coldsign-gate"), "receipt", "--to", "back"]), "")
    };
    let blind = traced(&["-P", &machine.at("back"), "-e", "inject=fsync:error=EINVAL"]);
    if blind.err.to_ascii_lowercase().contains("ptrace") {
        println!("skipped: strace may not trace here");
        return;
    }
    blind.done();
    // Its name while it is written is another each time: the calls about it are found by their number.
    traced(&["-e", "trace=write,fsync"]).done();
    let calls = fs::read_to_string(machine.path("calls")).unwrap();
    let of = |call: &str| calls.lines().filter(|line| line.contains(call)).collect::<Vec<_>>();
    let nth = |call: &str, path: &str| of(call).iter().position(|line| line.contains(path)).unwrap() + 1;
    let back_again = of("fsync(").iter().rposition(|line| line.contains("/back>")).unwrap() + 1;
    let before = names();
    for inject in [
        format!("inject=write:error=ENOSPC:when={}", nth("write(", "/back/.coldsign.")),
        format!("inject=fsync:error=EIO:when={}", nth("fsync(", "/back/.coldsign.")),
        format!("inject=fsync:error=EIO:when={back_again}"),
    ] {
        let failed = traced(&["-e", &inject]);
        assert!(failed.status == 1 && failed.err.contains("could not be written"), "{inject}: {failed:?}");
        assert_eq!(names(), before, "{inject}");
    }
}
