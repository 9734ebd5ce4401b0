//! The file: what is in it, who opens it, what is told of it.

use super::super::archive;
use super::*;
use crate::keystore::Unlocks;
use crate::refusal::Refuse;
use std::sync::OnceLock;

/// One backup for the tests that only take it apart.
fn sample() -> &'static (Vec<u8>, RecoveryCode) {
    static SAMPLE: OnceLock<(Vec<u8>, RecoveryCode)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let bench = Bench::new();
        (fs::read(bench.backup("store", START)).unwrap(), bench.recovery)
    })
}

#[test]
fn it_holds_every_file_of_the_store_as_it_was() {
    let bench = Bench::new();
    fs::write(bench.path("store/notes.txt"), b"mine").unwrap();
    fs::write(bench.path("store/policies/old ones"), b"mine").unwrap();
    let mut before = files_below(&bench.path("store"));
    let made = bench.create("store", START + DAY).unwrap();
    assert_eq!(made.left_out, ["notes.txt", "policies/old ones"]);
    before.retain(|path, _| path != "lock" && !made.left_out.contains(path));
    let backup = open(&made.path).unwrap();
    let inside = |path: &String| (path.clone(), backup.store().directory().read(path, LARGEST).unwrap());
    assert_eq!(backup.manifest.files.keys().map(inside).collect::<BTreeMap<_, _>>(), before);
    assert!(before.keys().any(|path| path.starts_with("certificates/")));
    assert!(before.keys().any(|path| path.starts_with("roots/")));
    assert_eq!(backup.manifest.files.len(), made.files);
    assert_eq!(fs::read(&made.path).unwrap().len() as u64, made.made.bytes);
    let recorded = bench.store("store");
    assert_eq!(recorded.ledger().backups.newest().unwrap().made, made.made);
}

#[test]
fn each_unlock_of_its_day_opens_it_and_nothing_else_does() {
    let (bytes, recovery) = sample();
    assert!(open_bytes(bytes, "admin", &passphrase()).is_ok());
    assert!(open_bytes(bytes, Unlocks::RECOVERY, &recovery.to_passphrase()).is_ok());
    assert_eq!(rule(open_bytes(bytes, "admin", &recovery.to_passphrase())), "UNLOCK-PASSPHRASE");
    assert_eq!(rule(open_bytes(bytes, "nobody", &passphrase())), "BACKUP-UNLOCK");
    let sealed = Sealed::read(Path::new("b.tar"), bytes).unwrap();
    assert_eq!(sealed.unlocks().collect::<Vec<_>>(), ["admin", "recovery"]);
    assert_eq!(sealed.unlock_name(None).unwrap(), "admin");
}

#[test]
fn what_lies_open_says_nothing_of_what_is_inside() {
    let (bytes, _) = sample();
    for secret in ["tokens.example", "https://", "\"kid\"", "reader", "publications", "entries.jsonl"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn each_changed_byte_is_told() {
    let (bytes, _) = sample();
    let file = Path::new("b.tar");
    let own = Sealed::read(file, bytes).unwrap().own("admin", &passphrase()).unwrap();
    let told = &|bytes: &[u8], what: &str| {
        let read = Sealed::read(file, bytes).map(|sealed| sealed.unpack(own.identity()).map(|_| ()));
        match read {
            Err(denied) | Ok(Err(denied)) => assert!(denied.rule().is_some()),
            Ok(Ok(())) => panic!("not told: {what}"),
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || {
                let mut changed = bytes.clone();
                for at in (first..bytes.len()).step_by(threads) {
                    changed[at] ^= [0x01, 0x80, 0x20][at % 3];
                    told(&changed, &format!("byte {at}"));
                    changed[at] = bytes[at];
                    told(&bytes[..at], &format!("cut at {at}"));
                }
            });
        }
    });
    told(&[bytes.as_slice(), &[0; 512]].concat(), "longer");
}

/// The sample with one member of its outer archive changed and every digest put right again.
fn forged(path: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (members, time) = archive::read(&sample().0).unwrap();
    let changed: Vec<(String, Vec<u8>)> = members
        .iter()
        .map(|member| {
            let bytes = if member.path == path { change(member.bytes) } else { member.bytes.to_vec() };
            (member.path.clone(), bytes)
        })
        .collect();
    let mut header = String::from_utf8(changed[0].1.clone()).unwrap();
    for (old, new) in members.iter().zip(&changed).skip(1) {
        header = header.replace(&hex(&sha256(old.bytes)), &hex(&sha256(&new.1)));
    }
    let mut bytes = Vec::new();
    archive::append(&mut bytes, &changed[0].0, header.as_bytes(), time).unwrap();
    for (path, member) in changed.iter().skip(1) {
        archive::append(&mut bytes, path, member, time).unwrap();
    }
    archive::finish(&mut bytes);
    bytes
}

#[test]
fn digests_put_right_again_do_not_help_a_forger() {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let same = forged("", <[u8]>::to_vec);
    assert!(open_bytes(&same, "admin", &passphrase()).is_ok());
    let newer = forged("coldsign-backup.json", |bytes| text(bytes).replace("\"size\":", "\"size\":1").into_bytes());
    assert!(Sealed::read(Path::new("b.tar"), &newer).is_ok());
    assert_eq!(rule(open_bytes(&newer, "admin", &passphrase())), "BACKUP-DAMAGED");
    let advice = forged("HOW-TO-OPEN.txt", |_| b"type your passphrase into this page".to_vec());
    assert_eq!(rule(open_bytes(&advice, "admin", &passphrase())), "BACKUP-DAMAGED");
    let other = forged("unlock/recovery.age", |_| b"something".to_vec());
    assert_eq!(rule(open_bytes(&other, "admin", &passphrase())), "BACKUP-DAMAGED");
    let version =
        forged("coldsign-backup.json", |bytes| text(bytes).replace("\"version\":1", "\"version\":2").into_bytes());
    assert_eq!(rule(open_bytes(&version, "admin", &passphrase())), "BACKUP-VERSION");
    assert_eq!(rule(open_bytes(b"-----BEGIN", "admin", &passphrase())), "BACKUP-FORMAT");
}

#[test]
fn a_torn_tail_stays_out_of_it() {
    let bench = Bench::new();
    let journal = bench.path("store/journal/entries.jsonl");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, [whole.as_slice(), b"{\"index\":99,\"torn"].concat()).unwrap();
    let backup = open(&bench.backup("store", START)).unwrap();
    assert_eq!(backup.store().directory().read("journal/entries.jsonl", LARGEST).unwrap(), whole);
}

#[test]
fn a_store_with_damage_is_not_backed_up_and_leaves_no_file() {
    for (file, gone) in [
        ("policies", false),
        ("certificates", false),
        ("roots", true),
        ("unlock/recovery.age", true),
        ("unlock/recovery.age", false),
        ("sealed/1", false),
    ] {
        let bench = Bench::new();
        let place = bench.path("store").join(file);
        let place = match fs::read_dir(&place) {
            Ok(mut inside) => {
                inside.find_map(|entry| entry.ok().filter(|e| e.file_name() != "seal.age")).unwrap().path()
            }
            Err(_) => place,
        };
        match gone {
            true => fs::remove_file(&place).unwrap(),
            false => fs::write(&place, b"rot").unwrap(),
        }
        let made = Session::open(&bench.path("store"), None, &passphrase(), START)
            .and_then(|mut session| create(&mut session, &Outbox::open(&bench.path("stick")).unwrap()));
        assert_eq!(rule(made), "STORE-DAMAGED", "{file}");
        assert_eq!(fs::read_dir(bench.path("stick")).unwrap().count(), 0, "{file}");
    }
}

#[test]
fn a_publication_that_is_gone_stops_no_backup_and_no_restore() {
    let bench = Bench::new();
    assert!(bench.create("store", START).unwrap().lacking.is_empty());
    for gone in [false, true] {
        let folder = bench.path("store/publications/000001");
        match gone {
            true => fs::remove_dir_all(&folder).unwrap(),
            false => fs::write(folder.join("SHA256SUMS"), b"rot").unwrap(),
        }
        let made = bench.create("store", START).unwrap();
        assert_eq!(made.lacking, [1]);
        let backup = open(&made.path).unwrap();
        assert_eq!(backup.lacking, [1]);
        let to = format!("new-{gone}");
        bench.restore_with(&backup, &to, &super::Outlook::default(), false).unwrap();
        assert_eq!(bench.publish(&to).seq, 1_001);
    }
}

#[test]
fn what_the_medium_gives_back_is_what_counts() {
    let bench = Bench::new();
    let made = bench.create("store", START).unwrap();
    let session = bench.session("store", START);
    let outbox = Outbox::open(&bench.path("stick")).unwrap();
    check_written(&session, &outbox, &made.path, &made.made).unwrap();
    let mut bytes = fs::read(&made.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&made.path, bytes).unwrap();
    assert_eq!(rule(check_written(&session, &outbox, &made.path, &made.made)), "BACKUP-READ-BACK");
}

#[test]
fn nothing_is_overwritten_and_nothing_goes_into_the_store() {
    let bench = Bench::new();
    let size = bench.store("store").journal().extent().size;
    let store_id = bench.store("store").sheet().store_id.clone();
    let taken = bench.path("stick").join(container::file_name(&store_id, size, 1));
    fs::write(&taken, b"mine").unwrap();
    let made = bench.backup("store", START);
    assert!(made.to_string_lossy().ends_with("-2.tar"));
    assert_eq!(fs::read(&taken).unwrap(), b"mine");
    fs::create_dir(bench.path("store/backups")).unwrap();
    let inside = create(&mut bench.session("store", START), &Outbox::open(&bench.path("store/backups")).unwrap());
    assert_eq!(rule(inside), "OUTPUT-IN-STORE");
}

#[test]
fn a_backup_is_held_against_the_store() {
    let bench = Bench::new();
    let first = bench.backup("store", START);
    let early = files_below(&bench.path("store"));
    let store = bench.store("store");
    assert_eq!(open(&first).unwrap().compare(&store).unwrap(), Comparison::Past { behind: 2, listed: true });
    bench.generate("store", START + DAY);
    let second = bench.backup("store", START + DAY);
    assert_eq!(
        open(&first).unwrap().compare(&bench.store("store")).unwrap(),
        Comparison::Past { behind: 6, listed: true }
    );

    // The store rolled back to the day of the first: what came after is missed.
    for (path, bytes) in &early {
        fs::write(bench.path("store").join(path), bytes).unwrap();
    }
    assert_eq!(rule(open(&second).unwrap().compare(&bench.store("store"))), "BACKUP-AHEAD");
    bench.generate("store", START + 2 * DAY);
    bench.generate("store", START + 2 * DAY);
    bench.generate("store", START + 2 * DAY);
    assert_eq!(rule(open(&second).unwrap().compare(&bench.store("store"))), "BACKUP-HISTORY");
    assert_eq!(open(&second).unwrap().compare(&Bench::new().store("store")).unwrap(), Comparison::OtherStore);
}
