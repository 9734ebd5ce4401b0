//! Exports, also with the plug pulled between any two steps.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

type Files = BTreeMap<String, Vec<u8>>;

fn files(of: &[(&str, &str)]) -> Files {
    of.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn export(to: &Path, files: &Files) -> Result<bool, &'static str> {
    let staged = Export::open(to).and_then(|export| export.stage(files.clone()));
    staged.and_then(|staged| staged.switch()).map_err(|refusal| refusal.rule.unwrap_or("none"))
}

/// What a service sees: every name that is not the gate's own, through its link.
fn seen(to: &Path) -> Files {
    let mut found = Files::new();
    for entry in fs::read_dir(to).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let place = to.join(&name);
        if name.starts_with("..") {
            continue;
        }
        if place.is_dir() {
            for (path, bytes) in seen(&place) {
                found.insert(format!("{name}/{path}"), bytes);
            }
        } else {
            found.insert(name, fs::read(&place).unwrap_or_else(|_| b"dangling".to_vec()));
        }
    }
    found
}

/// How many numbered folders there are.
fn numbers(of: &Path) -> usize {
    let names = Folder::open(of).unwrap().names().unwrap();
    names.iter().filter(|name| number(&name.to_string_lossy()).is_some()).count()
}

#[test]
fn all_files_change_at_once_and_the_directory_stays() {
    let temp = tempfile::tempdir().unwrap();
    let to = temp.path().join("keys");
    let old = files(&[("jwks.json", "1"), ("key-a.pem", "a")]);
    assert_eq!(export(&to, &old), Ok(true));
    assert_eq!(seen(&to), old);
    assert_eq!(export(&to, &old), Ok(false), "the same again changes nothing");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&to.join("jwks.json")), mode(&to.join("..data"))), (0o644, 0o755));

    let new = files(&[("jwks.json", "2"), ("key-b.pem", "b"), ("for-api/jwks.json", "3")]);
    assert_eq!(export(&to, &new), Ok(true));
    assert_eq!(seen(&to), new);
    assert_eq!(export(&to, &old), Ok(true));
    assert_eq!(seen(&to), old);
    let folders = || fs::read_dir(&to).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count();
    // The one in use, its link, the one before.
    assert_eq!(folders(), 3);
}

#[test]
fn a_changed_export_is_put_right() {
    let temp = tempfile::tempdir().unwrap();
    let wanted = files(&[("jwks.json", "1")]);
    assert_eq!(export(temp.path(), &wanted), Ok(true));
    fs::write(temp.path().join("jwks.json"), "forged").unwrap();
    assert_eq!(export(temp.path(), &wanted), Ok(true));
    fs::write(temp.path().join("..data/more"), "x").unwrap();
    assert_eq!(export(temp.path(), &wanted), Ok(true));
    assert_eq!(seen(temp.path()), wanted);
}

#[test]
fn what_is_not_the_gates_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("notes.txt"), "mine").unwrap();
    fs::write(temp.path().join("jwks.json"), "mine").unwrap();
    let wanted = files(&[("jwks.json", "1"), ("a", "2")]);
    assert_eq!(export(temp.path(), &wanted), Err("EXPORT-IN-THE-WAY"));
    assert_eq!(seen(temp.path()), files(&[("notes.txt", "mine"), ("jwks.json", "mine")]));
    fs::remove_file(temp.path().join("jwks.json")).unwrap();
    symlink("notes.txt", temp.path().join("jwks.json")).unwrap();
    assert_eq!(export(temp.path(), &wanted), Err("EXPORT-IN-THE-WAY"), "another's link");
    fs::remove_file(temp.path().join("jwks.json")).unwrap();
    assert_eq!(export(temp.path(), &wanted), Ok(true));
    assert_eq!(seen(temp.path()), files(&[("notes.txt", "mine"), ("jwks.json", "1"), ("a", "2")]));
    fs::write(temp.path().join("file"), "").unwrap();
    assert_eq!(export(&temp.path().join("file"), &wanted), Err("EXPORT-SYSTEM"));
}

#[test]
fn the_folder_that_was_in_use_stays_for_readers_on_their_way_into_it() {
    let of = |text: &str| files(&[("jwks.json", text)]);
    for steps in 0.. {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(export(temp.path(), &of("1")), Ok(true));
        assert_eq!(export(temp.path(), &of("2")), Ok(true));
        STEPS_LEFT.set(steps);
        let stopped = export(temp.path(), &of("3")).is_err();
        STEPS_LEFT.set(usize::MAX);
        let before = fs::read_link(temp.path().join(DATA)).unwrap();
        let switched = export(temp.path(), &of("3")).unwrap();
        assert_eq!(seen(temp.path()), of("3"), "step {steps}");
        let kept = if switched { before } else { PathBuf::from("..export-000002") };
        assert_eq!(fs::read(temp.path().join(kept).join("jwks.json")).unwrap(), b"2", "step {steps}");
        // What never came into use goes with the next switch.
        assert_eq!(export(temp.path(), &of("4")), Ok(true));
        assert_eq!(numbers(temp.path()), 2, "step {steps}");
        if !stopped {
            break;
        }
    }
}

/// What is planted in an export folder by somebody who may write there.
#[test]
fn nothing_planted_is_followed() {
    let outside = tempfile::tempdir().unwrap();
    let kept = outside.path().join("kept");
    fs::write(&kept, "kept").unwrap();
    let untouched = |what: &str| {
        assert_eq!(fs::read_to_string(&kept).unwrap(), "kept", "{what}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{what}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(outside.path()), mode(&kept)), (0o700, 0o600), "{what}");
    };
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let wanted = files(&[("jwks.json", "2"), ("for-api/jwks.json", "3")]);
    for name in ["..partial", "..data", "..data.partial", "..export-000001", "..export-000002", "..lock"] {
        for target in [outside.path(), kept.as_path()] {
            let temp = tempfile::tempdir().unwrap();
            symlink(target, temp.path().join(name)).unwrap();
            let done = export(temp.path(), &wanted);
            untouched(name);
            if name == "..lock" {
                assert_eq!(done, Err("EXPORT-LOCK"));
            } else if done.is_ok() {
                assert_eq!(seen(temp.path()), wanted, "{name}");
            }
        }
    }
    // In use by what its link says: what lies in another's folder is not what is in use here.
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("keys")).unwrap();
    fs::write(outside.path().join("keys/jwks.json"), "1").unwrap();
    symlink(outside.path().join("keys"), temp.path().join("..data")).unwrap();
    assert_eq!(export(temp.path(), &files(&[("jwks.json", "1")])), Ok(true));
    assert_eq!(fs::read_link(temp.path().join("..data")).unwrap(), Path::new("..export-000001"));
}

#[test]
fn a_folder_that_was_exchanged_between_two_calls_gets_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let (keys, moved) = (temp.path().join("keys"), temp.path().join("moved"));
    let other = temp.path().join("other");
    fs::create_dir(&other).unwrap();
    assert_eq!(export(&keys, &files(&[("jwks.json", "1")])), Ok(true));
    let away = || {
        fs::rename(&keys, &moved).unwrap();
        symlink("other", &keys).unwrap();
    };
    let back = || {
        fs::remove_file(&keys).unwrap();
        fs::rename(&moved, &keys).unwrap();
    };
    let new = || files(&[("jwks.json", "2")]);
    let opened = Export::open(&keys).unwrap();
    away();
    assert_eq!(opened.stage(new()).err().and_then(|refusal| refusal.rule), Some("EXPORT-EXCHANGED"));
    back();
    let staged = Export::open(&keys).unwrap().stage(new()).unwrap();
    away();
    assert_eq!(staged.switch().unwrap_err().rule, Some("EXPORT-EXCHANGED"));
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(moved.join("jwks.json")).unwrap(), "1");
    back();
    drop(staged);
    // A clean-up that takes away the lock: another process may be at it now.
    let staged = Export::open(&keys).unwrap().stage(new()).unwrap();
    fs::remove_file(keys.join("..lock")).unwrap();
    assert_eq!(export(&keys, &files(&[("jwks.json", "3")])), Ok(true));
    assert_eq!(staged.switch().unwrap_err().rule, Some("EXPORT-EXCHANGED"));
    assert_eq!(seen(&keys), files(&[("jwks.json", "3")]));
}

#[test]
fn numbers_end_without_a_panic_and_before_anything_changes() {
    let temp = tempfile::tempdir().unwrap();
    assert_eq!(export(temp.path(), &files(&[("jwks.json", "1")])), Ok(true));
    fs::create_dir(temp.path().join(format!("{FOLDER}{}", u64::MAX))).unwrap();
    let staged = Export::open(temp.path()).and_then(|export| export.stage(files(&[("jwks.json", "2")])));
    let refusal = staged.err().unwrap();
    assert_eq!(refusal.rule, Some("EXPORT-SYSTEM"));
    assert!(refusal.fact.ends_with("no number comes after ..export-18446744073709551615"), "{}", refusal.fact);
}

#[test]
fn the_plug_may_be_pulled_at_any_step() {
    let old = files(&[("jwks.json", "1"), ("key-a.pem", "a"), ("same", "s")]);
    let new = files(&[("jwks.json", "2"), ("key-b.pem", "b"), ("same", "s")]);
    for steps in 0.. {
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(export(temp.path(), &old), Ok(true));
        STEPS_LEFT.set(steps);
        let result = export(temp.path(), &new);
        STEPS_LEFT.set(usize::MAX);
        let found = seen(temp.path());
        // All of one publication or of the other; a name that only the other has leads nowhere.
        let one = if found["jwks.json"] == b"1" { &old } else { &new };
        for (name, bytes) in one {
            assert_eq!(found.get(name), Some(bytes), "step {steps}: {name}");
        }
        for (name, bytes) in found.iter().filter(|(name, _)| !one.contains_key(*name)) {
            assert_eq!(bytes, b"dangling", "step {steps}: {name}");
        }
        assert!(export(temp.path(), &new).is_ok(), "step {steps}");
        assert_eq!(seen(temp.path()), new, "step {steps}");
        let partials = fs::read_dir(temp.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name() == "..partial");
        assert_eq!(partials.count(), 0);
        if result.is_ok() {
            assert!(steps > 15, "only {steps} steps were stopped at");
            break;
        }
    }
}
