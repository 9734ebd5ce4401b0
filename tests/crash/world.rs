//! A folder with a store, an act interrupted in it, and what must hold afterwards.

use coldsign::acts::backup::{Backup, Sealed};
use coldsign::acts::issue::{self, Batch};
use coldsign::acts::{Session, Store, policy, publications, publish, revocations, root, status, unlock};
use coldsign::keystore::{Passphrase, Purpose, RecoveryCode};
use coldsign::storage::Outbox;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

pub const PASSPHRASE: &str = "correct horse battery staple";
/// What `unlock change` makes of it.
pub const CHANGED: &str = "another horse, another battery";

/// Stands for the SHA-256 of the edited policy among a command's arguments.
pub const POLICY_DIGEST: &str = "DIGEST OF THE POLICY";
/// Stands for the SHA-256 of the payload of the root that waits.
pub const DRAFT_DIGEST: &str = "DIGEST OF THE DRAFT";

/// Arguments with what a script reads beforehand: what it has seen.
pub fn spelled_out(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let place = folder.join("store");
    let spelled = |argument: &&str| match *argument {
        POLICY_DIGEST => hex(&fs::read(place.join("policy.toml")).unwrap()),
        DRAFT_DIGEST => {
            let waiting = Store::open(&place).and_then(|store| root::waiting(&store)).unwrap();
            waiting.unwrap().difference.payload.to_string()
        }
        other => other.to_owned(),
    };
    arguments.iter().map(spelled).collect()
}

/// A folder of its own: `store`, `pass`, `policy.toml`, `out`.
pub struct World {
    folder: tempfile::TempDir,
    journal: Vec<u8>,
}

impl World {
    /// A copy of a prepared folder.
    pub fn like(prepared: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(prepared, folder.path());
        let journal = fs::read(folder.path().join("store/journal/entries.jsonl")).unwrap_or_default();
        Self { folder, journal }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What must hold of the store and the outputs whenever and however an act ended.
    pub fn holds(&self, ended: &Output) -> Result<(), String> {
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        if said.contains("panicked") {
            return Err("it panicked".to_owned());
        }
        if ended.status.code() == Some(0) && !Store::is_at(&self.store()) {
            return Err("it succeeded without a store".to_owned());
        }
        let store = self.open()?;
        status::summary(&store, now()).map_err(|refusal| format!("status: {refusal}"))?;
        let journal = fs::read(self.store().join("journal/entries.jsonl")).map_err(|error| error.to_string())?;
        if !journal.starts_with(&self.journal) {
            return Err("the journal lost what it had".to_owned());
        }
        self.outputs_are_known(&store)?;
        self.said_is_true(&store, &ended.stdout)
    }

    /// The next acts work, and what the interrupted one left behind is gone after them.
    pub fn goes_on(&self) -> Result<(), String> {
        let mut session = self.session()?;
        let fault = |what: &'static str| move |refusal| format!("the next {what}: {refusal}");
        let comparison = policy::compare(session.store(), session.now()).map_err(fault("policy diff"))?;
        policy::apply(&mut session, &comparison).map_err(fault("policy apply"))?;
        publish::publish(&mut session, true).map_err(fault("publish"))?;
        let issued = issue::issue(&mut session, &batch()).map_err(fault("token issue"))?;
        let outbox = Outbox::open(&self.folder().join("out")).map_err(|fault| fault.to_string())?;
        issue::deliver(&mut session, &issued, &outbox).map_err(fault("delivery"))?;
        drop(session);
        let store = self.open()?;
        self.outputs_are_known(&store)?;
        self.nothing_left_behind(&store)
    }

    fn store(&self) -> PathBuf {
        self.folder().join("store")
    }

    pub fn open(&self) -> Result<Store, String> {
        Store::open(&self.store()).map_err(|refusal| format!("the store can't be read: {refusal}"))
    }

    /// A receipt of which it was said that it is taken counts.
    pub fn knows_the_receipt(&self, ended: &Output) -> Result<(), String> {
        let store = self.open()?;
        let taken = store.ledger().verifiers.find("api-1").is_some_and(|known| known.last().is_some());
        if ended.status.success() && !taken { Err("a receipt was taken and is lost".to_owned()) } else { Ok(()) }
    }

    /// Exactly one of two passphrases opens the store, and it is the one that was said.
    pub fn opens_one_way(&self, ended: &Output) -> Result<(), String> {
        let opens = |text| unlock::test(&self.store(), "admin", &passphrase(text)).is_ok();
        let said = String::from_utf8_lossy(&ended.stderr);
        match (opens(PASSPHRASE), opens(CHANGED)) {
            (true, true) => Err("the old and the new passphrase open the store".to_owned()),
            (false, false) => Err("no passphrase opens the store".to_owned()),
            (true, false) if ended.status.success() => Err("the change was acknowledged and is lost".to_owned()),
            // Where stderr fails, too, nothing was said.
            (false, true) if said.contains("error: ") && !said.contains("[UNLOCK-UNFINISHED]") => {
                Err("the change was refused and counts".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What was acknowledged is in the next bundle, and what was refused is not.
    pub fn revoked_if_said(&self, ended: &Output) -> Result<(), String> {
        let store = self.open()?;
        let recorded = store.ledger().revocations.all().len();
        let withdrawn = revocations::current(&store, now());
        match (ended.status.success(), recorded) {
            (_, 1) if withdrawn.all.is_some() || withdrawn.subjects.contains_key("ann") => Ok(()),
            (false, 0) if withdrawn.is_empty() => Ok(()),
            (said, _) => Err(format!("acknowledged: {said}, recorded: {recorded}, withdrawn: {withdrawn:?}")),
        }
    }

    /// A custodian that the journal knows has a sheet whose code opens the key.
    pub fn custodian_has_a_code(&self, _: &Output) -> Result<(), String> {
        let store = self.open()?;
        let Some(key) = root::custodians(&store).nth(1) else { return Ok(()) };
        let sheets =
            ["papers/sheet", "papers/sheet.partial"].map(|sheet| fs::read_to_string(self.folder().join(sheet)));
        let text = sheets.into_iter().flatten().next().ok_or("a custodian's code is lost")?;
        let code =
            text.lines().find_map(|line| line.strip_prefix("root code       ")).ok_or("a sheet without a code")?;
        let code = RecoveryCode::read(code).map_err(|fault| fault.to_string())?.to_passphrase();
        root::open(&store, key, None, &code).map(drop).map_err(|refusal| format!("the code on the sheet: {refusal}"))
    }

    fn session(&self) -> Result<Session, String> {
        let open = |text| Session::open(&self.store(), None, &passphrase(text), now());
        open(PASSPHRASE).or_else(|refusal| open(CHANGED).map_err(|_| format!("the next act: {refusal}")))
    }

    /// A file under its final name is whole, and the journal knows it.
    fn outputs_are_known(&self, store: &Store) -> Result<(), String> {
        let out = self.folder().join("out");
        for name in names(&out) {
            let path = out.join(&name);
            // No token by halves: what is still being written has another name.
            if name.ends_with(".partial") {
                continue;
            }
            if let Some(token) = name.strip_suffix(".header").and(fs::read_to_string(&path).ok()) {
                let token = token.strip_prefix("Authorization: Bearer ").and_then(|rest| rest.strip_suffix('\n'));
                let token = token.ok_or_else(|| format!("{name} is no whole header"))?;
                known_token(store, token).map_err(|what| format!("{name}: {what}"))?;
            } else if let Some(seq) = name.strip_prefix("coldsign-publication-") {
                let kept = seq.parse().map_err(|_| "no number")?;
                let kept = publications::files(store, kept).map_err(|refusal| format!("{name}: {refusal}"))?;
                let outbox = Outbox::open(&out).map_err(|fault| fault.to_string())?;
                if !outbox.holds_folder(&name, &kept, 4 << 20) {
                    return Err(format!("{name} is not what the store has"));
                }
            } else if name.starts_with("coldsign-backup-") {
                let bytes = fs::read(&path).map_err(|error| error.to_string())?;
                let sealed = Sealed::read(&path, &bytes).map_err(|fault| format!("{name}: {fault}"))?;
                Backup::open(&path, &bytes, &sealed, "admin", &passphrase(PASSPHRASE))
                    .map_err(|refusal| format!("{name}: {refusal}"))?;
            } else if name.starts_with("holder-") {
                self.holder_is_known(store, &path)?;
            } else if name.starts_with("operator-") {
                let whole = ["SWAP.txt", "service.json"].iter().all(|file| path.join(file).is_file());
                whole.then_some(()).ok_or_else(|| format!("{name} is not whole"))?;
            } else {
                return Err(format!("nobody expects {name}"));
            }
        }
        for backup in store.ledger().backups.all() {
            let file = fs::read(out.join(&backup.made.file)).unwrap_or_default();
            if hex(&file) != backup.made.sha256 {
                return Err(format!("the journal speaks of {}, which is not there", backup.made.file));
            }
        }
        Ok(())
    }

    /// What a cutover hands to a holder: files that are whole, with tokens that the journal knows.
    fn holder_is_known(&self, store: &Store, folder: &Path) -> Result<(), String> {
        for name in names(folder).into_iter().filter(|name| !name.ends_with(".partial")) {
            let text = fs::read_to_string(folder.join(&name)).map_err(|error| error.to_string())?;
            let words = text.split(|c: char| c.is_whitespace() || c == '"' || c == '\'');
            let tokens: Vec<&str> = words.filter(|word| word.starts_with("eyJ")).collect();
            if !text.ends_with('\n') || tokens.is_empty() != (name == "WHEN.txt") {
                return Err(format!("{name} is not whole"));
            }
            tokens.iter().try_for_each(|token| known_token(store, token)).map_err(|what| format!("{name}: {what}"))?;
        }
        Ok(())
    }

    /// Whatever was printed can be relied on.
    fn said_is_true(&self, store: &Store, stdout: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(stdout);
        for line in text.split_inclusive('\n') {
            let word = line.trim_end();
            if !line.ends_with('\n') && word.matches('.').count() == 2 || word.starts_with("eyJ") {
                known_token(store, word)?;
            } else if word.starts_with("out/") {
                if !self.folder().join(word).exists() {
                    return Err(format!("{word} is said to be there"));
                }
            } else if word.len() == 64 && line.ends_with('\n') {
                let ledger = store.ledger();
                let known = ledger.publications.all().iter().any(|one| one.made.manifest == word)
                    || ledger.backups.all().iter().any(|one| one.made.sha256 == word);
                if !known {
                    return Err(format!("nobody knows publication or backup {word}"));
                }
            }
        }
        Ok(())
    }

    fn nothing_left_behind(&self, store: &Store) -> Result<(), String> {
        let is = |what: &str, found: BTreeSet<String>, known: BTreeSet<String>| {
            if found == known { Ok(()) } else { Err(format!("{what}: found {found:?}, known {known:?}")) }
        };
        if let Some(partial) =
            all_names(&self.folder().join("store")).into_iter().find(|name| name.contains(".partial"))
        {
            return Err(format!("{partial} is still there"));
        }
        if names(self.folder()).iter().any(|name| name.contains(".partial")) {
            return Err("a store half made is still there".to_owned());
        }
        if let Some(partial) = names(&self.folder().join("out")).into_iter().find(|name| name.starts_with(".coldsign."))
        {
            return Err(format!("{partial} is still on the stick"));
        }
        let ledger = store.ledger();
        let generation = ledger.unlocks.generation().to_string();
        is("generations", names(&self.store().join("sealed")), BTreeSet::from([generation.clone()]))?;
        let unlocks = ledger.unlocks.all().iter().map(|unlock| format!("{}.age", unlock.name)).collect();
        is("unlocks", names(&self.store().join("unlock")), unlocks)?;
        let sealed = format!("sealed/{generation}");
        let keys = ledger.keys.all().iter().filter(|key| key.has_private_half() && key.purpose != Purpose::Root);
        let keys = keys.map(|key| format!("key-{}.age", key.kid)).chain(["seal.age".to_owned()]).collect();
        is("sealed", names(&self.store().join(sealed)), keys)?;
        let publications = ledger.publications.all().iter().map(|one| format!("{:06}", one.made.seq)).collect();
        is("publications", names(&self.store().join("publications")), publications)?;
        let policies = ledger.policies.all().iter().map(|one| format!("{}.toml", one.applied.sha256)).collect();
        is("policies", names(&self.store().join("policies")), policies)?;
        let roots = ledger.roots.all().iter().map(|root| format!("root.{}.json", root.root_version));
        let draft = ledger.roots.draft().map(|draft| format!("draft-{}.json", draft.sha256));
        let keys = root::custodians(store).map(|key| format!("key-{}.age", key.kid));
        is("roots", names(&self.store().join("roots")), roots.chain(draft).chain(keys).collect())?;
        root::chain(store).and(root::waiting(store)).map_err(|refusal| refusal.to_string())?;
        for name in names(&self.store().join("certificates")) {
            let kid = name.trim_end_matches(".pem");
            ledger.publications.certificate(kid).ok_or_else(|| format!("nobody knows certificate {name}"))?;
        }
        for one in ledger.publications.all() {
            publications::files(store, one.made.seq).map_err(|refusal| refusal.to_string())?;
        }
        for one in ledger.policies.all() {
            store.policy_text(one).map_err(|refusal| refusal.to_string())?;
        }
        Ok(())
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::from(zeroize::Zeroizing::new(text.to_owned()))
}

fn known_token(store: &Store, token: &str) -> Result<(), String> {
    store
        .ledger()
        .tokens
        .by_sha256(&hex(token.as_bytes()))
        .map(|_| ())
        .ok_or("the journal does not know this token".to_owned())
}

/// SHA-256 in lower-case hex.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn batch() -> Batch {
    Batch {
        service: "api".to_owned(),
        roles: vec!["reader".to_owned()],
        subjects: vec!["next".to_owned()],
        ..Batch::default()
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn all_names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        if path.is_dir() {
            found.extend(all_names(&path));
        }
        found.push(name);
    }
    found
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
