//! Restores: what is known from outside, and the epochs that begin.

use super::super::outlook::notes_in;
use super::*;
use crate::acts::backup::record::EpochStarted;

#[test]
fn a_restored_store_goes_on_in_a_new_epoch() {
    let bench = Bench::new();
    let file = bench.backup("store", START);
    let size = open(&file).unwrap().manifest.size;
    let seen = open(&file).unwrap().store().journal().note().to_owned();
    let restored = bench.restore(&file, "new", std::slice::from_ref(&seen), false).unwrap();
    let epoch = restored.epoch;
    assert_eq!((epoch.epoch, epoch.size, epoch.lost), (2, size, Some(0)));
    assert_eq!((epoch.checkpoint.as_deref(), epoch.publications_from), (Some(seen.as_str()), 1_001));
    let store = bench.store("new");
    assert_eq!(hex(&store.journal().root_of_first(size).unwrap().unwrap()), epoch.root);
    assert_eq!(store.ledger().backups.epoch(), 2);
    assert!(store.ledger().backups.none_since_restore() && !bench.store("store").ledger().backups.none_since_restore());

    // Everything but the journal's end is as it was, private to its owner.
    let (was, is) = (files_below(&bench.path("store")), files_below(&bench.path("new")));
    assert_eq!(was.keys().collect::<Vec<_>>(), is.keys().collect::<Vec<_>>());
    let differing: Vec<_> = was.iter().filter(|(path, bytes)| is[*path] != **bytes).map(|(path, _)| path).collect();
    assert_eq!(differing, ["journal/checkpoint", "journal/entries.jsonl"]);
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &str| fs::metadata(bench.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("new"), mode("new/sealed/1"), mode("new/sealed/1/seal.age")), (0o700, 0o700, 0o600));

    // Services hear of it at once, above anything that may have been published.
    let now = START + 90 * DAY;
    let todo = status::summary(&store, now).unwrap().todo;
    assert!(todo.iter().any(|todo| todo.what.contains("1001 or more")), "{todo:?}");
    let published = bench.publish("new");
    assert_eq!((published.seq, published.new), (1_001, true));
    assert!(!bench.publish("new").new);
    let todo = status::summary(&bench.store("new"), now).unwrap().todo;
    assert!(!todo.iter().any(|todo| todo.what.contains("or more")), "{todo:?}");
}

#[test]
fn an_old_backup_forks_only_where_that_is_accepted() {
    let bench = Bench::new();
    let file = bench.backup("store", START);
    // Right after the backup, and any time later.
    let at_once = bench.note("store");
    assert_eq!(outlook(&open(&file).unwrap(), &pages(&[at_once]), None).unwrap().lost, 0);
    bench.generate("store", START + DAY);
    let seen = bench.note("store");
    assert_eq!(rule(bench.restore(&file, "new", std::slice::from_ref(&seen), false)), "BACKUP-FORK");
    assert!(!bench.path("new").exists());
    let restored = bench.restore(&file, "new", std::slice::from_ref(&seen), true).unwrap();
    // backup.made and key.generated, each with its checkpoint.
    assert_eq!(restored.epoch.lost, Some(4));
    assert_eq!(restored.epoch.checkpoint.as_deref(), Some(seen.as_str()));

    // The branch that was left is known for what it is, ever after.
    let next = bench.backup("new", START + 91 * DAY);
    let backup = open(&next).unwrap();
    assert_eq!(outlook(&backup, &pages(std::slice::from_ref(&seen)), None).unwrap().left_behind, 1);
    // Another of its checkpoints is not: the old store went on.
    bench.generate("store", START + 2 * DAY);
    bench.generate("new", START + 91 * DAY);
    let later = open(&bench.backup("new", START + 92 * DAY)).unwrap();
    assert_eq!(rule(outlook(&later, &pages(&[bench.note("store")]), None)), "BACKUP-HISTORY");

    let unknown = bench.restore(&file, "third", &[], false).unwrap().epoch;
    assert_eq!((unknown.lost, unknown.checkpoint), (None, None));
}

#[test]
fn a_journal_of_the_old_store_shows_what_is_lost() {
    let bench = Bench::new();
    let file = bench.backup("store", START);
    let backup = open(&file).unwrap();
    let journal = || Witness::File(PathBuf::from("old"), fs::read(bench.path("store/journal/entries.jsonl")).unwrap());
    let at_once = outlook(&backup, &[journal()], None).unwrap();
    assert_eq!((at_once.lost, at_once.acts.len()), (0, 0));
    let before = fs::read(bench.path("store/journal/entries.jsonl")).unwrap();
    bench.generate("store", START + DAY);
    bench.publish("store");
    let later = outlook(&backup, &[journal()], None).unwrap();
    let kinds: Vec<&str> = later.acts.iter().map(|act| &*act.kind).collect();
    assert_eq!(kinds.first(), Some(&"key.generated"));
    assert!(kinds.contains(&"publication.made"), "{kinds:?}");
    assert!(later.lost as usize > kinds.len(), "the checkpoints between them are lines too");
    assert_eq!(rule(bench.restore_with(&backup, "new", &later, false)), "BACKUP-FORK");

    // Neither a made-up end nor another store's journal is taken for that.
    let whole = fs::read(bench.path("store/journal/entries.jsonl")).unwrap();
    let mut changed = whole.clone();
    let middle = before.len() / 2;
    changed[middle] ^= 1;
    let given = |bytes: &[u8]| rule(outlook(&backup, &[Witness::File(PathBuf::from("old"), bytes.to_vec())], None));
    assert_eq!(given(&changed), "BACKUP-HISTORY");
    assert_eq!(given(&before[..middle]), "BACKUP-HISTORY");
    let other = Bench::new();
    assert_eq!(given(&fs::read(other.path("store/journal/entries.jsonl")).unwrap()), "BACKUP-HISTORY");
    let mut end_changed = whole.clone();
    let near_the_end = whole.len() - 40;
    end_changed[near_the_end] ^= 1;
    let torn = outlook(&backup, &[Witness::File(PathBuf::from("old"), end_changed)], None).unwrap();
    assert!(torn.acts.len() < later.acts.len(), "what no checkpoint signs is shown as lost");
}

#[test]
fn a_fingerprint_tells_whether_a_checkpoint_is_known() {
    let bench = Bench::new();
    let before = bench.note("store");
    let backup = open(&bench.backup("store", START)).unwrap();
    let right_after = bench.note("store");
    bench.generate("store", START + DAY);
    let given = |note: &str, digits: usize| {
        let shown = hex(&sha256(note.as_bytes())).to_uppercase();
        let shown = shown.as_bytes()[..digits].chunks(4).map(|four| std::str::from_utf8(four).unwrap());
        outlook(&backup, &[Witness::Fingerprint(shown.collect::<Vec<_>>().join(" "))], None)
    };
    for (note, digits) in [(&before, 64), (&before, 32), (&before, 16), (&right_after, 32)] {
        let known = given(note, digits).unwrap();
        assert_eq!((known.lost, known.seen.unwrap().0), (0, note.clone()));
    }
    assert_eq!(rule(given(&before, 12)), "BACKUP-CHECKPOINT");
    for (text, what) in
        [("", "empty"), (" ", "empty"), ("1f0c 42aa 97b3 d5e", "fewer than 16"), ("1f0c42aa97b3d5eg", "hex")]
    {
        let refused = outlook(&backup, &[Witness::Fingerprint(text.to_owned())], None).unwrap_err();
        assert!(refused.to_string().contains(what), "{refused}");
    }
    assert_eq!(rule(given(&bench.note("store"), 64)), "BACKUP-FORK");
}

#[test]
fn publication_numbers_stay_above_all_that_may_be_out() {
    let bench = Bench::new();
    let first = open(&bench.backup("store", START)).unwrap();
    let seen = |seq| outlook(&first, &[], Some(seq)).unwrap();
    assert_eq!(seen(1).unknown_publication, None);
    assert_eq!(rule(bench.restore_with(&first, "new", &seen(17), false)), "BACKUP-FORK");
    let epoch = bench.restore_with(&first, "new", &seen(17), true).unwrap().epoch;
    assert_eq!((epoch.published, epoch.publications_from), (Some(17), 1_017));
    // Restored again before anything was published: the branch in between may have published.
    let second = open(&bench.backup("new", START + 90 * DAY)).unwrap();
    let epoch = bench.restore_with(&second, "newer", &Outlook::default(), false).unwrap().epoch;
    assert_eq!((epoch.epoch, epoch.publications_from), (3, 2_017));
    assert_eq!(bench.publish("newer").seq, 2_017);
}

#[test]
fn a_checkpoint_must_be_this_store_s_own() {
    let bench = Bench::new();
    let backup = open(&bench.backup("store", START)).unwrap();
    let refused = |text: &str| rule(outlook(&backup, &pages(&[text.to_owned()]), None));
    assert_eq!(refused("nothing of the kind"), "BACKUP-CHECKPOINT");
    assert_eq!(refused(&Bench::new().note("store")), "BACKUP-CHECKPOINT");
    let note = bench.note("store");
    assert_eq!(refused(&note.replace('\n', "\r\n")), "not refused");
    let typed: String = note.lines().map(|line| format!("   {} \r\n", line.replace('\u{2014}', "-"))).collect();
    let page = format!("Printed on Monday\r\n\r\n{typed}\r\nKeep this.");
    assert_eq!(notes_in(&page), std::slice::from_ref(&note));
    let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let grown = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    assert_eq!(refused(&grown), "BACKUP-CHECKPOINT");
}

#[test]
fn a_restore_that_fails_leaves_nothing() {
    let bench = Bench::new();
    let backup = open(&bench.backup("store", START + 100 * DAY)).unwrap();
    let outlook = Outlook::default();
    let place = bench.path("new");
    let now = RELEASED - 1;
    let request = Request { backup: &backup, place: &place, outlook: &outlook, accept_fork: false, reason: None, now };
    assert_eq!(rule(restore(&request)), "CLOCK-BEFORE-RELEASE");
    let lost = Outlook { lost: 1, ..Outlook::default() };
    assert_eq!(rule(bench.restore_with(&backup, "new", &lost, false)), "BACKUP-FORK");
    let left: Vec<_> = fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    fs::create_dir(bench.path("new")).unwrap();
    fs::write(bench.path("new/file"), b"mine").unwrap();
    assert_eq!(rule(bench.restore_with(&backup, "new", &outlook, false)), "INIT-EXISTS");
    assert_eq!(rule(bench.restore_with(&backup, "store", &outlook, false)), "INIT-EXISTS");
    assert_eq!(files_below(&bench.path("new")).len(), 1);
}

#[test]
fn a_clock_behind_the_backup_is_settled_in_the_restored_store() {
    let bench = Bench::new();
    // Made by a clock that was ten days ahead of the one that restores.
    bench.generate("store", START + 100 * DAY);
    let backup = open(&bench.backup("store", START + 100 * DAY)).unwrap();
    let restored = bench.restore_with(&backup, "new", &Outlook::default(), false).unwrap();
    assert_eq!(restored.behind, Some(10 * DAY));
    let newest = restored.store.ledger().backups.epochs().last().map(|epoch| epoch.at);
    assert_eq!(newest, Some(START + 100 * DAY));
    let now = START + 90 * DAY;
    let place = bench.path("new");
    assert_eq!(rule(Session::open(&place, None, &passphrase(), now)), "CLOCK-BEHIND");
    let correction = clock::Correction { now, since: None, reason: "it was ahead" };
    let unlocked = crate::acts::Unlocked::open(&place, None, &passphrase()).unwrap();
    clock::correct(unlocked, &passphrase(), &correction).unwrap();
    assert_eq!(bench.publish("new").seq, 1_001);
    // A clock that is right is told nothing.
    let sound = open(&Bench::new().backup("store", START)).unwrap();
    assert_eq!(bench.restore_with(&sound, "sound", &Outlook::default(), false).unwrap().behind, None);
}

#[test]
fn a_lost_journal_keeps_its_epoch_and_its_numbers() {
    let bench = Bench::new();
    let file = bench.backup("store", START);
    bench.restore(&file, "first", &[], false).unwrap();
    assert_eq!(bench.publish("first").seq, 1_001);
    let backup = open(&file).unwrap();
    let lines = fs::read(bench.path("first/journal/entries.jsonl")).unwrap();
    let journal = || Witness::File(PathBuf::from("old"), lines.clone());
    // With its checkpoint before it, after it, or alone.
    let note = || Witness::File(PathBuf::from("note"), bench.note("first").into_bytes());
    for given in [vec![journal()], vec![note(), journal()], vec![journal(), note()]] {
        let known = outlook(&backup, &given, None).unwrap();
        assert_eq!((known.lost_epoch, known.lost_publication), (2, 1_001));
        assert!(!known.acts.is_empty() && !known.publications_unknown());
    }
    let known = outlook(&backup, &[journal()], None).unwrap();
    let epoch = bench.restore_with(&backup, "second", &known, true).unwrap().epoch;
    assert_eq!((epoch.epoch, epoch.publications_from), (3, 2_001));
    // A checkpoint alone says nothing of numbers, and the refusal says so.
    let bare = outlook(&backup, &[note()], None).unwrap();
    assert!(bare.publications_unknown());
    let refused = bench.restore_with(&backup, "third", &bare, false).err().unwrap();
    assert!(refused.reason().why().iter().any(|line| line.contains("--published N")));
    assert!(!outlook(&backup, &[note()], Some(1_001)).unwrap().publications_unknown());
}

#[test]
fn what_a_killed_restore_left_goes_with_the_next() {
    let bench = Bench::new();
    let backup = open(&bench.backup("store", START)).unwrap();
    let left = bench.path(".new.0a1b0a1b0a1b.partial");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("store.json"), b"").unwrap();
    let restored = bench.restore_with(&backup, "new", &Outlook::default(), false).unwrap();
    assert_eq!(restored.swept, std::slice::from_ref(&left));
    assert!(!left.exists());
}

#[test]
fn numbers_that_a_backup_was_made_up_with_are_a_refusal() {
    let bench = Bench::new();
    let mut session = bench.session("store", START + 1);
    let epoch = |publications_from: u64| EpochStarted {
        epoch: 2,
        size: 1,
        root: "0a".repeat(32),
        backup: "0a".repeat(32),
        checkpoint: None,
        lost: None,
        published: None,
        publications_from,
        reason: None,
    };
    for beyond in [1 << 53, u64::MAX] {
        let refused = session.record(&[epoch(beyond).line()]).unwrap_err();
        assert_eq!(refused.reason().rule(), Some("JOURNAL-NOT-RECORDED"), "no reader would take {beyond}");
    }
    session.record(&[epoch(999_001).line()]).unwrap();
    drop(session);
    let backup = bench.backup("store", START + 2);
    assert_eq!(rule(bench.restore(&backup, "again", &[], true)), "BACKUP-NUMBERS");
    assert!(!bench.path("again").exists());
    let outlook = Outlook { published: Some(u64::MAX), ..Outlook::default() };
    assert_eq!(rule(bench.restore_with(&open(&backup).unwrap(), "again", &outlook, true)), "BACKUP-NUMBERS");
}
