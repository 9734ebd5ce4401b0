//! A journal of somebody else's making: signed, and full of what no store ever writes.

use super::checkpoint::tests::TestSigner;
use super::entry::{Committed, corrected};
use super::*;
use crate::refusal::Refuse;
use crate::storage::Directory;
use coldsign_verify::json::LARGEST_INTEGER;
use std::fs;
use std::path::Path;

const STORE: &str = "AAAAAAAAAAAAAAAAAAAAAA";
const TIME: u64 = 1_800_000_000;

fn signer() -> TestSigner {
    TestSigner::new(7)
}

fn genesis() -> String {
    let created = StoreCreated {
        format: StoreCreated::FORMAT.to_owned(),
        version: 1,
        store_id: STORE.to_owned(),
        issuer: "https://tokens.example".to_owned(),
        journal_key: coldsign_verify::base64url::encode(&signer().public_key()),
    };
    genesis_line(&created, TIME, "admin").0
}

/// A journal with one line after its first, under a signed checkpoint. `PREV` is the line's `prev`.
fn with_line(at: &Path, line: &str) -> Directory {
    let first = genesis();
    let line = line.replace("PREV", &hex(&sha256(first.as_bytes())));
    let mut tree = Tree::default();
    tree.push(first.as_bytes());
    tree.push(line.as_bytes());
    let note = Checkpoint::of(&tree).sign(STORE, &signer()).unwrap();
    let (time, by) = Entry::read(line.as_bytes()).map_or((TIME, "admin".into()), |(entry, _)| (entry.time, entry.by));
    let end = Committed { note: note.clone() }.line().render(2, &sha256(line.as_bytes()), time, &by);
    fs::create_dir_all(at.join("journal")).unwrap();
    fs::write(at.join("journal/entries.jsonl"), format!("{first}\n{line}\n{end}\n")).unwrap();
    fs::write(at.join("journal/checkpoint"), note).unwrap();
    Directory::open(at).unwrap()
}

fn opened(line: &str) -> Result<(), JournalFault> {
    let temp = tempfile::tempdir().unwrap();
    let directory = with_line(temp.path(), line);
    let read = Journal::open(&directory).map(drop);
    assert_eq!(read.is_ok(), Audit::of_store(&directory).is_ok(), "an auditor judges alike: {line}");
    read
}

fn line(time: &str, by: &str, kind: &str) -> String {
    let (by, kind) = (serde_json::json!(by), serde_json::json!(kind));
    format!(r#"{{"index":1,"prev":"PREV","time":{time},"by":{by},"type":{kind},"what":"x"}}"#)
}

#[test]
fn names_that_nobody_could_have_made_are_refused_with_their_line() {
    opened(&line("5", "admin", "test.happened")).unwrap();
    opened(&line("5", "recovery", "test.happened")).unwrap();
    let long = "a".repeat(10_000);
    for by in ["", "../x", "a/b", "\u{1b}[2J", "Admin", "-x", "a b", "\u{202e}nimda", &long, &"a".repeat(33)] {
        let fault = opened(&line("5", by, "test.happened")).unwrap_err();
        assert_eq!(fault.rule(), Some("JOURNAL-DAMAGED"), "{by:?}");
        let told = fault.to_string();
        assert!(told.contains("line 2") && told.contains("`by` is no name of an unlock"), "{told}");
    }
    for kind in ["\u{1b}[2J", "Test", "a b", &long] {
        let told = opened(&line("5", "admin", kind)).unwrap_err().to_string();
        assert!(told.contains("line 2") && told.contains("`type` is no type of an entry"), "{told}");
    }
}

#[test]
fn times_that_could_not_be_counted_with_are_refused() {
    opened(&line(&LARGEST_INTEGER.to_string(), "admin", "test.happened")).unwrap();
    for time in [LARGEST_INTEGER + 1, u64::MAX] {
        let told = opened(&line(&time.to_string(), "admin", "test.happened")).unwrap_err().to_string();
        assert!(told.contains("line 2") && told.contains("out of range"), "{told}");
    }
}

#[test]
fn a_checkpoint_over_more_lines_than_can_be_counted_is_none() {
    for (size, taken) in [(LARGEST_INTEGER, true), (LARGEST_INTEGER + 1, false), (u64::MAX, false)] {
        let note = Checkpoint { size, root: [1; 32] }.sign(STORE, &signer()).unwrap();
        assert_eq!(Checkpoint::verify(&note, STORE, &signer().public_key()).is_ok(), taken, "{size}");
        // Read as the promise of a whole journal, it is a refusal and no overflow.
        let temp = tempfile::tempdir().unwrap();
        let directory = with_line(temp.path(), &line("5", "admin", "test.happened"));
        fs::write(temp.path().join("journal/checkpoint"), note).unwrap();
        assert_eq!(Journal::open(&directory).map(drop).unwrap_err().rule(), Some("JOURNAL-DAMAGED"));
        assert_eq!(Audit::of_store(&directory).map(drop).unwrap_err().rule(), Some("JOURNAL-DAMAGED"));
    }
}

fn correction(first: u64, last: u64, right: u64) -> ClockCorrected {
    ClockCorrected { first, last, wrong: 0, right, reason: String::new() }
}

#[test]
fn an_entry_is_corrected_once_however_many_corrections_there_are() {
    let (entries, corrections) = (50_000, 50_000);
    let all: Vec<ClockCorrected> = (0..corrections).map(|right| correction(0, entries - 1, right)).collect();
    let times = corrected(50_000, &all);
    assert_eq!(times.len(), 50_000);
    assert!(times.iter().all(|(_, right)| *right == corrections - 1), "the last one counts");
    // Each reaches one entry further than the one after it.
    let stairs: Vec<ClockCorrected> = (0..corrections).map(|step| correction(0, entries - 1 - step, step)).collect();
    assert_eq!(corrected(50_000, &stairs).len(), 50_000);
}

proptest::proptest! {
    #[test]
    fn corrections_apply_in_their_order(all in proptest::collection::vec((0..20_u64, 0..20_u64), 0..12)) {
        let all: Vec<ClockCorrected> =
            all.iter().zip(100..).map(|((one, other), right)| correction(*one.min(other), *one.max(other), right)).collect();
        let mut wanted = [0; 16];
        for one in &all {
            for (at, time) in wanted.iter_mut().enumerate() {
                if (one.first..=one.last).contains(&(at as u64)) {
                    *time = one.right;
                }
            }
        }
        let mut found = [0; 16];
        for (at, right) in corrected(found.len(), &all) {
            proptest::prop_assert_eq!(found[at], 0, "once");
            found[at] = right;
        }
        proptest::prop_assert_eq!(found, wanted);
    }
}
