//! What is planted in a folder neither hangs, nor is followed, nor owns what is written.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

fn pipe(path: &Path) {
    rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

fn counted() -> impl FnMut() -> io::Result<[u8; 8]> {
    let mut next = 0_u64;
    move || {
        next += 1;
        Ok(next.to_be_bytes())
    }
}

fn names(folder: &Path) -> Vec<String> {
    Folder::open(folder).unwrap().names().unwrap().into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn only_ordinary_files_are_read_and_nothing_waits() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    fs::write(path("file"), b"four").unwrap();
    symlink("file", path("link")).unwrap();
    symlink("/dev/zero", path("endless")).unwrap();
    pipe(&path("pipe"));
    rustix::fs::mknodat(CWD, path("socket"), rustix::fs::FileType::Socket, Mode::from_raw_mode(0o600), 0).unwrap();
    fs::create_dir(path("folder")).unwrap();
    symlink("folder", path("folder-link")).unwrap();
    fs::write(path("folder/inner"), b"in").unwrap();
    let folder = Folder::open(temp.path()).unwrap();
    for name in ["link", "endless", "pipe", "socket", "folder", "folder-link/inner", "file/inner", "pipe/inner"] {
        assert!(matches!(folder.read(name, 9), Err(ReadFault::NotAFile)), "{name}: {:?}", folder.read(name, 9));
    }
    assert_eq!(folder.read("file", 4).unwrap(), b"four");
    assert_eq!(folder.read("folder/inner", 4).unwrap(), b"in");
    assert!(matches!(folder.read("file", 3), Err(ReadFault::TooLarge { limit: 3 })));
    assert!(matches!(folder.read("none", 3), Err(ReadFault::Missing)));
    assert!(matches!(folder.read("none/inner", 3), Err(ReadFault::Missing)));
    for name in ["../file", "folder/../file", "", "/etc/passwd", "folder//inner", "."] {
        assert!(folder.read(name, 9).is_err(), "{name}");
    }
    assert_eq!(read_ordinary(&path("link"), 9, Links::Followed).unwrap(), b"four");
    assert!(matches!(read_ordinary(&path("link"), 9, Links::Refused), Err(ReadFault::NotAFile)));
    assert!(matches!(read_ordinary(Path::new("/dev/zero"), 9, Links::Followed), Err(ReadFault::NotAFile)));
    assert!(read_ordinary(Path::new("/proc/self/maps"), 1 << 20, Links::Followed).unwrap().len() > 100);
}

#[test]
fn a_folder_that_was_opened_stays_the_one_that_is_written() {
    let temp = tempfile::tempdir().unwrap();
    let (named, other) = (temp.path().join("named"), temp.path().join("other"));
    fs::create_dir(&named).unwrap();
    fs::create_dir(&other).unwrap();
    let folder = Folder::open(&named).unwrap();
    assert!(folder.is_still(&named));
    fs::rename(&named, temp.path().join("moved")).unwrap();
    symlink("other", &named).unwrap();
    assert!(!folder.is_still(&named));
    folder.create_file("a", 0o600).unwrap();
    assert!(names(&other).is_empty());
    assert_eq!(names(&temp.path().join("moved")), ["a"]);
    assert!(Folder::open(temp.path()).unwrap().below("named").is_err(), "a link below");
}

#[test]
fn what_is_planted_is_never_written_to() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::open(temp.path()).unwrap();
    let victim = temp.path().join("victim");
    fs::write(&victim, b"kept").unwrap();
    symlink("victim", temp.path().join("link")).unwrap();
    symlink("nowhere", temp.path().join("dangling")).unwrap();
    pipe(&temp.path().join("pipe"));
    for name in ["victim", "link", "dangling", "pipe"] {
        assert_eq!(folder.create_file(name, 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{name}");
        let mut made = Temporary::file(&folder, 0o600, counted()).unwrap();
        made.write(b"secret").unwrap();
        assert_eq!(made.give_name(name, Replace::Never).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "{name}");
    }
    let mut made = Temporary::file(&folder, 0o644, counted()).unwrap();
    made.write(b"public").unwrap();
    made.give_name("link", Replace::Whole).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"kept");
    assert_eq!(fs::read(temp.path().join("link")).unwrap(), b"public");
    assert_eq!(fs::symlink_metadata(temp.path().join("link")).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(names(temp.path()), ["dangling", "link", "pipe", "victim"], "nothing is left half done");
}

#[test]
fn a_temporary_that_was_exchanged_is_no_success() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::open(temp.path()).unwrap();
    let mut made = Temporary::file(&folder, 0o600, counted()).unwrap();
    made.write(b"secret").unwrap();
    let [name] = names(temp.path()).try_into().unwrap();
    assert!(is_temporary(&name));
    fs::rename(temp.path().join(&name), temp.path().join("taken")).unwrap();
    fs::write(temp.path().join(&name), b"planted").unwrap();
    assert!(made.give_name("token", Replace::Never).is_err());
    let made = Temporary::folder(&folder, 0o755, counted()).unwrap();
    let name = names(temp.path()).into_iter().find(|name| is_temporary(name)).unwrap();
    fs::rename(temp.path().join(&name), temp.path().join("taken-too")).unwrap();
    fs::create_dir(temp.path().join(&name)).unwrap();
    assert!(made.opened().is_err());
    drop(made);
    assert!(temp.path().join(&name).is_dir(), "another's is left alone");
}

#[test]
fn temporaries_that_nobody_holds_are_swept_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::open(temp.path()).unwrap();
    let path = |name: &str| temp.path().join(name);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), b"x").unwrap();
    let (file, tree) = (".coldsign.00000000000000aa.partial", ".coldsign.00000000000000ab.partial");
    fs::write(path(file), b"x").unwrap();
    fs::create_dir_all(path(tree).join("deep/deeper")).unwrap();
    symlink(outside.path(), path(tree).join("deep/link")).unwrap();
    fs::write(path(tree).join("deep/file"), b"x").unwrap();
    let (linked, piped) = (".coldsign.00000000000000ac.partial", ".coldsign.00000000000000ad.partial");
    symlink(outside.path(), path(linked)).unwrap();
    pipe(&path(piped));
    let others = [".coldsign.mine.partial", ".coldsign.00000000000000AA.partial", ".other.partial", "coldsign.jwt"];
    others.iter().for_each(|name| fs::write(path(name), b"x").unwrap());
    let held = Temporary::file(&folder, 0o600, counted()).unwrap();
    let held_folder = Temporary::folder(&folder, 0o700, || Ok([9; 8])).unwrap();
    folder.sweep_temporaries();
    let mut left = names(temp.path());
    left.retain(|name| !others.contains(&name.as_str()));
    let expected = [".coldsign.0000000000000001.partial", linked, piped, ".coldsign.0909090909090909.partial"];
    assert_eq!(left, expected, "what is held, and what is no file or folder");
    assert_eq!(fs::read(outside.path().join("kept")).unwrap(), b"x");
    drop((held, held_folder));
    assert!(!names(temp.path()).iter().any(|name| name.contains("0000000000000001") || name.contains("0909")));
}

#[test]
fn a_tree_is_removed_to_a_depth_and_without_following() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::open(temp.path()).unwrap();
    let deep: PathBuf = std::iter::repeat_n("d", 300).collect();
    fs::create_dir_all(temp.path().join("tree").join(deep)).unwrap();
    assert!(folder.remove("tree").is_err());
    folder.remove("none").unwrap();
}

#[test]
fn a_lock_that_another_holds_ends_and_a_planted_one_is_none() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::open(temp.path()).unwrap();
    let first = LockFile::take(&folder, "lock").unwrap();
    assert_eq!(fs::metadata(first.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let second = LockFile::take(&folder, "lock").unwrap_err();
    assert!(matches!(&second, LockFault::Held(path) if *path == first.path()), "{second}");
    // A clean-up of old lock files: the next one is another's, and the first knows.
    assert!(first.is_still_ours());
    fs::remove_file(first.path()).unwrap();
    assert!(!first.is_still_ours());
    let second = LockFile::take(&folder, "lock").unwrap();
    assert!(second.is_still_ours() && !first.is_still_ours());
    pipe(&temp.path().join("pipe"));
    symlink("lock", temp.path().join("link")).unwrap();
    fs::create_dir(temp.path().join("folder")).unwrap();
    for planted in ["pipe", "link", "folder"] {
        assert!(matches!(LockFile::take(&folder, planted), Err(LockFault::Foreign(_))), "{planted}");
    }
}

#[test]
fn folders_that_others_may_write_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let real = temp.path().canonicalize().unwrap();
    let folder = real.join("above/folder");
    fs::create_dir_all(&folder).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let found = || -> Vec<(PathBuf, bool)> {
        let inside = |one: &Exposed| one.folder.starts_with(&real);
        exposed(&folder).unwrap().into_iter().filter(inside).map(|one| (one.folder, one.above)).collect()
    };
    mode(&real.join("above"), 0o755);
    mode(&folder, 0o755);
    assert_eq!(found(), []);
    mode(&folder, 0o777);
    mode(&real.join("above"), 0o775);
    assert_eq!(found(), [(real.join("above"), true), (folder.clone(), false)]);
    // Nobody moves what is another's there.
    mode(&real.join("above"), 0o1777);
    mode(&folder, 0o1777);
    assert_eq!(found(), [(folder.clone(), false)]);
    // Over links, every one of them and what each lies in.
    let way = real.join("way");
    fs::create_dir(&way).unwrap();
    symlink("second", way.join("first")).unwrap();
    symlink("../above/folder", way.join("second")).unwrap();
    mode(&way, 0o777);
    mode(&folder, 0o755);
    let names: Vec<PathBuf> = exposed(&way.join("first")).unwrap().into_iter().map(|one| one.folder).collect();
    assert!(names.contains(&way) && !names.contains(&folder), "{names:?}");
    if runs_as_root() {
        mode(&way, 0o1777);
        std::os::unix::fs::lchown(way.join("second"), Some(12_345), None).unwrap();
        let found = exposed(&way.join("first")).unwrap();
        assert!(found.iter().any(|one| one.folder == way.join("second") && one.above && one.owner == 12_345));
    }
}
