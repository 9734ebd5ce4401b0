//! Where it begins: a store on its first day, and what is done with every store.

use coldsign::acts::issue::{self, Batch, Issued};
use coldsign::acts::keys::{self, Change};
use coldsign::acts::{RELEASED, Session, Store, init, publications, publish, root};
use coldsign::keystore::{KdfCost, KeyState, Passphrase, RecoveryCode, Transition};
use coldsign::publishing::folder_name;
use coldsign::refusal::Refusal;
use coldsign::storage::Outbox;
use coldsign_verify::UnixTime;
use coldsign_verify::trust::{Publication, TrustStore};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub const DAY: u64 = 86_400;
/// The first day of every store, in seconds since the epoch.
pub const START: u64 = RELEASED + DAY;
/// The policy of the scenarios.
pub const USUAL: &str = include_str!("../scenarios/policy.toml");
/// m·P + D + L + S of that policy: 30 d + 14 d + 1 d + 60 s.
pub const DISTRIBUTION: u64 = 45 * DAY + 60;

/// A folder with a store in it.
pub struct Office {
    folder: tempfile::TempDir,
    /// Opens `root/1`.
    pub root_code: RecoveryCode,
}

impl Office {
    pub fn new(policy: &str) -> Self {
        let office = Self { folder: tempfile::tempdir().unwrap(), root_code: RecoveryCode::generate().unwrap() };
        office.found("store", policy, None).unwrap();
        office
    }

    /// A store of that name; its root's key goes where that says.
    pub fn found(&self, name: &str, policy: &str, root_to: Option<&Path>) -> Result<(), Refusal> {
        let request = init::Request {
            path: &self.path(name),
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &passphrase(),
            cost: KdfCost::new(10).unwrap(),
            policy,
            recovery: &RecoveryCode::generate().unwrap(),
            root_code: &self.root_code,
            root_to,
            now: START,
        };
        init::init(&request).map(drop)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path("store")).unwrap()
    }

    pub fn try_session(&self, now: u64) -> Result<Session, Refusal> {
        Session::open(&self.path("store"), None, &passphrase(), now)
    }

    pub fn session(&self, now: u64) -> Session {
        self.try_session(now).unwrap()
    }

    /// Tokens under each key that they need, of a grant like `api/reader`; nothing says that they left.
    pub fn sign(&self, grant: &str, subject: &str, lifetime: Option<u64>, now: u64) -> Result<Vec<Issued>, Refusal> {
        issue::issue(&mut self.try_session(now)?, &batch(grant, subject, lifetime))
    }

    /// The same, delivered.
    pub fn issue(&self, grant: &str, subject: &str, lifetime: Option<u64>, now: u64) -> Vec<Issued> {
        let mut session = self.session(now);
        let issued = issue::issue(&mut session, &batch(grant, subject, lifetime)).unwrap();
        issue::confirm(&mut session, &issued, &[]).unwrap();
        issued
    }

    /// Publishes, copies to the stick, and names the folder there.
    pub fn carry(&self, now: u64, renew: bool) -> PathBuf {
        let mut session = self.session(now);
        let published = publish::publish(&mut session, renew).unwrap();
        let outbox = Outbox::open(&self.path("stick")).unwrap();
        publications::copy(session.store(), published.seq, &outbox).unwrap();
        outbox.path().join(folder_name(published.seq))
    }

    /// A token for `ann` at `api`, recorded; nothing says that it left.
    pub fn sign_one(&self, lifetime: u64, now: u64) -> Result<Issued, Refusal> {
        self.sign("api/reader", "ann", Some(lifetime), now).map(|mut issued| issued.remove(0))
    }

    pub fn change(&self, key: &str, transition: Transition, now: u64) -> Result<KeyState, Refusal> {
        let change = Change { key, transition, reason: None, accept_outage: false };
        keys::change(&mut self.try_session(now)?, &change).map(|key| key.state)
    }

    pub fn kid(&self, key: &str) -> String {
        keys::find(&self.store(), key).unwrap().kid.clone()
    }

    pub fn has_private_half(&self, key: &str) -> bool {
        self.path("store").join(format!("sealed/1/key-{}.age", self.kid(key))).exists()
    }

    /// Publishes where something changed; its number.
    pub fn publish(&self, now: u64) -> u64 {
        publish::publish(&mut self.session(now), false).unwrap().seq
    }

    /// The `jwks.json` for `api` of the newest publication.
    pub fn published(&self) -> String {
        let store = self.store();
        let newest = publications::find(&store, None).unwrap().made.seq;
        String::from_utf8(publications::files(&store, newest).unwrap()["for-api/jwks.json"].clone()).unwrap()
    }

    /// A verifier of that name that trusts the first root.
    pub fn pin(&self, name: &str) -> TrustStore {
        let root = root::chain(&self.store()).unwrap().remove(0);
        TrustStore::pin(&self.path(name), name, root.text().as_bytes(), &root.fingerprint()).unwrap()
    }
}

/// Installs a publication, or names the rule that refused.
pub fn install(trust: &mut TrustStore, folder: &Path, now: u64) -> Result<u64, &'static str> {
    let publication = Publication::at(folder);
    let accepted = trust.examine(&publication, UnixTime(now)).map_err(|fault| fault.code())?;
    trust.install(&accepted, UnixTime(now)).map_err(|fault| fault.code())?;
    Ok(accepted.bundle().seq())
}

/// What a verifier says of a token for that service.
pub fn accepts(trust: &TrustStore, service: &str, token: &str, now: u64) -> Result<(), &'static str> {
    let verifier = trust.verifier(service).unwrap();
    verifier.verify(token, UnixTime(now)).map(drop).map_err(|refusal| refusal.code())
}

pub fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned())).unwrap()
}

/// The rule that refused.
pub fn rule<T>(refused: Result<T, Refusal>) -> &'static str {
    refused.err().and_then(|refusal| refusal.reason().rule()).unwrap_or("not refused")
}

fn batch(grant: &str, subject: &str, lifetime: Option<u64>) -> Batch {
    let (service, role) = grant.split_once('/').unwrap();
    Batch {
        service: service.to_owned(),
        roles: vec![role.to_owned()],
        subjects: vec![subject.to_owned()],
        lifetime,
        ..Batch::default()
    }
}
