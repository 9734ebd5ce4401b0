use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_file_appears_whole_private_and_once() {
    let temp = tempfile::tempdir().unwrap();
    let directory = Directory::open(temp.path()).unwrap();
    directory.create_file("a", b"one").unwrap();
    assert!(matches!(directory.create_file("a", b"two"), Err(StorageFault::Exists(_))));
    assert_eq!(directory.read("a", 10).unwrap(), b"one");
    assert_eq!(directory.names("").unwrap(), ["a"]);
    let mode = fs::metadata(temp.path().join("a")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn reading_is_bounded_and_follows_no_link() {
    let temp = tempfile::tempdir().unwrap();
    let directory = Directory::open(temp.path()).unwrap();
    directory.create_file("a", b"four").unwrap();
    assert!(matches!(directory.read("a", 3), Err(StorageFault::TooLarge { cap: 3, .. })));
    std::os::unix::fs::symlink(temp.path().join("a"), temp.path().join("b")).unwrap();
    assert!(matches!(directory.read("b", 10), Err(StorageFault::NotAFile(_))));
    assert!(matches!(directory.read("c", 10), Err(StorageFault::Missing(_))));
}

#[test]
fn what_is_planted_under_a_name_half_written_neither_hangs_nor_owns_the_file() {
    use std::os::unix::fs::MetadataExt;
    let temp = tempfile::tempdir().unwrap();
    let directory = Directory::open(temp.path()).unwrap();
    let partial = temp.path().join(".a.partial");
    let victim = temp.path().join("victim");
    fs::write(&victim, b"kept").unwrap();
    rustix::fs::mkfifoat(CWD, &partial, Mode::from_raw_mode(0o666)).unwrap();
    directory.replace_file("a", b"one").unwrap();
    std::os::unix::fs::symlink("victim", &partial).unwrap();
    directory.replace_file("a", b"two").unwrap();
    fs::write(&partial, b"planted").unwrap();
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o666)).unwrap();
    let planted = File::open(&partial).unwrap();
    directory.replace_file("a", b"three").unwrap();
    let found = fs::metadata(temp.path().join("a")).unwrap();
    assert_eq!((found.mode() & 0o777, directory.read("a", 9).unwrap()), (0o600, b"three".to_vec()));
    assert_ne!(found.ino(), planted.metadata().unwrap().ino());
    assert_eq!(fs::read(&victim).unwrap(), b"kept");
    // A pipe where a file is expected is refused, not waited for.
    rustix::fs::mkfifoat(CWD, temp.path().join("pipe"), Mode::from_raw_mode(0o666)).unwrap();
    assert!(matches!(directory.read("pipe", 9), Err(StorageFault::NotAFile(_))));
    assert!(matches!(directory.sync_file("pipe"), Err(StorageFault::NotAFile(_))));
}

#[test]
fn a_place_half_made_is_swept_when_nobody_holds_it() {
    let temp = tempfile::tempdir().unwrap();
    let place = temp.path().join("store");
    let (made, lock) = Directory::create_beside(&place, "0123456789ab").unwrap();
    made.create_file("a", b"x").unwrap();
    assert!(Directory::sweep_beside(&place).unwrap().is_empty(), "it is at work");
    drop(lock);
    for other in [".store.mine.partial", ".store.0123456789ab", ".other.0123456789ab.partial"] {
        fs::create_dir(temp.path().join(other)).unwrap();
    }
    assert_eq!(Directory::sweep_beside(&place).unwrap(), [made.path()]);
    assert_eq!(Directory::open(temp.path()).unwrap().names("").unwrap().len(), 3);
}

#[test]
fn files_in_memory_are_read_like_others_and_never_written() {
    let files = ["a", "below/b", "below/deep/c", "belowest"].map(|name| (name.to_owned(), name.into()));
    let held = Directory::held(Path::new("b.tar"), BTreeMap::from(files));
    assert_eq!(held.names("").unwrap(), ["a", "below", "belowest"]);
    assert_eq!(held.names("below").unwrap(), ["b", "deep"]);
    assert!(held.names("gone").unwrap().is_empty());
    assert!(held.has("below") && held.has("below/b") && !held.has("below/c"));
    assert_eq!(held.read("below/deep/c", 99).unwrap(), b"below/deep/c");
    assert!(matches!(held.read("a", 0), Err(StorageFault::TooLarge { .. })));
    assert!(matches!(held.read("below", 9), Err(StorageFault::Missing(_))));
    assert_eq!(held.read_folder("below", 99).unwrap().len(), 2);
    let refused = [
        held.create_file("x", b""),
        held.replace_file("a", b""),
        held.append("a", &Ending { keep: 0, last: b"", torn: b"" }, b""),
    ];
    assert!(refused.iter().all(|done| matches!(done, Err(StorageFault::ReadOnly(_)))));
    assert!(held.below("x").is_err() && held.remove_file("a").is_err() && held.remove_folder("below").is_err());
}

#[test]
fn left_overs_of_a_crash_are_swept() {
    let temp = tempfile::tempdir().unwrap();
    let directory = Directory::open(temp.path()).unwrap();
    fs::write(temp.path().join(".key.age.partial"), b"x").unwrap();
    fs::create_dir(temp.path().join("000001.partial")).unwrap();
    fs::write(temp.path().join("keep"), b"x").unwrap();
    directory.sweep_partials("").unwrap();
    assert_eq!(directory.names("").unwrap(), ["keep"]);
}
