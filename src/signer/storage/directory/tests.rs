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
fn appending_cuts_what_lies_beyond() {
    let temp = tempfile::tempdir().unwrap();
    let directory = Directory::open(temp.path()).unwrap();
    directory.append("j", 0, b"one\ntorn").unwrap();
    directory.append("j", 4, b"two\n").unwrap();
    assert_eq!(directory.read("j", 100).unwrap(), b"one\ntwo\n");
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
    let refused = [held.create_file("x", b""), held.replace_file("a", b""), held.append("a", 0, b"")];
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
