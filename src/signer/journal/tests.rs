//! The rules of `docs/formats/journal-v1.md`, one by one.

use super::checkpoint::tests::TestSigner;
use super::*;
use crate::refusal::Refuse;
use crate::storage::Directory;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

mod keys;
mod read_anew;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Happened {
    what: String,
}

impl Event for Happened {
    const TYPE: &'static str = "test.happened";
}

fn happened(what: &str) -> Line {
    Happened { what: what.to_owned() }.line()
}

const TIME: u64 = 1_800_000_000;
const ENTRIES: &str = "journal/entries.jsonl";
const CHECKPOINT: &str = "journal/checkpoint";

fn signer() -> TestSigner {
    TestSigner::new(7)
}

/// A store with a beginning and two groups.
fn store(at: &Path) -> (Directory, Journal) {
    let directory = Directory::open(at).unwrap();
    let created = StoreCreated {
        format: StoreCreated::FORMAT.to_owned(),
        version: 1,
        store_id: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        issuer: "https://tokens.example".to_owned(),
        journal_key: coldsign_verify::base64url::encode(&signer().public_key()),
    };
    let mut journal = start(&directory, &created, &[happened("first")], &signer(), TIME, "admin").unwrap();
    journal.commit(&[happened("second"), happened("\u{e9}\"\n")], &signer(), TIME + 60, "admin").unwrap();
    (directory, journal)
}

/// As an act has it: under the lock.
fn held(directory: &Directory) -> Directory {
    directory.holding(&hold(directory).unwrap())
}

fn whats(journal: &Journal) -> Vec<String> {
    journal.entries().iter().filter_map(|entry| entry.event::<Happened>().unwrap()).map(|event| event.what).collect()
}

#[test]
fn what_was_committed_is_read_back() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, written) = store(temp.path());
    let read = Journal::open(&directory).unwrap();
    assert_eq!(read.entries(), written.entries());
    assert_eq!(whats(&read), ["first", "second", "\u{e9}\"\n"]);
    assert_eq!(read.note(), written.note());
    assert_eq!(read.newest_time(), TIME + 60);
    assert_eq!(&*read.entries()[1].by, "admin");
    assert_eq!(read.torn_bytes(), 0);
}

#[test]
fn the_published_vector_is_what_this_code_writes() {
    let temp = tempfile::tempdir().unwrap();
    store(temp.path());
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/vectors");
    for (ours, published) in [(ENTRIES, "journal-v1.jsonl"), (CHECKPOINT, "journal-v1.checkpoint")] {
        let ours = fs::read_to_string(temp.path().join(ours)).unwrap();
        assert_eq!(ours, fs::read_to_string(vectors.join(published)).unwrap(), "{published}");
    }
}

#[test]
fn bytes_that_were_never_acknowledged_are_ignored_then_cut_off() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, _) = store(temp.path());
    let whole = fs::read(temp.path().join(ENTRIES)).unwrap();
    let mut next = Journal::open(&held(&directory)).unwrap();
    next.commit(&[happened("torn")], &signer(), TIME + 61, "admin").unwrap();
    drop(next);
    let longer = fs::read(temp.path().join(ENTRIES)).unwrap();
    let checkpoint = fs::read(temp.path().join(CHECKPOINT)).unwrap();
    for keep in whole.len()..longer.len() {
        fs::write(temp.path().join(ENTRIES), &longer[..keep]).unwrap();
        // The checkpoint of before: the crash came between the two.
        let before = Journal::open(&directory).err();
        assert!(before.is_some(), "a checkpoint beyond the journal is damage, at {keep}");
        store_checkpoint(temp.path(), &whole);
        let mut journal = Journal::open(&held(&directory)).unwrap();
        assert_eq!(whats(&journal).len(), 3, "at {keep}");
        assert_eq!(journal.torn_bytes(), keep - whole.len());
        journal.commit(&[happened("after")], &signer(), TIME + 62, "admin").unwrap();
        let read = Journal::open(&directory).unwrap();
        assert_eq!(whats(&read).last().map(String::as_str), Some("after"));
        let cut = read.entries().iter().any(|entry| &*entry.kind == "journal.truncated");
        assert_eq!(cut, keep > whole.len());
        fs::write(temp.path().join(CHECKPOINT), &checkpoint).unwrap();
    }
}

/// Puts the checkpoint of the last group of `entries` into place.
fn store_checkpoint(at: &Path, entries: &[u8]) {
    let text = std::str::from_utf8(entries).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    fs::write(at.join(CHECKPOINT), last["note"].as_str().unwrap()).unwrap();
}

#[test]
fn a_signed_group_beyond_the_checkpoint_rolls_forward() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, mut journal) = store(temp.path());
    let before = fs::read(temp.path().join(CHECKPOINT)).unwrap();
    journal.commit(&[happened("third")], &signer(), TIME + 61, "admin").unwrap();
    let after = fs::read(temp.path().join(CHECKPOINT)).unwrap();
    fs::write(temp.path().join(CHECKPOINT), &before).unwrap();
    let mut read = Journal::open(&directory).unwrap();
    assert_eq!(whats(&read).last().map(String::as_str), Some("third"));
    assert_eq!(fs::read(temp.path().join(CHECKPOINT)).unwrap(), before, "reading changes nothing");
    read.roll_forward().unwrap();
    assert_eq!(fs::read(temp.path().join(CHECKPOINT)).unwrap(), after);
}

#[test]
fn a_group_signed_by_another_key_is_no_group() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, mut journal) = store(temp.path());
    let before = fs::read(temp.path().join(CHECKPOINT)).unwrap();
    journal.under_another_key(TestSigner::new(8).public_key());
    journal.commit(&[happened("forged")], &TestSigner::new(8), TIME + 61, "admin").unwrap();
    assert!(Journal::open(&directory).is_err(), "its checkpoint is refused");
    fs::write(temp.path().join(CHECKPOINT), &before).unwrap();
    assert_eq!(whats(&Journal::open(&directory).unwrap()).len(), 3);
}

#[test]
fn each_changed_byte_is_told_or_harmless() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, written) = store(temp.path());
    for file in [ENTRIES, CHECKPOINT] {
        let whole = fs::read(temp.path().join(file)).unwrap();
        for at in 0..whole.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut changed = whole.clone();
                changed[at] ^= flip;
                fs::write(temp.path().join(file), &changed).unwrap();
                match Journal::open(&directory) {
                    Err(fault) => assert!(fault.rule().is_some() || file == CHECKPOINT, "{fault}"),
                    Ok(read) => assert_eq!(read.entries(), written.entries(), "{file} byte {at} flipped by {flip}"),
                }
            }
        }
        fs::write(temp.path().join(file), &whole).unwrap();
    }
}

#[test]
fn a_changed_line_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, _) = store(temp.path());
    let whole = fs::read(temp.path().join(ENTRIES)).unwrap();
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    // Those of the genesis line show elsewhere: it says whose checkpoint to expect.
    for at in ends[0] + 1..*ends.last().unwrap() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(temp.path().join(ENTRIES), &changed).unwrap();
        let own = 1 + ends.iter().filter(|end| **end < at).count() as u64;
        match Journal::open(&directory).err().unwrap() {
            JournalFault::Damaged { file: "entries.jsonl", line, .. } => {
                assert!((own..=own + 1).contains(&line), "byte {at} is in line {own}, named is {line}");
            }
            // The promised line as one of another type: the lines before it are whole.
            JournalFault::Short { found, .. } => assert_eq!((own, found), (6, 3), "byte {at}"),
            fault => panic!("byte {at}: {fault}"),
        }
    }
}

#[test]
fn each_truncation_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, _) = store(temp.path());
    let whole = fs::read(temp.path().join(ENTRIES)).unwrap();
    for keep in 0..whole.len() {
        fs::write(temp.path().join(ENTRIES), &whole[..keep]).unwrap();
        let fault = Journal::open(&directory).err().unwrap();
        assert_eq!(fault.rule(), Some("JOURNAL-DAMAGED"), "at {keep}: {fault}");
    }
}

#[test]
fn lines_that_the_format_does_not_know_are_refused() {
    let read = |line: &str| Entry::read(line.as_bytes()).map(|(entry, _)| entry);
    let line = r#"{"index":1,"prev":"00","time":5,"by":"a","type":"test.happened","what":"x"}"#;
    assert_eq!(read(line).unwrap().event::<Happened>().unwrap().unwrap().what, "x");
    for bad in [line.replace(r#""what":"x""#, r#""what":"x","more":1"#), line.replace(r#""what":"x""#, r#""what":1"#)] {
        assert_eq!(read(&bad).unwrap().event::<Happened>().unwrap_err().rule(), Some("JOURNAL-UNKNOWN-ENTRY"));
    }
    for bad in [
        line.replace(r#""what""#, r#""time""#),
        line.replace(r#""index":1"#, r#""index":-1"#),
        line.replace(r#""by":"a""#, r#""by":null"#),
        line.replace(r#""prev":"00","#, ""),
        "[]".to_owned(),
        String::new(),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_newer_journal_is_refused_as_such() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, _) = store(temp.path());
    let text = fs::read_to_string(temp.path().join(ENTRIES)).unwrap();
    let newer = text.replacen(r#""version":1"#, r#""version":2"#, 1);
    fs::write(temp.path().join(ENTRIES), newer).unwrap();
    assert_eq!(Journal::open(&directory).err().unwrap().rule(), Some("JOURNAL-VERSION"));
}

#[test]
fn a_line_that_no_reader_would_take_is_never_written() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, mut journal) = store(temp.path());
    let long = happened(&"x".repeat(1 << 20));
    let refused = journal.commit(&[happened("before"), long], &signer(), TIME + 61, "admin").unwrap_err();
    assert_eq!(refused.rule(), Some("JOURNAL-NOT-RECORDED"));
    assert_eq!(whats(&Journal::open(&directory).unwrap()).len(), 3);
    journal.commit(&[happened("after")], &signer(), TIME + 62, "admin").unwrap();
    assert_eq!(whats(&Journal::open(&directory).unwrap()).len(), 4);
}

#[test]
fn an_act_whose_checkpoint_file_could_not_be_replaced_counts_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, mut journal) = store(temp.path());
    let before = whats(&journal).len();
    let (note, aside) = (temp.path().join("journal/checkpoint"), temp.path().join("aside"));
    fs::rename(&note, &aside).unwrap();
    fs::create_dir(&note).unwrap();
    let refused = journal.commit(&[happened("counts")], &signer(), TIME + 61, "admin").unwrap_err();
    assert_eq!(refused.rule(), Some("JOURNAL-UNFINISHED"));
    assert_eq!(refused.hint().as_deref(), Some("coldsign status"));
    fs::remove_dir(&note).unwrap();
    fs::rename(aside, note).unwrap();
    let mut read = Journal::open(&directory).unwrap();
    assert_eq!(whats(&read).len(), before + 1);
    read.roll_forward().unwrap();
    assert_eq!(Journal::open(&directory).unwrap().note(), journal.note());
}

#[test]
fn a_correction_of_the_clock_speaks_only_of_what_came_before_it() {
    let correction =
        |first, last, right| ClockCorrected { first, last, wrong: TIME + 60, right, reason: "x".to_owned() };
    for (correction, sound) in [
        (correction(3, 4, TIME + 90), true),
        (correction(3, 7, TIME + 90), false),
        (correction(4, 3, TIME + 90), false),
        (correction(3, 4, TIME + 89), false),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let (directory, mut journal) = store(temp.path());
        journal.commit(&[correction.line()], &signer(), TIME + 90, "admin").unwrap();
        match Journal::open(&directory) {
            Ok(read) => {
                assert!(sound, "{correction:?}");
                let times: Vec<_> = read.entries().iter().map(|entry| entry.time - TIME).collect();
                assert_eq!(times[..7], [0, 0, 0, 90, 90, 60, 90]);
                assert_eq!(read.entries()[3].written, TIME + 60);
            }
            Err(fault) => assert!(!sound && fault.rule() == Some("JOURNAL-UNKNOWN-ENTRY"), "{fault}"),
        }
    }
}

#[test]
fn an_audit_sees_a_signature_that_a_newer_one_covers() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, mut journal) = store(temp.path());
    assert_eq!(Audit::of_store(&directory).unwrap().entries, journal.entries());
    journal.under_another_key(TestSigner::new(8).public_key());
    journal.commit(&[happened("forged")], &TestSigner::new(8), TIME + 61, "admin").unwrap();
    journal.under_another_key(signer().public_key());
    journal.commit(&[happened("covers it")], &signer(), TIME + 62, "admin").unwrap();
    assert!(Journal::open(&directory).is_ok(), "acts go by the newest signature, which is over all lines");
    let fault = Audit::of_store(&directory).err().unwrap();
    assert!(fault.to_string().contains("line 8: it is signed by another key"), "{fault}");
}

#[test]
fn an_audit_tells_a_prefix_from_a_fork_and_from_the_future() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ((ours, mut journal), (theirs, mut fork)) = (store(ours.path()), store(theirs.path()));
    let before = Checkpoint::verify(journal.note(), &journal.genesis().store_id, &journal.key()).unwrap();
    let audit = |directory| Audit::of_store(directory).unwrap();
    fork.commit(&[happened("theirs")], &signer(), TIME + 61, "admin").unwrap();
    assert_eq!(audit(&ours).prefix(&audit(&theirs).checkpoint), Prefix::Ahead);
    journal.commit(&[happened("ours")], &signer(), TIME + 61, "admin").unwrap();
    journal.commit(&[happened("and more")], &signer(), TIME + 62, "admin").unwrap();
    assert_eq!(audit(&ours).prefix(&before), Prefix::Proven);
    assert_eq!(audit(&theirs).prefix(&before), Prefix::Proven);
    assert_eq!(audit(&ours).prefix(&audit(&theirs).checkpoint), Prefix::Forked);
    assert_eq!(audit(&ours).prefix(&Checkpoint { size: 0, root: [0; 32] }), Prefix::Forked);
    let whole = audit(&ours);
    for index in 0..whole.checkpoint.size {
        let proof = whole.prove(index).unwrap();
        assert_eq!(proof.verify(&whole.genesis.store_id, &whole.keys.newest()).unwrap(), whole.checkpoint);
    }
    assert_eq!(whole.prove(whole.checkpoint.size), None, "its own checkpoint does not cover it");
}

#[test]
fn signed_lines_of_another_shape_are_read_one_by_one() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, _) = store(temp.path());
    let text = fs::read_to_string(temp.path().join(ENTRIES)).unwrap();
    let first = text.lines().next().unwrap();
    let signed = |second: &str, time: u64| {
        let second = second.replace("PREV", &hex(&sha256(first.as_bytes())));
        let mut tree = Tree::default();
        tree.push(first.as_bytes());
        tree.push(second.as_bytes());
        let note = Checkpoint::of(&tree).sign("AAAAAAAAAAAAAAAAAAAAAA", &signer()).unwrap();
        let end = super::entry::Committed { note: note.clone() }.line();
        let end = end.render(2, &sha256(second.as_bytes()), time, "admin");
        fs::write(temp.path().join(ENTRIES), format!("{first}\n{second}\n{end}\n")).unwrap();
        fs::write(temp.path().join(CHECKPOINT), note).unwrap();
        Journal::open(&directory)
    };
    let usual = r#"{"index":1,"prev":"PREV","time":5,"by":"admin","type":"test.happened","what":"x"}"#;
    let read = signed(usual, 5).unwrap();
    for other in [
        r#"{"index":1, "prev":"PREV","time":5,"by":"admin","type":"test.happened","what":"x"}"#,
        r#"{"what":"x","index":1,"prev":"PREV","time":5,"by":"admin","type":"test.happened"}"#,
        r#"{"index":1,"prev":"PREV","time":5,"by":"\u0061dmin","type":"test.happened","what":"x"}"#,
    ] {
        assert_eq!(signed(other, 5).unwrap().entries()[..2], read.entries()[..2], "{other}");
    }
    for bad in [
        usual.replace(":1,", ":2,"),
        usual.replace("test.happened", "store.created"),
        usual.replacen('{', "{\"x\":1,\"x\":2,", 1),
        usual.replace("5,", "5.0,"),
    ] {
        assert_eq!(signed(&bad, 5).err().unwrap().rule(), Some("JOURNAL-DAMAGED"), "{bad}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_read_under_a_signature_is_what_is_read_line_by_line(
        groups in proptest::collection::vec(
            (proptest::collection::vec(".{0,40}", 1..4), "[a-z0-9][a-z0-9-]{0,31}", 0..90_u64), 1..8),
        torn in "[ -~]{0,30}",
        behind in proptest::bool::ANY,
    ) {
        let temp = tempfile::tempdir().unwrap();
        let (directory, mut journal) = store(temp.path());
        let mut time = TIME + 60;
        for (whats, by, gap) in &groups {
            time += gap;
            let lines: Vec<Line> = whats.iter().map(|what| happened(what)).collect();
            let note = fs::read(temp.path().join(CHECKPOINT)).unwrap();
            journal.commit(&lines, &signer(), time, by).unwrap();
            if behind {
                fs::write(temp.path().join(CHECKPOINT), note).unwrap();
            }
        }
        let bytes = fs::read(temp.path().join(ENTRIES)).unwrap();
        fs::write(temp.path().join(ENTRIES), [&bytes, torn.as_bytes()].concat()).unwrap();
        let (read, audit) = (Journal::open(&directory).unwrap(), Audit::of_store(&directory).unwrap());
        proptest::prop_assert_eq!(read.entries(), &audit.entries[..]);
        proptest::prop_assert_eq!(read.entries(), journal.entries());
        proptest::prop_assert_eq!(read.note(), &audit.note);
        proptest::prop_assert_eq!(read.extent(), journal.extent());
        proptest::prop_assert_eq!(read.torn_bytes(), torn.len());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let temp = tempfile::tempdir().unwrap();
        let (directory, _) = store(temp.path());
        fs::write(temp.path().join(ENTRIES), &bytes).unwrap();
        proptest::prop_assert!(Journal::open(&directory).is_err());
        proptest::prop_assert!(Audit::of(bytes.clone(), None).is_err());
        let _ = Entry::read(&bytes);
        let _ = Checkpoint::verify(&String::from_utf8_lossy(&bytes), "AAAA", &[0; 32]);
    }
}

/// An event whose only member has a name of the envelope.
macro_rules! envelope_member {
    ($name:ident) => {{
        #[derive(Serialize, Deserialize)]
        struct Clash {
            $name: u64,
        }
        impl Event for Clash {
            const TYPE: &'static str = "test.clash";
        }
        (stringify!($name), Clash { $name: 1 }.line())
    }};
}

#[test]
fn no_events_are_no_group() {
    let temp = tempfile::tempdir().unwrap();
    let (_, mut journal) = store(temp.path());
    let before = fs::read(temp.path().join(ENTRIES)).unwrap();
    assert_eq!(journal.commit(&[], &signer(), TIME + 61, "admin").unwrap(), []);
    assert_eq!(fs::read(temp.path().join(ENTRIES)).unwrap(), before);
}

#[test]
fn an_event_that_names_a_member_of_the_envelope_is_not_written() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, mut journal) = store(temp.path());
    let before = fs::read(temp.path().join(ENTRIES)).unwrap();
    let clashes = [
        envelope_member!(index),
        envelope_member!(prev),
        envelope_member!(time),
        envelope_member!(by),
        envelope_member!(r#type),
    ];
    for (name, clash) in clashes {
        let fault = journal.commit(&[happened("sound"), clash], &signer(), TIME + 61, "admin").unwrap_err();
        assert!(matches!(fault, JournalFault::Unreadable(_)), "{name}: {fault}");
        assert_eq!(fault.rule(), Some("JOURNAL-NOT-RECORDED"));
        assert_eq!(fs::read(temp.path().join(ENTRIES)).unwrap(), before, "{name}");
    }
    journal.commit(&[happened("after")], &signer(), TIME + 62, "admin").unwrap();
    assert_eq!(whats(&Journal::open(&directory).unwrap()).last().map(String::as_str), Some("after"));
}
