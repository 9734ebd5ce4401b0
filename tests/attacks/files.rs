//! Files that are no files, have no end, or have a name that means more: every option that reads one
//! refuses by name, in bounded time and memory ([`Place::run`] keeps both bounds).

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use coldsign::issuing::flowkit;
use coldsign::journal::{hex, sha256};
use coldsign_verify::base64url;
use serde_json::{Value, json};

use crate::place::{PASSPHRASE, POLICY, Place};

/// An option that reads a file: the command line around it, and what a good file holds.
struct Reader {
    name: &'static str,
    before: Vec<&'static str>,
    after: Vec<&'static str>,
    good: Vec<u8>,
}

const DETAILS: &str = r#"
[keysets.rich]
algorithm = "EdDSA"

[services.rich]
keyset = "rich"
audience = "https://rich.example"

[services.rich.roles.reader]
details = [{ type = "result", identifier = { from = "request" } }]
"#;

fn readers(made: &Place) -> Vec<Reader> {
    let token = made.done(&["token", "issue", "api/reader", "ann", "--to", "-"]);
    fs::write(made.path("good.jwt"), &token).unwrap();
    made.done(&["publish", "--to", "out"]);
    let jwks = fs::read(made.path("out/coldsign-publication-000001/for-api/jwks.json")).unwrap();
    let key = {
        use coldsign::keystore::{RsaBits, SecretKey};
        SecretKey::generate(coldsign_verify::Algorithm::EdDsa, RsaBits::Two).unwrap()
    };
    let pem = key.expose_pkcs8_pem().unwrap().as_bytes().to_vec();
    let reader = |name, before: &[&'static str], after: &[&'static str], good: &[u8]| Reader {
        name,
        before: before.to_vec(),
        after: after.to_vec(),
        good: good.to_vec(),
    };
    let like_api = ["--issuer", "https://tokens.example", "--audience", "https://api.example"];
    vec![
        reader("policy check", &["policy", "check"], &[], POLICY.as_bytes()),
        reader("token inspect", &["token", "inspect"], &[], token.as_bytes()),
        reader("token verify", &["token", "verify"], &["--service", "api"], token.as_bytes()),
        reader("token verify --jwks", &["token", "verify", "good.jwt", "--jwks"], &like_api, &jwks),
        reader("key import", &["key", "import", "default"], &["--no-tokens"], &pem),
        reader("--passphrase-file", &["--passphrase-file"], &["key", "generate", "default"], PASSPHRASE.as_bytes()),
        reader(
            "token issue --detail",
            &["token", "issue", "rich/reader", "ann", "--dry-run", "--detail"],
            &[],
            json!([{"type": "result", "identifier": "1"}]).to_string().as_bytes(),
        ),
        reader("unlock add", &["unlock", "add", "anna", "--new-passphrase-file"], &[], b"another long passphrase"),
        reader("unlock test --root", &["unlock", "test", "admin", "--root-code-file"], &[], &root_code(made)),
        reader(
            "init --policy",
            &["--store", "other", "init", "--issuer", "https://t.example", "--kdf-log-n", "10", "--policy"],
            &["--recovery-sheet", "other-sheet"],
            POLICY.as_bytes(),
        ),
    ]
}

impl Reader {
    fn with(&self, file: impl AsRef<Path>) -> Vec<OsString> {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        [words(&self.before), vec![file.as_ref().into()], words(&self.after)].concat()
    }
}

fn a_store() -> Place {
    let made = Place::empty();
    fs::write(made.path("policy.toml"), format!("{POLICY}{DETAILS}")).unwrap();
    made.done(&[
        "init",
        "--issuer",
        "https://tokens.example",
        "--policy",
        "policy.toml",
        "--recovery-sheet",
        "sheet",
        "--kdf-log-n",
        "10",
    ]);
    made
}

/// The root code, from the recovery sheet.
fn root_code(made: &Place) -> Vec<u8> {
    let sheet = fs::read_to_string(made.path("sheet")).unwrap();
    sheet.lines().find_map(|line| line.strip_prefix("root code")).unwrap().trim().as_bytes().to_vec()
}

/// What is no ordinary file, or one without an end; and the words that refuse it.
fn strange(made: &Place) -> Vec<(PathBuf, &'static str)> {
    let at = |name: &str| made.path(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
    symlink(at("pipe"), at("to-pipe")).unwrap();
    symlink("/dev/zero", at("to-device")).unwrap();
    symlink("round", at("round")).unwrap();
    symlink(at("out"), at("to-folder")).unwrap();
    File::create(at("endless")).unwrap().set_len(1 << 40).unwrap();
    symlink(at("endless"), at("to-endless")).unwrap();
    let no_file = "is not an ordinary file";
    vec![
        (at("pipe"), no_file),
        (at("to-pipe"), no_file),
        ("/dev/zero".into(), no_file),
        ("/dev/random".into(), no_file),
        (at("to-device"), no_file),
        (at("out"), no_file),
        (at("to-folder"), no_file),
        ("../".into(), no_file),
        (at("round"), "could not be read"),
        (at("endless"), "is larger than"),
        (at("to-endless"), "is larger than"),
        (at("nothing"), "is not there"),
    ]
}

#[test]
fn every_reader_takes_a_good_file_under_any_name_and_refuses_what_is_none() {
    let made = a_store();
    let strange = strange(&made);
    for reader in readers(&made) {
        for (file, words) in &strange {
            let told = made.refused(&reader.with(file));
            assert!(told.contains(words), "{} {}: {told}", reader.name, file.display());
            assert!(!made.path("other").exists() && !made.path("other-sheet").exists(), "{}", reader.name);
        }
        // The twin: a good file, however it is called, also behind a link.
        fs::create_dir_all(made.path("sub")).unwrap();
        let good = ["plain", "sub/../dotted", "with\nnewline", "-dash", "\u{202e}turned"];
        for (turn, name) in good.iter().chain(["linked"].iter()).enumerate() {
            let file = made.path(name);
            if *name == "linked" {
                symlink(made.path("plain"), &file).unwrap();
            } else {
                fs::write(&file, &reader.good).unwrap();
            }
            // A private key can be taken in, an unlock be added and a store be made once only.
            if turn == 0 || !matches!(reader.name, "key import" | "unlock add" | "init --policy") {
                made.done(&reader.with(&file));
            }
        }
        fs::remove_file(made.path("linked")).unwrap();
        for left in ["other", "other-sheet"] {
            let left = made.path(left);
            let _ = fs::remove_dir_all(&left).or_else(|_| fs::remove_file(&left));
        }
    }
}

#[test]
fn standard_input_without_an_end() {
    let made = a_store();
    made.done(&["token", "issue", "api/reader", "ann", "--to", "out"]);
    let zeros = || Stdio::from(File::open("/dev/zero").unwrap());
    for arguments in [
        &["token", "inspect"][..],
        &["token", "inspect", "-"],
        &["token", "verify", "--service", "api"],
        &["--passphrase-file", "-", "key", "generate", "default"],
    ] {
        let output = made.run_on(zeros(), arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("standard input is larger than"), "{arguments:?}: {told}");
    }
    let token = || Stdio::from(File::open(made.path("out/api-ann.header")).unwrap());
    assert!(made.run_on(token(), &["token", "verify", "--service", "api"]).status.success());
    let pass = Stdio::from(File::open(made.path("pass")).unwrap());
    assert!(made.run_on(pass, &["--passphrase-file", "-", "key", "generate", "default"]).status.success());
}

#[test]
fn published_folders_that_are_traps() {
    let made = a_store();
    made.done(&["token", "issue", "api/reader", "ann", "--to", "out", "--form", "raw"]);
    made.done(&["publish", "--to", "out"]);
    let whole = made.path("out/coldsign-publication-000001");
    let verify = |folder: &Path| {
        let verify = ["token", "verify", "out/api-ann.jwt", "--published"].map(OsString::from);
        [&verify[..], &[folder.into()]].concat()
    };
    let folder = whole.join("for-api");
    made.done(&verify(&folder));
    let sheet = folder.join("service.json");
    let good = fs::read(&sheet).unwrap();
    let traps: [(&str, &dyn Fn()); 4] = [
        ("is not an ordinary file", &|| {
            rustix::fs::mkfifoat(rustix::fs::CWD, &sheet, rustix::fs::Mode::RWXU).unwrap();
        }),
        ("is not an ordinary file", &|| symlink("/dev/zero", &sheet).unwrap()),
        ("is not an ordinary file", &|| fs::create_dir_all(sheet.join("deep")).unwrap()),
        ("is larger than", &|| File::create(&sheet).unwrap().set_len(1 << 40).unwrap()),
    ];
    for alone in [false, true] {
        // With SHA256SUMS beside it the whole publication is read; without, the folder alone.
        if alone {
            fs::remove_file(whole.join("SHA256SUMS")).unwrap();
        }
        for (words, lay) in &traps {
            fs::remove_file(&sheet).unwrap();
            lay();
            let told = made.refused(&verify(&folder));
            assert!(told.contains(words) || told.contains("PUBLICATION-CHANGED"), "{told}");
            let told = made.refused(&["publication", "check", "out/coldsign-publication-000001"].map(OsString::from));
            assert!(["-CHANGED]", "-INCOMPLETE]"].iter().any(|rule| told.contains(rule)), "{told}");
            let _ = fs::remove_file(&sheet).or_else(|_| fs::remove_dir_all(&sheet));
            fs::write(&sheet, &good).unwrap();
        }
        made.done(&verify(&folder));
    }
}

#[test]
fn a_published_folder_of_any_number_of_files_fits_into_memory() {
    let made = a_store();
    made.done(&["token", "issue", "api/reader", "ann", "--to", "out", "--form", "raw"]);
    made.done(&["publish", "--to", "out"]);
    let whole = made.path("out/coldsign-publication-000001");
    let verify = ["token", "verify", "out/api-ann.jwt", "--published", "out/coldsign-publication-000001/for-api"];
    made.done(&verify);
    for number in 0..1_000 {
        File::create(whole.join(format!("for-api/{number}"))).unwrap().set_len(1 << 20).unwrap();
    }
    assert!(made.refused(&verify).contains("is larger than"));
    // Copying it out once more onto such a stick holds it against the same bound.
    assert!(made.refused(&["publication", "copy", "--to", "out"]).contains("is there already"));
}

#[test]
fn compressed_claims_that_have_no_end() {
    let made = a_store();
    let token = |claims: &Value| {
        let claims = json!({"sub": "ann", "user_claims": flowkit::compress(claims)});
        let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
        let token = format!("{}.{}.AA", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
        fs::write(made.path("token"), token).unwrap();
        made.done(&["token", "inspect", "token"])
    };
    assert!(token(&json!({"analyst": ["run"]})).contains("user_claims hold {\"analyst\":[\"run\"]}"));
    assert!(token(&json!("0".repeat(64 << 20))).contains("unpacks to more than 1048576 bytes"));
}

#[test]
fn names_lead_out_of_no_folder() {
    let made = a_store();
    made.done(&["publish", "--to", "out"]);
    for (number, subject) in
        ["../../evil", "/etc/evil", "..", ".", "a/../../b", "C:\\evil", "con", "-rf"].iter().enumerate()
    {
        let to = format!("to{number}");
        made.done(&["token", "issue", "api/reader", "--to", &to, "--", subject]);
        let files: Vec<_> = fs::read_dir(made.path(&to)).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files.len(), 1, "{subject}: {files:?}");
        let name = files[0].to_str().unwrap();
        assert!(name.starts_with("api-") && !name.contains(['/', '\\']), "{name}");
    }
    assert!(!made.path("../evil").exists() && !Path::new("/etc/evil.header").exists());
    // A link laid where the file would go is not followed.
    fs::create_dir(made.path("trap")).unwrap();
    symlink(made.path("caught"), made.path("trap/api-bob.header")).unwrap();
    assert!(made.refused(&["token", "issue", "api/reader", "bob", "--to", "trap"]).contains("is there already"));
    assert!(!made.path("caught").exists());
}

#[test]
fn a_policy_that_changes_while_it_is_applied_is_taken_whole_or_not_at_all() {
    let made = a_store();
    let text = |turn: usize| format!("{POLICY}{DETAILS}# {}\n", "x".repeat(turn % 2 * 100_000));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                fs::write(made.path("next"), text(turn)).unwrap();
                fs::rename(made.path("next"), made.path("store/policy.toml")).unwrap();
            }
        });
        for turn in 0..15 {
            // Whatever comes between, no other text than the one that was named is applied.
            let named = hex(&sha256(text(turn).as_bytes()));
            let ended = made.run(&["policy", "apply", "--sha256", &named]);
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success() || said.contains("[POLICY-OTHER]"), "{said}");
        }
        done.store(true, Ordering::Relaxed);
    });
    let kept = fs::read_dir(made.path("store/policies")).unwrap();
    for file in kept.map(|file| file.unwrap().path()) {
        let digest = hex(&sha256(&fs::read(&file).unwrap()));
        assert_eq!(file.file_stem().unwrap().to_str(), Some(digest.as_str()));
    }
    let named = hex(&sha256(&fs::read(made.path("store/policy.toml")).unwrap()));
    made.done(&["policy", "apply", "--sha256", &named]);
    made.done(&["status"]);
}
