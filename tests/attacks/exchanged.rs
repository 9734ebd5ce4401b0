//! What is exchanged under an act that runs: a lock file cleaned away, the journal moved, cut,
//! lengthened or copied. Nothing that was acknowledged is lost, and nobody else's bytes are cut off.

use coldsign::acts::issue::{self, Batch, Issued};
use coldsign::acts::{Session, Store};
use coldsign::journal::{hex, sha256};
use coldsign::keystore::Passphrase;
use coldsign::refusal::Refusal;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::place::{PASSPHRASE, Place};

const ENTRIES: &str = "store/journal/entries.jsonl";

fn session(place: &Place) -> Result<Session, Refusal> {
    let passphrase = Passphrase::from(zeroize::Zeroizing::new(PASSPHRASE.to_owned()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Session::open(&place.place(), None, &passphrase, now)
}

fn issue(session: &mut Session, subject: &str) -> Result<Vec<Issued>, Refusal> {
    let batch = Batch {
        service: "api".to_owned(),
        roles: vec!["reader".to_owned()],
        subjects: vec![subject.to_owned()],
        ..Batch::default()
    };
    issue::issue(session, &batch)
}

fn knows(place: &Place, issued: &[Issued]) -> bool {
    let store = Store::open(&place.place()).unwrap();
    issued.iter().all(|token| store.ledger().tokens.by_sha256(&hex(&sha256(token.token.as_bytes()))).is_some())
}

#[test]
fn a_clean_up_of_lock_files_loses_no_acknowledged_token() {
    let place = Place::with_store();
    let mut first = session(&place).unwrap();
    // A "stale lock file" is removed while the act runs, and whatever else is called so.
    for name in ["lock", ".lock", "journal/lock"] {
        let _ = fs::remove_file(place.place().join(name));
    }
    let mut second = session(&place);
    let mut acknowledged = Vec::new();
    if let Ok(second) = &mut second {
        acknowledged.extend(issue(second, "ben").unwrap());
    }
    acknowledged.extend(issue(&mut first, "ann").unwrap());
    assert!(knows(&place, &acknowledged), "an acknowledged token is lost");
    assert!(second.is_err_and(|busy| busy.to_string().contains("another coldsign command is at work")));
}

/// The rule that refuses an act under which that happens, and the journal's bytes after it happened.
fn refused_while(place: &Place, happens: impl Fn(&Path)) -> (Option<&'static str>, Vec<u8>) {
    let mut open = session(place).unwrap();
    happens(&place.path(ENTRIES));
    let before = fs::read(place.path(ENTRIES)).unwrap_or_default();
    let refusal = issue(&mut open, "ann").err();
    (refusal.and_then(|refusal| refusal.reason().rule()), before)
}

#[test]
fn nothing_is_appended_to_a_journal_that_is_not_as_it_was_read() {
    let grown = |bytes: &'static [u8]| {
        move |entries: &Path| OpenOptions::new().append(true).open(entries).unwrap().write_all(bytes).unwrap()
    };
    let moved = |entries: &Path| {
        fs::rename(entries, entries.with_file_name("aside")).unwrap();
        entries.with_file_name("aside")
    };
    type Attack = Box<dyn Fn(&Path)>;
    let attacks: [(&str, Attack); 7] = [
        ("a copy in its place", Box::new(move |entries| assert!(fs::copy(moved(entries), entries).is_ok()))),
        ("a link in its place", Box::new(move |entries| symlink(moved(entries), entries).unwrap())),
        ("gone", Box::new(move |entries| drop(moved(entries)))),
        ("longer by a torn line", Box::new(grown(b"{\"torn"))),
        ("longer by a line", Box::new(grown(b"{}\n"))),
        (
            "shorter",
            Box::new(|entries| {
                let length = fs::metadata(entries).unwrap().len();
                OpenOptions::new().write(true).open(entries).unwrap().set_len(length - 10).unwrap();
            }),
        ),
        (
            "another last line",
            Box::new(|entries| {
                let mut bytes = fs::read(entries).unwrap();
                let at = bytes.len() - 5;
                bytes[at] ^= 1;
                fs::write(entries, bytes).unwrap();
            }),
        ),
    ];
    for (what, attack) in attacks {
        let place = Place::with_store();
        let (rule, before) = refused_while(&place, attack);
        assert_eq!(rule, Some("JOURNAL-EXCHANGED"), "{what}");
        assert_eq!(fs::read(place.path(ENTRIES)).unwrap_or_default(), before, "{what}: it was written to");
    }
}

#[test]
fn only_the_torn_bytes_that_were_read_are_cut_off() {
    let torn = |place: &Place, bytes: &[u8]| {
        OpenOptions::new().append(true).open(place.path(ENTRIES)).unwrap().write_all(bytes).unwrap();
    };
    let place = Place::with_store();
    torn(&place, b"{\"torn");
    let (rule, before) = refused_while(&place, |_| torn(&place, b", more"));
    assert_eq!(rule, Some("JOURNAL-EXCHANGED"));
    assert_eq!(fs::read(place.path(ENTRIES)).unwrap(), before);
    let issued = issue(&mut session(&place).unwrap(), "ann").unwrap();
    assert!(knows(&place, &issued));
    assert!(!String::from_utf8(fs::read(place.path(ENTRIES)).unwrap()).unwrap().contains("{\"torn"));
}
