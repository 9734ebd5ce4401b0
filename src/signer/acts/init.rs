//! `init`: a store from nothing.

use super::{Denied, Session, StoreSheet};
use crate::issuing::Policy;
use crate::issuing::record::PolicyApplied;
use crate::journal::{self, Event, Line, StoreCreated, hex, sha256};
use crate::keystore::{
    self, KdfCost, KeyGenerated, Passphrase, Purpose, RecoveryCode, RsaBits, SecretKey, UnlockAdded, Unlocks,
};
use crate::refusal::Refusal;
use crate::storage::{self, Directory, StorageFault};
use coldsign_verify::{Algorithm, base64url};
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
    /// Where the codes were written: taken back where the store is not made.
    pub recovery_sheet: Option<&'a Path>,
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
    let what = if issuer.is_empty() {
        "it is empty"
    } else if issuer.len() > 255 {
        "it is longer than 255 bytes"
    } else if !issuer.chars().all(|c| c.is_ascii_graphic()) {
        "it has blanks, control or non-ASCII characters"
    } else if issuer.contains(['"', '\'', '\\', '<', '>', '`', '$']) {
        "it has quotes or shell characters"
    } else {
        return Ok(());
    };
    Err(Denied::Issuer { issuer: issuer.to_owned(), what })
}

/// Refuses what can't name an unlock (store-v1.md).
///
/// # Errors
/// [`Denied::UnlockName`].
pub fn check_unlock_name(name: &str) -> Result<(), Denied> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let sound = !name.is_empty()
        && name.len() <= 32
        && !name.starts_with('-')
        && name.chars().all(plain)
        && name != Unlocks::RECOVERY;
    if sound { Ok(()) } else { Err(Denied::UnlockName(name.to_owned())) }
}

/// Makes a store beside its place and renames it: it appears whole or not at all.
///
/// # Errors
/// [`Denied`], or as the system refuses; then nothing has appeared.
pub fn init(request: &Request<'_>) -> Result<Session, Refusal> {
    check_place(request.path)?;
    check_issuer(request.issuer)?;
    check_unlock_name(request.admin)?;
    super::clock::act_time(request.now, 0, 0)?;
    let policy = Policy::parse(request.policy)?;
    let mark = hex(&*keystore::random::<6>()?);
    let (directory, lock) = Directory::create_beside(request.path, &mark)?;
    let mut root_file = None;
    let made = fill(&directory, &policy, request, &mut root_file).and_then(|sheet| {
        let renamed = directory.rename_to(request.path).map_err(|fault| match fault {
            StorageFault::Exists(path) => Refusal::from(Denied::StoreExists(path)),
            other => other.into(),
        })?;
        Ok((sheet, renamed))
    });
    let (sheet, directory) = made.inspect_err(|_| {
        directory.discard();
        if let Some(sheet) = request.recovery_sheet {
            storage::remove_file(sheet);
        }
        if let Some(file) = root_file {
            storage::remove_file(&file);
        }
    })?;
    let store = super::Store::open(request.path)?;
    let generation = sheet.generation;
    let opened = keystore::Opened::open(&directory, generation, store.journal(), request.admin, request.passphrase)?;
    Ok(Session::of_new_store(store, opened, request.now, lock))
}

fn fill(
    directory: &Directory,
    policy: &Policy,
    request: &Request<'_>,
    root_file: &mut Option<PathBuf>,
) -> Result<StoreSheet, Refusal> {
    let sheet = StoreSheet {
        format: StoreSheet::FORMAT.to_owned(),
        version: 1,
        store_id: base64url::encode(&*keystore::random::<16>()?),
        issuer: request.issuer.to_owned(),
        generation: 1,
    };
    let journal_key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)?;
    let created = StoreCreated {
        format: StoreCreated::FORMAT.to_owned(),
        version: 1,
        store_id: sheet.store_id.clone(),
        issuer: sheet.issuer.clone(),
        journal_key: journal_key.ed25519_base64url(),
    };
    let (_, genesis) = journal::genesis_line(&created, request.now, request.admin);
    let mut events: Vec<Line> = Vec::new();
    let recovery = request.recovery.to_passphrase();
    let mut recipients = Vec::new();
    for (name, passphrase) in [(request.admin, request.passphrase), (Unlocks::RECOVERY, &recovery)] {
        let recipient = keystore::create_unlock(directory, name, passphrase, request.cost)?;
        recipients.push(recipient.clone());
        events.push(UnlockAdded { name: name.to_owned(), recipient, kdf_log_n: request.cost.log_n() }.line());
    }
    events.push(made("journal", Purpose::Journal, &journal_key, false).line());
    let opened = keystore::create_seal(directory, request.admin, journal_key, &sheet.store_id, &genesis, &recipients)?;
    events.push(make_root(directory, request, root_file)?);
    let bundle = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)?;
    events.push(made("bundle", Purpose::Bundle, &bundle, false).line());
    opened.keep(bundle)?;
    for keyset in policy.keysets() {
        let bits = RsaBits::of_policy(keyset.bits);
        let key = SecretKey::generate(keyset.algorithm, bits)?;
        keystore::second_opinion(&key)?;
        events.push(made(&keyset.name, Purpose::Token, &key, false).line());
        opened.keep(key)?;
    }
    let sha256 = hex(&sha256(request.policy.as_bytes()));
    directory.below("policies")?.create_file(&format!("{sha256}.toml"), request.policy.as_bytes())?;
    directory.create_file("policy.toml", request.policy.as_bytes())?;
    events.push(PolicyApplied { sha256, bytes: request.policy.len() as u64 }.line());
    directory.create_file(StoreSheet::FILE, &sheet.to_bytes())?;
    journal::start(directory, &created, &events, &opened, request.now, request.admin)?;
    Ok(sheet)
}

/// The root's key lies apart from all others, under a code of its own.
fn make_root(directory: &Directory, request: &Request<'_>, made_file: &mut Option<PathBuf>) -> Result<Line, Refusal> {
    let root = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)?;
    let code = request.root_code.to_passphrase();
    let sealed = keystore::seal_root(&root, &code, request.cost)?;
    let file = format!("key-{}.age", root.kid());
    match request.root_to {
        Some(place) => {
            let path: PathBuf = place.join(format!("coldsign-root-{}", file));
            storage::create_private_file(&path, &sealed)?;
            *made_file = Some(path);
        }
        None => directory.below("roots")?.create_file(&file, &sealed)?,
    }
    Ok(made("root", Purpose::Root, &root, request.root_to.is_some()).line())
}

fn made(keyset: &str, purpose: Purpose, key: &SecretKey, elsewhere: bool) -> KeyGenerated {
    KeyGenerated {
        keyset: keyset.to_owned(),
        number: 1,
        purpose,
        kid: key.kid().to_owned(),
        jwk: key.public().to_jwk(key.kid()),
        state: "active".to_owned(),
        elsewhere,
    }
}
