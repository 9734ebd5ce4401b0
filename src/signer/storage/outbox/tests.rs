//! What leaves is whole, its owner's, and where it was meant to go.

use super::*;

#[test]
fn a_folder_appears_whole_or_not_at_all() {
    let temp = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&temp.path().join("stick")).unwrap();
    let files =
        BTreeMap::from([("SHA256SUMS".to_owned(), b"x".to_vec()), ("for-api/jwks.json".to_owned(), b"{}".to_vec())]);
    outbox.create_folder("p-1", &files).unwrap();
    assert_eq!(fs::read(temp.path().join("stick/p-1/for-api/jwks.json")).unwrap(), b"{}");
    assert!(matches!(outbox.create_folder("p-1", &files), Err(StorageFault::Exists(_))));
    let bad = BTreeMap::from([("a".to_owned(), b"x".to_vec()), ("a/b".to_owned(), b"x".to_vec())]);
    assert!(outbox.create_folder("p-2", &bad).is_err());
    assert_eq!(fs::read_dir(outbox.path()).unwrap().count(), 1);
}

#[test]
fn what_ended_runs_left_half_written_goes_with_the_first_product_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    let (file, held) = (".coldsign.00000000000000aa.partial", ".coldsign.00000000000000ab.partial");
    let folder = ".coldsign.00000000000000ac.partial";
    for name in [file, held, ".coldsign.a.jwt.partial", ".other.partial", "c.jwt"] {
        fs::write(path(name), b"x").unwrap();
    }
    fs::create_dir_all(path(folder).join("for-api")).unwrap();
    let at_work = fs::File::open(path(held)).unwrap();
    at_work.lock().unwrap();
    Outbox::open(temp.path()).unwrap().create_file("a.jwt", b"x").unwrap();
    let left = super::super::names_in(temp.path());
    assert_eq!(left, [held, ".coldsign.a.jwt.partial", ".other.partial", "a.jwt", "c.jwt"]);
    fs::write(path(file), b"x").unwrap();
    create_private_file(&path("b.jwt"), b"x").unwrap();
    assert!(!path(file).exists());
}

/// Another one than the operator's in every place that a product may need.
#[test]
fn nothing_planted_owns_what_is_written_or_is_followed() {
    use std::os::unix::fs::{MetadataExt, symlink};
    let temp = tempfile::tempdir().unwrap();
    let (stick, outside) = (temp.path().join("stick"), temp.path().join("outside"));
    fs::create_dir(&stick).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&stick, temp.path().join("link")).unwrap();
    // Links are the operator's own in the name that they gave.
    let outbox = Outbox::open(&temp.path().join("link")).unwrap();
    for name in [".coldsign.ann.jwt.partial", ".ann.jwt.partial", "p-1.partial", ".p-1.partial"] {
        let target = if name.contains("p-1") { outside.clone() } else { outside.join("stolen") };
        symlink(target, stick.join(name)).unwrap();
    }
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        stick.join(".coldsign.ben.jwt.partial"),
        rustix::fs::Mode::from_raw_mode(0o666),
    )
    .unwrap();
    fs::write(stick.join(".coldsign.eve.jwt.partial"), b"planted").unwrap();
    let planted = fs::metadata(stick.join(".coldsign.eve.jwt.partial")).unwrap().ino();
    for name in ["ann.jwt", "ben.jwt", "eve.jwt"] {
        outbox.create_file(name, b"token").unwrap();
        let made = fs::symlink_metadata(stick.join(name)).unwrap();
        assert!(made.is_file() && made.ino() != planted && made.mode() & 0o777 == 0o600, "{name}");
    }
    let files = BTreeMap::from([("for-api/jwks.json".to_owned(), b"{}".to_vec())]);
    outbox.create_folder("p-1", &files).unwrap();
    assert_eq!(fs::metadata(stick.join("p-1")).unwrap().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // Below it no link is followed, and what is opened stays what it is.
    symlink(&outside, stick.join("holder")).unwrap();
    assert!(matches!(outbox.below("holder"), Err(StorageFault::Exists(_))));
    let below = outbox.below("other").unwrap();
    symlink(&outside, stick.join("other")).unwrap();
    assert!(matches!(below.create_file("ann.jwt", b"token"), Err(StorageFault::Exists(_))));
    fs::rename(&stick, temp.path().join("moved")).unwrap();
    symlink("outside", &stick).unwrap();
    outbox.create_file("last.jwt", b"token").unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(temp.path().join("moved/last.jwt").is_file());
}

#[test]
fn modes_are_tried_without_leaving_anything() {
    let temp = tempfile::tempdir().unwrap();
    assert_eq!(Outbox::open(temp.path()).unwrap().keeps_modes(), Some(true));
    assert_eq!(Outbox::open(&temp.path().join("new")).unwrap().keeps_modes(), Some(true));
    assert!(super::super::names_in(temp.path()).is_empty());
    assert_ne!(Outbox::open(Path::new("/proc")).unwrap().keeps_modes(), Some(true));
}

#[test]
fn names_that_differ_in_capitals_only_are_taken() {
    let temp = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(temp.path()).unwrap();
    outbox.create_file("Ann.jwt", b"x").unwrap();
    assert!(outbox.refuse_taken(&["ann.jwt".to_owned()]).is_err());
    let twins = ["b.jwt".to_owned(), "B.jwt".to_owned()];
    assert!(outbox.refuse_taken(&twins).is_err());
    assert!(outbox.refuse_taken(&["c.jwt".to_owned()]).is_ok());
}

#[test]
fn a_git_work_tree_is_seen_from_below() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir(temp.path().join(".git")).unwrap();
    let store = temp.path().join("deep/store");
    assert!(inside_git_work_tree(&store).is_some());
}
