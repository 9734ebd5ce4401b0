//! After a whole life of a store, its secrets are nowhere but sealed: not in the store, not in what
//! was handed out, printed, or ever written to any file, and in no argument list.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was tried is a report")]

mod known;
mod memory;

use known::{Secrets, code, dresses, found};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

const PASSPHRASE: &str = "correct horse battery staple";
const SECOND: &str = "seven grey geese in the fog";
const THIRD: &str = "a kettle, a candle, a comet";
const POLICY: &str = include_str!("../scenarios/policy.toml");

/// A folder in which a store lives, and everything that was ever said or written.
struct Life {
    folder: tempfile::TempDir,
    said: BTreeMap<String, Vec<u8>>,
    traced: bool,
}

impl Life {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).status().is_ok_and(|s| s.success());
        if !traced {
            println!("skipped: what is written and deleted again, for nothing can be traced here");
        }
        let life = Self { folder, said: BTreeMap::new(), traced };
        life.write("given/pass", PASSPHRASE);
        life.write("given/wrong", "a passphrase that is wrong");
        life.write("given/policy.toml", POLICY);
        for name in ["out", "tmp", "home"] {
            fs::create_dir(life.folder.path().join(name)).unwrap();
        }
        life
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Runs a command; its streams, and with strace all it executed and wrote, are kept.
    fn act(&mut self, command: &str) -> Output {
        let binary = env!("CARGO_BIN_EXE_coldsign");
        let trace = self.folder.path().join("given/trace");
        let mut run = match self.traced {
            true => {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-y", "-xx", "-v", "-s", "1000000", "-e"]);
                strace.arg("trace=execve,write,writev,pwrite64,pwritev,sendto,sendmsg,symlink,link,openat,rename,renameat,renameat2,linkat");
                strace.arg("-o").arg(&trace).arg(binary);
                strace
            }
            false => Command::new(binary),
        };
        let folder = self.folder.path();
        run.args(command.split(' ')).current_dir(folder).stdin(Stdio::null()).env_clear();
        run.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TMPDIR", folder.join("tmp"));
        run.env("HOME", folder.join("home")).env("TZ", "UTC").env("COLDSIGN_STORE", folder.join("store"));
        let output = run.output().unwrap();
        let turn = self.said.len();
        self.said.insert(format!("{turn} stdout of {command}"), output.stdout.clone());
        self.said.insert(format!("{turn} stderr of {command}"), output.stderr.clone());
        if self.traced {
            let text = fs::read_to_string(&trace).unwrap();
            assert_eq!(text.matches("execve(").count(), 1, "{command} runs something else");
            self.said.insert(format!("{turn} calls of {command}"), written(&text));
            fs::remove_file(trace).unwrap();
        }
        output
    }

    fn done(&mut self, command: &str) {
        let output = self.act(command);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn refused(&mut self, command: &str) {
        let output = self.act(command);
        assert_eq!(output.status.code(), Some(1), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What is secret at this time, by passphrases and the sheet that holds the newest recovery code.
    fn gather(&self, secrets: &mut Secrets, when: &str, sheet: &str, passphrases: &[(&str, &str)]) {
        let named = |sheet: &str, name: &str| {
            let text = self.read(sheet);
            let line = text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
            line.split_whitespace().nth(2).unwrap().to_owned()
        };
        let (recovery, root) = (named(sheet, "recovery code"), named("given/recovery.txt", "root code"));
        code(secrets, &format!("{when} recovery code"), &recovery);
        code(secrets, "root code", &root);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let recovery = recovery.replace('-', "");
        let unlocks = [passphrases, &[("recovery", &recovery)]].concat();
        let mut roots = vec![root];
        roots.extend(fs::read_to_string(self.folder.path().join("given/second-root")));
        known::of_store(secrets, when, &self.folder.path().join("store"), &unlocks, &roots, now);
    }
}

/// The names of the sheets, and those under which they were begun, plain and as a trace in hex has them.
fn sheets(trace: &str) -> Vec<String> {
    let hex = |name: &[u8]| name.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let mut names = vec!["recovery.txt".to_owned(), hex(b"recovery.txt")];
    for line in trace.lines().filter(|line| line.contains("rename") || line.contains("linkat")) {
        if line.contains("recovery.txt") || line.contains(&names[1]) {
            for part in line.split('"').skip(1).step_by(2) {
                let bytes: Vec<u8> =
                    part.split("\\x").skip(1).filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
                let name = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                if name.starts_with(b".coldsign.") {
                    names.extend([String::from_utf8_lossy(name).into_owned(), hex(name)]);
                }
            }
        }
    }
    names
}

/// The bytes that a trace in hex shows as arguments, but for what was to be written: the sheets.
fn written(trace: &str) -> Vec<u8> {
    let names = sheets(trace);
    let mut bytes = Vec::new();
    for line in trace.lines() {
        let call = line.split('(').next().unwrap_or_default();
        if call.contains("write") && names.iter().any(|name| line.contains(name)) {
            continue;
        }
        for quoted in line.split('"').skip(1).step_by(2) {
            let hex = quoted.split("\\x").skip(1).filter_map(|byte| u8::from_str_radix(byte, 16).ok());
            bytes.extend(hex);
            bytes.push(0);
        }
    }
    bytes
}

#[test]
fn after_a_whole_life_no_secret_is_anywhere() {
    let mut life = Life::begin();
    let mut secrets = Secrets::from([("passphrase".to_owned(), PASSPHRASE.as_bytes().to_vec())]);
    life.done(
        "--passphrase-file given/pass init --issuer https://tokens.example --policy given/policy.toml \
         --recovery-sheet given/recovery.txt --kdf-log-n 10"
            .trim(),
    );
    let p = "--passphrase-file given/pass";
    for act in ["publish --to out", "key generate default", "key generate study", "--json publish --to out"] {
        life.done(&format!("{p} {act}"));
    }
    for grant in ["api/reader", "flowkit/analyst", "study/client", "registry/pull"] {
        for form in ["raw", "header", "dotenv", "client.yaml"] {
            if form == "client.yaml" && !grant.starts_with("study") {
                continue;
            }
            let subject = format!("{form}-holder").replace('.', "-");
            life.done(&format!("{p} token issue {grant} {subject} --form {form} --to out"));
        }
    }
    life.done(&format!("{p} token issue api/reader ann --to -"));
    life.done(&format!("{p} --json token issue api/reader bob --to out"));
    life.gather(&mut secrets, "first", "given/recovery.txt", &[("admin", PASSPHRASE)]);

    // A key from outside, with a secret that we know.
    let imported = std::process::Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]).output();
    if let Ok(key) = imported {
        life.write("given/key.pem", std::str::from_utf8(&key.stdout).unwrap());
        known::private_key(&mut secrets, "imported", std::str::from_utf8(&key.stdout).unwrap());
        life.done(&format!("{p} key import default given/key.pem --no-tokens"));
    }
    life.refused("--passphrase-file given/wrong token issue api/reader cy --to out");
    life.refused(&format!("{p} token issue api/reader cy --lifetime 99d --to out"));
    life.refused("--unlock recovery --passphrase-file given/wrong key generate default");
    let sheet = life.read("given/recovery.txt");
    let recovery = sheet.lines().find_map(|line| line.strip_prefix("recovery code   ")).unwrap();
    life.write("given/code", recovery);
    life.done("--unlock recovery --passphrase-file given/code key generate default");
    for act in ["key suspend registry/1", "key resume registry/1", "publish --to out", "key destroy default/2 --yes"] {
        life.done(&format!("{p} {act}"));
    }
    // Everybody who opens it anew.
    for (file, text) in [("second", SECOND), ("third", THIRD)] {
        life.write(&format!("given/{file}"), text);
        secrets.insert(format!("{file} passphrase"), text.as_bytes().to_vec());
    }
    life.done(&format!("{p} unlock add berta --new-passphrase-file given/second"));
    life.done(&format!("{p} unlock change recovery --recovery-sheet given/new-recovery.txt"));
    life.done("--passphrase-file given/second unlock test berta");
    life.done("--unlock berta --passphrase-file given/second unlock change admin --new-passphrase-file given/third");
    life.refused(&format!("{p} key generate default"));
    // Root ceremonies: a second custodian, another bundle key, and slips in between.
    let sheet = life.read("given/recovery.txt");
    life.write("given/root", sheet.lines().find_map(|line| line.strip_prefix("root code       ")).unwrap());
    let (p, by) = ("--passphrase-file given/third", "--by root/1 --root-code-file given/root");
    life.refused(&format!("{p} root rotate --root-code-file given/code"));
    life.done(&format!("{p} root add-key --threshold 2 --sheet given/second-recovery.txt {by}"));
    life.done(&format!("{p} root rotate --bundle-key {by}"));
    let sheet = life.read("given/second-recovery.txt");
    let second = sheet.lines().find_map(|line| line.strip_prefix("root code       ")).unwrap();
    code(&mut secrets, "second root code", second);
    life.write("given/second-root", second);
    let shown = life.act(&format!("{p} --json root show"));
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let draft = shown["waiting"]["draft"].as_str().unwrap();
    life.refused(&format!("{p} root sign --by root/2 --root-code-file given/root --draft {draft}"));
    life.done(&format!("{p} root sign --by root/2 --root-code-file given/second-root --draft {draft}"));
    life.done(&format!("{p} unlock test admin --root-code-file given/second-root"));
    for act in ["root show", "publish --to out"] {
        life.done(&format!("{p} {act}"));
    }
    for act in
        ["unlock list", "status", "key list --all", "key show default/1", "token list", "--json status", "policy show"]
    {
        life.done(act);
    }
    life.gather(&mut secrets, "later", "given/new-recovery.txt", &[("admin", THIRD), ("berta", SECOND)]);
    assert!(secrets.len() > 40, "{:?}", secrets.keys());

    let mut offences = Vec::new();
    let mut searched = 0;
    for file in files(life.folder.path()) {
        let name = file.strip_prefix(life.folder.path()).unwrap().display().to_string();
        if name.starts_with("given/") {
            continue;
        }
        searched += 1;
        let bytes = [name.as_bytes(), b"\n", &fs::read(&file).unwrap()].concat();
        offences.extend(found(&secrets, &bytes).into_iter().map(|what| format!("{name}: {what}")));
    }
    for (name, bytes) in &life.said {
        searched += 1;
        offences.extend(found(&secrets, bytes).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(files(&life.folder.path().join("tmp")).is_empty(), "something lies in the temporary folder");
    assert!(files(&life.folder.path().join("home")).is_empty(), "something lies in the home folder");
    println!("{} secrets looked for in {searched} places", secrets.len());
    assert!(offences.is_empty(), "{offences:#?}");

    // The search can find: what was handed in does hold them.
    let given = |name: &str| found(&secrets, life.read(name).as_bytes());
    assert!(given("given/pass").contains("passphrase (raw)"));
    assert!(given("given/recovery.txt").iter().any(|what| what.starts_with("root code")));
    if life.folder.path().join("given/key.pem").exists() {
        let seen = given("given/key.pem");
        assert!(seen.contains("imported PKCS#8 (base64)"), "{seen:?}");
        assert!(seen.contains("imported number 0 (base64)"), "{seen:?}");
    }
}

#[test]
fn a_secret_is_found_in_every_dress() {
    let secret: Vec<u8> = (0_u8..32).map(|at| at.wrapping_mul(37).wrapping_add(11)).collect();
    let secrets = Secrets::from([("it".to_owned(), secret.clone())]);
    use base64::Engine;
    let standard = base64::engine::general_purpose::STANDARD;
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    for before in 0..5 {
        let around = [&[7; 5][..before], &secret, &[9; 4]].concat();
        for text in [standard.encode(&around), url.encode(&around)] {
            let folded = format!("{}\n{}", &text[..20], &text[20..]);
            assert!(!found(&secrets, folded.as_bytes()).is_empty(), "{before}: {text}");
        }
    }
    for (dress, bytes) in dresses(&secret) {
        assert!(found(&secrets, &bytes).iter().any(|what| what.contains(dress)), "{dress}");
    }
    assert!(found(&secrets, &[0; 1_000]).is_empty());
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
