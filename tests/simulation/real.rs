//! The same schedule over real bytes: bundles and tokens that are signed, sticks that are folders,
//! and gates that are trust stores on a disk. What the model says of a gate, these must say too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use coldsign_verify::bundle::{self, Contents, Key};
use coldsign_verify::jws::{self, Sign, SignFailure};
use coldsign_verify::revocation::Revocations;
use coldsign_verify::root::{self, Terms};
use coldsign_verify::trust::{Publication as Stick, TrustStore};
use coldsign_verify::{Algorithm, Digest, Profile, PublicKey, UnixTime, Verifier, bundle::Service as Expected};
use ed25519_dalek::{Signer, SigningKey};

use crate::service::{Publication, Token, Told};

const ISSUER: &str = "https://simulated.example";

/// A key of the simulated signer, the same for the same name.
struct Seeded {
    kid: String,
    key: SigningKey,
}

impl Seeded {
    fn named(name: &str) -> Self {
        let key = SigningKey::from_bytes(&coldsign::journal::sha256(name.as_bytes()));
        Self { kid: name.to_owned(), key }
    }

    /// A key that is called by its own thumbprint, as roots and bundles want it.
    fn by_thumbprint(name: &str) -> Self {
        let mut seeded = Self::named(name);
        seeded.kid = seeded.public().thumbprint();
        seeded
    }

    fn public(&self) -> PublicKey {
        PublicKey::ed25519(Algorithm::EdDsa, self.key.verifying_key().as_bytes()).expect("a public key")
    }
}

impl Sign for Seeded {
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

/// Everything of a schedule that is real.
pub struct Real {
    folder: tempfile::TempDir,
    skew: u64,
    custodian: Seeded,
    bundle_key: Seeded,
    roots: Vec<String>,
    root_expiry: u64,
    previous: Option<Digest>,
    made: u64,
    gates: BTreeMap<usize, Gate>,
}

struct Gate {
    trust: TrustStore,
    loaded: Option<Verifier>,
}

impl Real {
    pub fn new(skew: u64) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            skew,
            custodian: Seeded::by_thumbprint("custodian"),
            bundle_key: Seeded::by_thumbprint("bundle"),
            roots: Vec::new(),
            root_expiry: 0,
            previous: None,
            made: 0,
            gates: BTreeMap::new(),
        }
    }

    /// Pins the first root and installs the first publication.
    pub fn open_gate(&mut self, service: usize, clock: u64) {
        let root = self.roots.first().expect("a root");
        let place = self.folder.path().join(format!("gate-{service}"));
        let fingerprint = Digest::of(root.as_bytes());
        let trust = TrustStore::pin(&place, "gate", root.as_bytes(), &fingerprint).expect("pinned");
        self.gates.insert(service, Gate { trust, loaded: None });
        self.arrive(service, 0, clock);
        self.restart(service);
    }

    pub fn publish(&mut self, publication: &Publication) {
        if publication.root_expiry != self.root_expiry {
            self.root_expiry = publication.root_expiry;
            let text = root::sign(&self.terms(publication.made_at), &[&self.custodian]).expect("a root");
            self.roots.push(text);
        }
        self.made += 1;
        let folder = self.stick(self.made - 1);
        fs::create_dir(&folder).expect("a stick");
        let mut files = BTreeMap::new();
        for (place, text) in self.roots.iter().enumerate() {
            let name = root::file_name(place as u64 + 1);
            fs::write(folder.join(&name), text).expect("written");
            files.insert(name, Digest::of(text.as_bytes()));
        }
        let text = bundle::sign(&self.contents(publication, files), &self.bundle_key).expect("a bundle");
        fs::write(folder.join(bundle::FILE_NAME), &text).expect("written");
        self.previous = Some(Digest::of(text.as_bytes()));
    }

    fn terms(&self, made_at: u64) -> Terms {
        Terms {
            store: "simulated".to_owned(),
            issuer: ISSUER.to_owned(),
            root_version: self.roots.len() as u64 + 1,
            issued_at: UnixTime(made_at),
            expires_at: UnixTime(self.root_expiry),
            root_keys: vec![self.custodian.public()],
            threshold: 1,
            bundle_keys: vec![self.bundle_key.public()],
        }
    }

    fn contents(&self, publication: &Publication, files: BTreeMap<String, Digest>) -> Contents {
        let name = |service: usize| format!("s{service}");
        let told = || publication.told.iter().enumerate().filter_map(|(at, told)| Some((at, (*told)?)));
        let all: BTreeSet<String> = told().map(|(at, _)| name(at)).collect();
        let expected = |told: Told| Expected {
            profile: Profile::Plain,
            audience: None,
            leeway_seconds: told.leeway,
            longest_validity_seconds: told.reach,
            claims: BTreeMap::new(),
        };
        let mut subjects = BTreeMap::new();
        for (subject, at) in &publication.cut_offs {
            let newest = subjects.entry(subject_name(*subject)).or_insert(UnixTime(*at));
            *newest = UnixTime(*at).max(*newest);
        }
        Contents {
            issuer: ISSUER.to_owned(),
            store: "simulated".to_owned(),
            seq: self.made,
            previous: self.previous,
            root_version: self.roots.len() as u64,
            issued_at: UnixTime(publication.made_at),
            expires_at: UnixTime(publication.bundle_expiry),
            skew_seconds: self.skew,
            services: told().map(|(at, told)| (name(at), expected(told))).collect(),
            keys: publication
                .kids
                .iter()
                .map(|kid| Key { kid: kid.clone(), key: Seeded::named(kid).public(), services: all.clone() })
                .collect(),
            revoked: Revocations { subjects, ..Revocations::default() },
            files,
            checkpoint: "simulated\n".to_owned(),
        }
    }

    fn stick(&self, publication: u64) -> PathBuf {
        self.folder.path().join(format!("stick-{publication}"))
    }

    /// Somebody brings a stick to a gate's machine; what it refuses changes nothing.
    pub fn arrive(&mut self, service: usize, publication: usize, clock: u64) {
        let stick = Stick::at(&self.stick(publication as u64));
        let Some(gate) = self.gates.get_mut(&service) else { return };
        let before = gate.trust.bundle().map(|bundle| bundle.contents().seq);
        if let Ok(accepted) = gate.trust.examine(&stick, UnixTime(clock)) {
            gate.trust.install(&accepted, UnixTime(clock)).expect("what was accepted is installed");
        }
        let after = gate.trust.bundle().map(|bundle| bundle.contents().seq);
        assert!(after >= before, "publication {after:?} took the place of {before:?}");
    }

    /// The gate starts anew: all that it knows is what lies on its disk.
    pub fn restart(&mut self, service: usize) {
        let Some(gate) = self.gates.get_mut(&service) else { return };
        gate.trust = TrustStore::open(gate.trust.directory()).expect("its own state");
        gate.loaded = gate.trust.verifier(&format!("s{service}")).ok();
    }

    /// Whether the gate takes the token; nothing where that service is no gate.
    pub fn accepts(&self, service: usize, token: &Token, clock: u64) -> Option<bool> {
        let gate = self.gates.get(&service)?;
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": subject_name(token.subject), "jti": "1",
            "iat": token.iat, "nbf": token.nbf, "exp": token.exp,
        });
        let text = jws::assemble(&Seeded::named(&token.kid), "JWT", claims.to_string().as_bytes()).expect("a token");
        let verified = gate.loaded.as_ref().map(|verifier| verifier.verify(&text, UnixTime(clock)).is_ok());
        Some(verified.unwrap_or(false))
    }
}

fn subject_name(subject: u64) -> String {
    format!("u{subject}")
}
