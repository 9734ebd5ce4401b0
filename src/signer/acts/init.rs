//! `init`: a store from nothing.

use super::{Denied, Session, StoreSheet};
use crate::issuing::Policy;
use crate::issuing::record::PolicyApplied;
use crate::journal::{self, Checkpoint, Event, Line, StoreCreated, hex, names, sha256};
use crate::keystore::{
    self, Anchor, KdfCost, KeyGenerated, KeystoreFault, Passphrase, Purpose, RecoveryCode, RootAnchor, RsaBits,
    SealGeneration, SecretKey, Unlocks, WrappedUnlock,
};
use crate::refusal::Refusal;
use crate::storage::{self, Directory, Lock, StorageFault};
use coldsign_verify::root::{self, Terms};
use coldsign_verify::{Algorithm, PublicKey, UnixTime, base64url};
use std::path::{Path, PathBuf};

/// What a new store is to be.
pub struct Request<'a> {
    /// Where; nothing but an empty directory may be there.
    pub path: &'a Path,
    /// The `iss` of every token.
    pub issuer: &'a str,
    /// The first admin's unlock.
    pub admin: &'a str,
    /// Its passphrase.
    pub passphrase: &'a Passphrase,
    /// What each passphrase costs to try.
    pub cost: KdfCost,
    /// The policy, applied at once. Each keyset in it gets its first key.
    pub policy: &'a str,
    /// The code that opens the store if the passphrase is lost.
    pub recovery: &'a RecoveryCode,
    /// The code of the root's key.
    pub root_code: &'a RecoveryCode,
    /// Where the root's key goes instead of the store.
    pub root_to: Option<&'a Path>,
    /// Seconds since the epoch.
    pub now: u64,
}

/// Refuses a place or an issuer that `init` would refuse, before anybody is asked for anything.
///
/// # Errors
/// [`Denied`].
pub fn check_place(path: &Path) -> Result<(), Refusal> {
    if super::Store::is_at(path) {
        return Err(Denied::StoreExists(path.to_owned()).into());
    }
    if let Some(tree) = storage::inside_git_work_tree(path) {
        return Err(Denied::InGitWorkTree { store: path.to_owned(), tree }.into());
    }
    match Directory::open(path) {
        Ok(there) if !there.names("")?.is_empty() => Err(Denied::NotEmpty(path.to_owned()).into()),
        _ => Ok(()),
    }
}

/// Refuses what can't be an issuer (RFC 7519 §2, StringOrURI; ours has no blanks or quotes).
///
/// # Errors
/// [`Denied::Issuer`].
pub fn check_issuer(issuer: &str) -> Result<(), Denied> {
    match names::issuer_fault(issuer) {
        None => Ok(()),
        Some(what) => Err(Denied::Issuer { issuer: issuer.to_owned(), what }),
    }
}

/// Refuses what can't name an unlock (store-v1.md).
///
/// # Errors
/// [`Denied::UnlockName`].
pub fn check_unlock_name(name: &str) -> Result<(), Denied> {
    if names::is_unlock(name) && name != Unlocks::RECOVERY { Ok(()) } else { Err(Denied::UnlockName(name.to_owned())) }
}

/// Makes a store: it appears whole or not at all.
///
/// # Errors
/// [`Denied`], or as the system refuses; then nothing has appeared.
pub fn init(request: &Request<'_>) -> Result<Session, Refusal> {
    Prepared::make(request)?.appear(request.passphrase)
}

/// A store beside its place, complete, waiting for its codes to be on paper. Dropped, it is removed.
pub struct Prepared {
    directory: Directory,
    /// Of its folder: nobody takes it for abandoned.
    _lock: Lock,
    place: PathBuf,
    admin: String,
    now: u64,
    outside: Vec<PathBuf>,
}

impl Prepared {
    /// Makes a store beside its place.
    ///
    /// # Errors
    /// [`Denied`], or as the system refuses; then nothing is left of it.
    pub fn make(request: &Request<'_>) -> Result<Self, Refusal> {
        check_place(request.path)?;
        check_issuer(request.issuer)?;
        check_unlock_name(request.admin)?;
        super::clock::act_time(request.now, 0, 0)?;
        let policy = Policy::parse(request.policy)?;
        let mark = hex(&*keystore::random::<6>()?);
        let (directory, lock) = Directory::create_beside(request.path, &mark)?;
        let mut prepared = Self {
            directory,
            _lock: lock,
            place: request.path.to_owned(),
            admin: request.admin.to_owned(),
            now: request.now,
            outside: Vec::new(),
        };
        prepared.fill(&policy, request)?;
        Ok(prepared)
    }

    /// What it holds, for reading.
    ///
    /// # Errors
    /// As [`super::Store::open`].
    pub fn store(&self) -> Result<super::Store, Refusal> {
        super::Store::open(self.directory.path())
    }

    /// Notes a file that belongs to it and lies outside: its codes. Removed with it.
    pub fn with(&mut self, file: &Path) {
        self.outside.push(file.to_owned());
    }

    /// Gives it its place, and opens it there.
    ///
    /// # Errors
    /// As the system refuses; where the place was taken meanwhile, nothing is left of it.
    pub fn appear(self, passphrase: &Passphrase) -> Result<Session, Refusal> {
        // Of the journal, which keeps it when its folder gets another name.
        let lock = journal::hold(&self.directory)?;
        self.directory.rename_to(&self.place).map_err(|fault| match fault {
            StorageFault::Exists(path) => Refusal::from(Denied::StoreExists(path)),
            other => other.into(),
        })?;
        let store = super::Store::open_held(&self.place, &lock)?;
        let opened = keystore::Opened::open(store.kept(), &self.admin, passphrase)?;
        Ok(Session::of_new_store(store, opened, self.now, lock))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // A store that stands keeps its codes, whatever failed after it got its place.
        if Directory::open(self.directory.path()).is_ok() {
            self.directory.discard();
            self.outside.iter().for_each(|file| storage::remove_file(file));
        }
    }
}

impl Prepared {
    fn fill(&mut self, policy: &Policy, request: &Request<'_>) -> Result<(), Refusal> {
        let directory = &self.directory.clone();
        let sheet = StoreSheet {
            format: StoreSheet::FORMAT.to_owned(),
            version: 1,
            store_id: base64url::encode(&*keystore::random::<16>()?),
            issuer: request.issuer.to_owned(),
        };
        let journal_key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)?;
        let created = StoreCreated {
            format: StoreCreated::FORMAT.to_owned(),
            version: 1,
            store_id: sheet.store_id.clone(),
            issuer: sheet.issuer.clone(),
            journal_key: journal_key.ed25519_base64url(),
        };
        let (first_line, genesis) = journal::genesis_line(&created, request.now, request.admin);
        // The floor of the first unlocks: the first line alone.
        let anchor = Anchor {
            store_id: sheet.store_id.clone(),
            journal_key: journal_key.ed25519_public().ok_or(KeystoreFault::Operation("reading the journal key"))?,
            floor: Checkpoint::of_lines([first_line.as_bytes()]),
        };
        let mut events: Vec<Line> = Vec::new();
        let recovery = request.recovery.to_passphrase();
        let admin = keystore::create_unlock(directory, request.admin, request.passphrase, request.cost, &anchor)?;
        let recovery = keystore::create_unlock(directory, Unlocks::RECOVERY, &recovery, request.cost, &anchor)?;
        let recipients = [&admin, &recovery].map(WrappedUnlock::recipient);
        for unlock in [&admin, &recovery] {
            events.push(unlock.added().line());
        }
        let journal_key_file = keystore::sealed_name(journal_key.kid());
        let mut journal_made = made("journal", Purpose::Journal, &journal_key, String::new(), false);
        let (opened, mut sealed) =
            keystore::create_seal(directory, admin, journal_key, &sheet.store_id, &genesis, &recipients)?;
        journal_made.sha256 = sealed.get(&journal_key_file).cloned().unwrap_or_default();
        events.push(journal_made.line());
        let bundle = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)?;
        let [root_key, root] = self.make_root(request, &sheet, bundle.public())?;
        let bundle = opened.keep(bundle)?;
        events.push(root_key);
        events.push(made("bundle", Purpose::Bundle, &bundle.key, bundle.sha256.clone(), false).line());
        events.push(root);
        sealed.insert(keystore::sealed_name(bundle.key.kid()), bundle.sha256);
        for keyset in policy.keysets() {
            let bits = RsaBits::of_policy(keyset.bits);
            let key = SecretKey::generate(keyset.algorithm, bits)?;
            keystore::second_opinion(&key)?;
            let new = opened.keep(key)?;
            events.push(made(&keyset.name, Purpose::Token, &new.key, new.sha256.clone(), false).line());
            sealed.insert(keystore::sealed_name(new.key.kid()), new.sha256);
        }
        let sha256 = hex(&sha256(request.policy.as_bytes()));
        directory.below("policies")?.create_file(&format!("{sha256}.toml"), request.policy.as_bytes())?;
        directory.create_file("policy.toml", request.policy.as_bytes())?;
        events.push(PolicyApplied { sha256, bytes: request.policy.len() as u64 }.line());
        // The store itself is unfinished as a whole: it is renamed last.
        directory.finish_staged()?;
        events.push(SealGeneration { generation: 1, files: sealed }.line());
        directory.create_file(StoreSheet::FILE, &sheet.to_bytes())?;
        journal::start(directory, &created, &events, &opened, request.now, request.admin)?;
        Ok(())
    }

    /// The root's key lies apart from all others, under a code of its own. It signs the first root now,
    /// while it is at hand.
    fn make_root(
        &mut self,
        request: &Request<'_>,
        sheet: &StoreSheet,
        bundle: &PublicKey,
    ) -> Result<[Line; 2], Refusal> {
        let root = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)?;
        let terms = Terms {
            store: sheet.store_id.clone(),
            issuer: sheet.issuer.clone(),
            root_version: 1,
            issued_at: UnixTime(request.now),
            expires_at: UnixTime(request.now.saturating_add(super::root::LIFETIME)),
            root_keys: vec![root.public().clone()],
            threshold: 1,
            bundle_keys: vec![bundle.clone()],
        };
        let text = root::sign(&terms, &[&root]).map_err(super::root::RootDenied::from)?;
        let made_root = super::root::made(1, &text, &terms);
        let anchor = RootAnchor { store_id: sheet.store_id.clone(), first_root: made_root.sha256.clone() };
        let sealed = keystore::seal_root(&root, &anchor, &request.root_code.to_passphrase(), request.cost)?;
        let file = format!("key-{}.age", root.kid());
        match request.root_to {
            Some(place) => {
                let path: PathBuf = place.join(format!("coldsign-root-{}", file));
                storage::create_private_file(&path, &sealed)?;
                self.outside.push(path);
            }
            None => self.directory.below("roots")?.create_file(&file, &sealed)?,
        }
        self.directory.below("roots")?.create_file(&root::file_name(1), text.as_bytes())?;
        let key = made("root", Purpose::Root, &root, hex(&sha256(&sealed)), request.root_to.is_some()).line();
        Ok([key, made_root.line()])
    }
}

fn made(keyset: &str, purpose: Purpose, key: &SecretKey, sha256: String, elsewhere: bool) -> KeyGenerated {
    KeyGenerated {
        sha256,
        keyset: keyset.to_owned(),
        number: 1,
        purpose,
        kid: key.kid().to_owned(),
        jwk: key.public().to_jwk(key.kid()),
        state: "active".to_owned(),
        elsewhere,
    }
}
