//! A machine with a gate, a stick, and a signer whose keys everybody knows.
#![allow(dead_code, reason = "each test crate uses its own part")]

use coldsign_verify::bundle::{self, Contents, Key, Service};
use coldsign_verify::jws::{self, Sign, SignFailure};
use coldsign_verify::revocation::Revocations;
use coldsign_verify::root::{self, Terms};
use coldsign_verify::{Algorithm, Digest, Profile, PublicKey, UnixTime};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

pub const ISSUER: &str = "https://tokens.example.org";
pub const AUDIENCE: &str = "https://api.example.org";
pub const DAY: u64 = 86_400;

pub struct Signer {
    key: SigningKey,
    pub public: PublicKey,
    kid: String,
}

impl Signer {
    pub fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::ed25519(Algorithm::EdDsa, key.verifying_key().as_bytes()).unwrap();
        Self { kid: public.thumbprint(), key, public }
    }
}

impl Sign for Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }
    fn kid(&self) -> &str {
        &self.kid
    }
    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        Ok(self.key.sign(signing_input).to_bytes().to_vec())
    }
}

pub fn now() -> u64 {
    UnixTime::try_from(SystemTime::now()).unwrap().0
}

/// The root of the one custodian.
pub fn root(number: u64, bundle_seed: u8) -> Vec<u8> {
    let terms = Terms {
        store: "store".into(),
        issuer: ISSUER.into(),
        root_version: number,
        issued_at: UnixTime(now() - DAY),
        expires_at: UnixTime(now() + 400 * DAY),
        root_keys: vec![Signer::new(1).public],
        threshold: 1,
        bundle_keys: vec![Signer::new(bundle_seed).public],
    };
    root::sign(&terms, &[&Signer::new(1)]).unwrap().into_bytes()
}

/// Contents of publication `seq`.
pub fn contents(seq: u64) -> Contents {
    let api = Service {
        profile: Profile::Rfc9068,
        audience: Some(AUDIENCE.into()),
        leeway_seconds: 0,
        longest_validity_seconds: DAY,
        claims: BTreeMap::new(),
    };
    let fed = Service { profile: Profile::Fedn, audience: None, ..api.clone() };
    let key = Signer::new(7);
    Contents {
        issuer: ISSUER.into(),
        store: "store".into(),
        seq,
        previous: (seq > 1).then(|| Digest::of(b"another")),
        root_version: 1,
        issued_at: UnixTime(now() - 60),
        expires_at: UnixTime(now() + 100 * DAY),
        skew_seconds: 60,
        services: BTreeMap::from([("api".into(), api), ("fed".into(), fed)]),
        keys: vec![Key {
            kid: key.kid.clone(),
            key: key.public.clone(),
            services: BTreeSet::from(["api".into(), "fed".into()]),
        }],
        revoked: Revocations::default(),
        files: BTreeMap::new(),
        checkpoint: "a note".into(),
    }
}

pub fn token(jti: &str) -> String {
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ward7", "client_id": "ward7", "jti": jti,
        "iat": now() - 10, "exp": now() + 3_600,
    });
    jws::assemble(&Signer::new(7), "at+jwt", claims.to_string().as_bytes()).unwrap()
}

pub struct Machine {
    temp: tempfile::TempDir,
    pub root: Vec<u8>,
}

/// How the gate ended.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn done(self) -> Self {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    /// Refused by this rule, with nothing on stdout.
    pub fn refused(self, rule: &str) -> Self {
        assert!(self.status == 1 && self.err.contains(&format!("[{rule}]")) && self.out.is_empty(), "{rule}: {self:?}");
        self
    }

    pub fn object(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Machine {
    pub fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap(), root: root(1, 2) }
    }

    pub fn pinned() -> Self {
        let machine = Self::new();
        machine.bring(&contents(1));
        let print = Digest::of(&machine.root).to_string();
        machine.gate(&["pin", &machine.at("stick/root.1.json"), "--name", "api-1", "--fingerprint", &print]).done();
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    pub fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Puts a publication on the emptied stick, files for both services with it; its bundle.
    pub fn bring(&self, contents: &Contents) -> String {
        let stick = self.path("stick");
        let _ = std::fs::remove_dir_all(&stick);
        let mut files = BTreeMap::from([
            ("for-api/jwks.json".to_owned(), format!("{{\"seq\": {}}}\n", contents.seq).into_bytes()),
            ("for-api/service.json".to_owned(), format!("{{\"of\": {}}}\n", contents.seq).into_bytes()),
            (format!("for-api/key-{}.pem", contents.seq), b"pem\n".to_vec()),
            ("for-fed/fedn.env".to_owned(), b"A=1\n".to_vec()),
            ("root.1.json".to_owned(), self.root.clone()),
        ]);
        let listed = files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect();
        let bundle = bundle::sign(&Contents { files: listed, ..contents.clone() }, &Signer::new(2)).unwrap();
        files.insert(bundle::FILE_NAME.to_owned(), bundle.clone().into_bytes());
        for (path, bytes) in files {
            let place = stick.join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, bytes).unwrap();
        }
        bundle
    }

    pub fn gate(&self, arguments: &[&str]) -> Ran {
        self.gate_with(arguments, "")
    }

    pub fn gate_with(&self, arguments: &[&str], input: &str) -> Ran {
        ran(self.command(Path::new(env!("CARGO_BIN_EXE_coldsign-gate"))).args(arguments), input)
    }

    /// A program in this machine's environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("COLDSIGN_TRUST", self.path("trust")).current_dir(self.temp.path());
        command
    }

    /// A line of the shell, in which `$GATE` is the gate.
    pub fn shell(&self, line: &str) -> Ran {
        let mut shell = self.command(Path::new("/bin/sh"));
        ran(shell.env("GATE", env!("CARGO_BIN_EXE_coldsign-gate")).args(["-c", line]), "")
    }

    pub fn exported(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("export").join(name)).unwrap_or_default()
    }
}

pub fn ran(command: &mut Command, input: &str) -> Ran {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A program that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
