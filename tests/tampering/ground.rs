//! The stores that the attacks are about, and what each attacker has.

use crate::pen::Pen;
use crate::tree::{Node, Tree, put, tree};
use coldsign::acts::issue::{self, Batch};
use coldsign::acts::root::{self, Wish};
use coldsign::acts::unlock::{self, Depth};
use coldsign::acts::verifiers::{self, Enrolment};
use coldsign::acts::{RELEASED, Session, Store, Unlocked, init, keys, policy, publications, publish};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode, SealingIdentity, open_wrapped};
use coldsign::refusal::Refusal;
use coldsign::storage::Outbox;
use coldsign_verify::trust::{Publication, TrustStore};
use coldsign_verify::{Algorithm, PublicKey, UnixTime, receipt};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use zeroize::Zeroizing;

pub const POLICY: &str = include_str!("../crash/policy.toml");
/// When the acts on trial are done.
pub const NOW: u64 = RELEASED + 10_000;
/// The operator's, in every store.
pub const ADMIN: &str = "correct horse battery staple";
pub const BERTA: &str = "bertas very own passphrase";
pub const CAROL: &str = "carols very own passphrase";

/// A store's history, at the moments that matter.
pub struct Ground {
    folder: tempfile::TempDir,
    /// As it stands when the acts on trial are done: the removed administrator left before.
    pub live: Tree,
    /// When there was little in it.
    pub young: Tree,
    /// When the removed administrator had left just before.
    pub removal: Tree,
    /// Further than `live`.
    pub later: Tree,
    /// Another store of the same passphrases.
    pub other: Tree,
    /// What the removed administrator has of her last day.
    pub berta: Loot,
    /// The same of the other store: all that its unlock opens.
    pub others: Loot,
    /// The code of `root/1`, and of `root/2`, whose signature the draft lacks.
    pub root_codes: [RecoveryCode; 2],
    /// A receipt that was not taken yet.
    pub receipt: String,
}

/// A store's files, and everything in them that an unlock opens.
pub struct Loot {
    pub files: Tree,
    pub journal: Pen,
    /// The identity of the unlock, and the one that opens the keys.
    pub identities: Vec<SealingIdentity>,
    /// Kids and their PEM blocks.
    pub keys: Vec<(String, String)>,
}

pub fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

pub fn batch(subject: &str) -> Batch {
    Batch {
        service: "api".to_owned(),
        roles: vec!["reader".to_owned()],
        subjects: vec![subject.to_owned()],
        ..Batch::default()
    }
}

impl Ground {
    pub fn get() -> &'static Self {
        static GROUND: OnceLock<Ground> = OnceLock::new();
        GROUND.get_or_init(Self::make)
    }

    /// A file outside every store.
    pub fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("store");
        fs::create_dir(folder.path().join("stick")).unwrap();
        let root_codes = [(); 2].map(|()| RecoveryCode::generate().unwrap());
        found(&place, &root_codes[0], NOW - 9_000);
        grow(&place, &folder.path().join("stick"), NOW - 8_900);
        let young = tree(&place);

        let session = |now| Session::open(&place, None, &passphrase(ADMIN), now).unwrap();
        unlock::add(&mut session(NOW - 8_000), "berta", &passphrase(BERTA)).unwrap();
        unlock::add(&mut session(NOW - 7_900), "carol", &passphrase(CAROL)).unwrap();
        let mut machine = Machine::enrol(folder.path(), &mut session(NOW - 7_800));
        propose(&mut session(NOW - 7_700), &root_codes);
        let berta = Loot::of(&place, "berta", BERTA);

        unlock::remove(&mut session(NOW - 7_000), "berta", Some(&passphrase(ADMIN))).unwrap();
        let removal = tree(&place);
        keys::generate(&mut session(NOW - 6_900), "default").unwrap();
        fs::write(place.join("policy.toml"), format!("{POLICY}# edited once\n")).unwrap();
        apply(&mut session(NOW - 6_800));
        let seq = publish::publish(&mut session(NOW - 6_700), false).unwrap().seq;
        let outbox = Outbox::open(&folder.path().join("stick")).unwrap();
        publications::copy(session(NOW - 6_650).store(), seq, &outbox).unwrap();
        issue::issue(&mut session(NOW - 6_600), &batch("ben")).unwrap();
        let receipt = machine.receipt(&folder.path().join(format!("stick/coldsign-publication-{seq:06}")));
        keys::generate(&mut session(NOW - 6_400), "default").unwrap();
        let live = tree(&place);

        keys::generate(&mut session(NOW - 5_000), "registry").unwrap();
        fs::write(place.join("policy.toml"), format!("{POLICY}# edited twice\n")).unwrap();
        apply(&mut session(NOW - 4_900));
        sign_root(&mut session(NOW - 4_800), &root_codes[1]).unwrap();
        publish::publish(&mut session(NOW - 4_700), false).unwrap();
        unlock::change(&mut session(NOW - 4_600), "carol", &passphrase("carols new passphrase"), Depth::Reseal, None)
            .unwrap();
        let later = tree(&place);

        let other = folder.path().join("other");
        found(&other, &RecoveryCode::generate().unwrap(), NOW - 9_000);
        grow(&other, &folder.path().join("stick-of-other"), NOW - 8_900);
        let others = Loot::of(&other, "admin", ADMIN);
        let other = tree(&other);
        fs::write(folder.path().join("outside"), b"somebody's file").unwrap();
        Self { folder, live, young, removal, later, other, berta, others, root_codes, receipt }
    }
}

fn found(place: &Path, root_code: &RecoveryCode, now: u64) {
    let request = init::Request {
        path: place,
        issuer: "https://tokens.example",
        admin: "admin",
        passphrase: &passphrase(ADMIN),
        cost: KdfCost::new(10).unwrap(),
        policy: POLICY,
        recovery: &RecoveryCode::generate().unwrap(),
        root_code,
        root_to: None,
        now,
    };
    init::init(&request).unwrap();
}

/// A publication, on a stick too, and a token.
fn grow(place: &Path, stick: &Path, now: u64) {
    let mut session = Session::open(place, None, &passphrase(ADMIN), now).unwrap();
    publish::publish(&mut session, false).unwrap();
    fs::create_dir_all(stick).unwrap();
    publications::copy(session.store(), 1, &Outbox::open(stick).unwrap()).unwrap();
    let issued = issue::issue(&mut session, &batch("ann")).unwrap();
    issue::confirm(&mut session, &issued, &[]).unwrap();
}

fn apply(session: &mut Session) {
    let comparison = policy::compare(session.store(), session.now()).unwrap();
    policy::apply(session, &comparison).unwrap();
}

/// A second custodian; then a root with another bundle key, which waits for the second's signature.
fn propose(session: &mut Session, codes: &[RecoveryCode; 2]) {
    let by = |session: &Session| {
        let store = session.store();
        let key = root::opened_by(store, None, &codes[0].to_passphrase()).unwrap();
        root::open(store, key, None, &codes[0].to_passphrase()).unwrap()
    };
    let first = by(session);
    let wish = Wish { threshold: Some(2), add: Some(&codes[1]), ..Wish::default() };
    let other_key = Wish { bundle_key: true, ..Wish::default() };
    for (wish, complete) in [(wish, true), (other_key, false)] {
        let proposal = root::prepare(session, &wish).unwrap();
        assert_eq!(root::propose(session, &wish, proposal, &first).unwrap().complete, complete);
    }
}

/// The second custodian's signature.
///
/// Says whether the custodian's file is not the one that the journal names.
pub fn sign_root(session: &mut Session, code: &RecoveryCode) -> Result<Vec<String>, Refusal> {
    let code = code.to_passphrase();
    let by = {
        let key = root::opened_by(session.store(), None, &code)?;
        root::open(session.store(), key, None, &code)?
    };
    let waiting = root::waiting(session.store())?.ok_or(root::RootDenied::NothingWaits)?;
    root::sign(session, &waiting, &by)?;
    Ok(if by.as_named { Vec::new() } else { vec!["rewrapped".to_owned()] })
}

/// A verifier's machine.
struct Machine {
    trust: TrustStore,
    pen: Pen,
}

impl Machine {
    fn enrol(folder: &Path, session: &mut Session) -> Self {
        let root = root::chain(session.store()).unwrap().remove(0);
        let trust = folder.join("trust");
        let trust = TrustStore::pin(&trust, "api-1", root.text().as_bytes(), &root.fingerprint()).unwrap();
        let machine = Self { trust, pen: Pen::new() };
        let jwk = machine.pen.jwk().to_string();
        let fingerprint = receipt::fingerprint(&machine.public()).to_string();
        let enrolment = Enrolment { name: "api-1", file: jwk.as_bytes(), fingerprint: &fingerprint };
        verifiers::add(session, &enrolment).unwrap();
        machine
    }

    fn public(&self) -> PublicKey {
        PublicKey::ed25519(Algorithm::EdDsa, &self.pen.public()).unwrap()
    }

    fn receipt(&mut self, folder: &Path) -> String {
        let publication = Publication::at(folder);
        let now = UnixTime(NOW - 6_500);
        let accepted = self.trust.examine(&publication, now).unwrap();
        self.trust.install(&accepted, now).unwrap();
        self.trust.receipt(&self.public(), &self.pen, now).unwrap()
    }
}

impl Loot {
    pub fn of(place: &Path, unlock: &str, text: &str) -> Self {
        let files = tree(place);
        let unlocked = Unlocked::open(place, Some(unlock), &passphrase(text)).unwrap();
        let store = unlocked.store();
        let ledger = store.ledger();
        let pem = |kid: &str| {
            let key = ledger.keys.by_kid(kid).unwrap();
            unlocked.opened().load(key).unwrap().expose_pkcs8_pem().unwrap().to_string()
        };
        let journal = Pen::of_pem(&unlocked.opened().journal_key().expose_pkcs8_pem().unwrap());
        let kept = unlocked.opened().load_all(ledger.keys.all()).unwrap();
        let keys = kept.iter().map(|key| (key.kid.clone(), pem(&key.kid))).collect();
        let own = fs::read(place.join(format!("unlock/{unlock}.age"))).unwrap();
        let own = open_wrapped("own", unlock, &own, &passphrase(text)).unwrap();
        let seal = fs::read(place.join(format!("sealed/{}/seal.age", ledger.unlocks.generation()))).unwrap();
        let seal: serde_json::Value = serde_json::from_slice(&own.identity().open(&seal).unwrap()).unwrap();
        let sealing = SealingIdentity::read(seal["sealing_identity"].as_str().unwrap()).unwrap();
        let identities = vec![own.identity().twin().unwrap(), sealing];
        Self { files, journal, identities, keys }
    }

    /// The identity that opened the keys of her day.
    pub fn sealing(&self) -> &SealingIdentity {
        &self.identities[1]
    }
}

/// A folder of its own with a store in it, and a folder for products.
pub struct Stand {
    pub folder: tempfile::TempDir,
}

impl Stand {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        Self { folder }
    }

    pub fn with(files: &Tree) -> Self {
        let stand = Self::new();
        put(stand.folder.path(), "store", Some(&Node::Folder));
        crate::tree::restore(&stand.place(), files);
        stand
    }

    pub fn place(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub fn store(&self) -> Store {
        Store::open(&self.place()).unwrap()
    }
}
