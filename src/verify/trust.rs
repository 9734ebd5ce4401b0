//! The trust store: what one verifier trusts and has installed, durable on its own machine.
//!
//! A pinned root followed to the newest, the last good bundle, and the counter of receipts, in one
//! file that is replaced as a whole. Normative page: `docs/formats/trust-v1.md`. No clock of its
//! own: every call that needs the time is given it. No private key: receipts are signed over a
//! [`Sign`].
//!
//! A service opens its store at start and again when told that something was installed:
//!
//! ```no_run
//! use coldsign_verify::{UnixTime, trust::TrustStore};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let token = "";
//! let trust = TrustStore::open("/var/lib/coldsign-gate".as_ref())?;
//! let verifier = trust.verifier("api")?;
//! let verified = verifier.verify(token, UnixTime::try_from(std::time::SystemTime::now())?)?;
//! # Ok(())
//! # }
//! ```

mod durable;
mod exports;
mod fault;
mod publication;
mod state;

use std::path::{Path, PathBuf};

use crate::bundle::{self, Bundle};
use crate::digest::Digest;
use crate::jws::{Malformed, Sign};
use crate::key::PublicKey;
use crate::receipt;
use crate::root::{self, Root};
use crate::time::UnixTime;
use crate::verifier::Verifier;

use durable::Change;
pub use exports::{Export, ExportTo};
pub use fault::Fault;
pub use publication::{LARGEST_FILE, Publication};
use state::{Installed, State};

/// One verifier's trust store, as it was when opened or last changed through this value.
#[derive(Clone, Debug)]
pub struct TrustStore {
    directory: PathBuf,
    state: State,
}

/// A publication that may be installed: everything was checked, nothing was changed.
#[derive(Debug)]
pub struct Accepted<'p> {
    publication: &'p Publication,
    root: Root,
    bundle: Bundle,
    roots: u64,
    is_new: bool,
}

impl TrustStore {
    /// Makes a store in `directory` that trusts the root with this fingerprint. Pinning the same
    /// root again changes nothing; another root is refused.
    pub fn pin(directory: &Path, verifier: &str, root: &[u8], fingerprint: &Digest) -> Result<Self, Fault> {
        let root = Root::pinned(root, fingerprint)?;
        if !receipt::is_verifier_name(verifier) {
            return Err(Fault::Name { name: verifier.to_owned() });
        }
        durable::make_directory(directory)?;
        let change = Change::begin(directory)?;
        match State::read_in(&change, directory) {
            Ok((state, _)) if state.pinned == *fingerprint && state.verifier == verifier => {
                Ok(Self { directory: directory.to_owned(), state })
            }
            Ok((state, _)) => Err(Fault::Pinned { pinned: state.pinned, verifier: state.verifier }),
            Err(Fault::Missing { .. }) => {
                let state = State::new(verifier, *fingerprint, root);
                state.write(&change, None)?;
                Ok(Self { directory: directory.to_owned(), state })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Reads the store and verifies again what it says. Takes no lock: the state is one file.
    pub fn open(directory: &Path) -> Result<Self, Fault> {
        Ok(Self { directory: directory.to_owned(), state: State::read(directory)? })
    }

    /// Checks a publication by every rule for installing it, in the order of the format's page.
    pub fn examine<'p>(&self, publication: &'p Publication, now: UnixTime) -> Result<Accepted<'p>, Fault> {
        let (root, roots) = follow(&self.state.root, publication)?;
        // The end first: an expired root would only show as a bundle that outlives it.
        root.check_time(now, u64::MAX)?;
        let text = publication.read(bundle::FILE_NAME, bundle::LONGEST as u64)?;
        let text = text.ok_or_else(|| Fault::FileMissing { path: bundle::FILE_NAME.to_owned() })?;
        let text = String::from_utf8(text).map_err(|error| {
            Fault::from(bundle::Fault::from(Malformed::Character { at: error.utf8_error().valid_up_to() }))
        })?;
        let bundle = Bundle::verify(&text, &root)?;
        root.check_time(now, bundle.contents().skew_seconds)?;
        bundle.check_time(now)?;
        if let Some(installed) = &self.state.installed
            // TUF §5.3.11: a root that took the old key away takes its numbers along.
            && root.bundle_key(installed.bundle.signed_by()).is_some()
        {
            bundle.check_after(&installed.bundle)?;
        }
        for path in bundle.contents().files.keys() {
            read_listed(publication, &bundle, path)?;
        }
        let same = self.state.installed.as_ref().is_some_and(|it| it.bundle.text() == bundle.text());
        Ok(Accepted { publication, root, bundle, roots, is_new: !same || roots > 0 })
    }

    /// Makes what was accepted the state, durably. Only after this may anything of it be used. Every
    /// [export directory](Self::exports) is due then.
    pub fn install(&mut self, accepted: &Accepted<'_>, now: UnixTime) -> Result<(), Fault> {
        self.put(accepted, None, now)
    }

    fn put(&mut self, accepted: &Accepted<'_>, to: Option<&ExportTo<'_>>, now: UnixTime) -> Result<(), Fault> {
        let before = self.state.clone();
        self.change(|state| {
            // What was examined against another state has to be examined again.
            if (&state.root, state.bundle_text()) != (&before.root, before.bundle_text()) {
                return Err(Fault::Busy);
            }
            if state.bundle_text() != Some(accepted.bundle.text()) {
                let kids: Vec<&str> = accepted.bundle.contents().keys.iter().map(|key| key.kid.as_str()).collect();
                state.used.retain(|kid, _| kids.contains(&kid.as_str()));
                let bundle = accepted.bundle.clone();
                state.installed = Some(Installed { bundle, installed_at: now, loaded_at: None });
                state.exports.values_mut().for_each(|export| export.due = true);
            }
            state.root = accepted.root.clone();
            to.into_iter().for_each(|to| state.begin_export(to));
            Ok(())
        })
    }

    /// Notes that the service has this value's bundle in memory, if nobody noted it before.
    ///
    /// [`Fault::Busy`] where another was installed since: nobody said that the service has that one.
    pub fn note_loaded(&mut self, now: UnixTime) -> Result<(), Fault> {
        let known = self.state.bundle_text().map(str::to_owned);
        self.change(|state| {
            if state.bundle_text() != known.as_deref() {
                return Err(Fault::Busy);
            }
            let installed = state.installed.as_mut().ok_or(Fault::Empty)?;
            installed.loaded_at = installed.loaded_at.or(Some(now));
            Ok(())
        })
    }

    /// Notes when tokens of these keys were last accepted; times only rise, unknown keys are left out.
    pub fn note_used<'k>(&mut self, used: impl IntoIterator<Item = (&'k str, UnixTime)>) -> Result<(), Fault> {
        self.change(|state| {
            let installed = state.installed.as_ref().ok_or(Fault::Empty)?;
            for (kid, at) in used {
                if installed.bundle.contents().keys.iter().any(|key| key.kid == kid) {
                    let last = state.used.entry(kid.to_owned()).or_insert(at);
                    *last = at.max(*last);
                }
            }
            Ok(())
        })
    }

    /// The next receipt, by the verifier's own key. Its number is taken, durably, before it is returned.
    ///
    /// [`Fault::ExportDue`] while an export directory may still have other files.
    pub fn receipt(&mut self, key: &PublicKey, signer: &dyn Sign, now: UnixTime) -> Result<String, Fault> {
        self.change(|state| {
            let contents = state.next_receipt(now)?;
            let text = receipt::sign(&contents, key, signer)?;
            state.counter = contents.counter;
            state.receipt = Some(Digest::of(text.as_bytes()));
            Ok(text)
        })
    }

    /// Verifies tokens of one service by the installed bundle. Make a new one after each installation.
    pub fn verifier(&self, service: &str) -> Result<Verifier, Fault> {
        let bundle = self.bundle().ok_or(Fault::Empty)?;
        match Verifier::of_bundle(bundle, service)? {
            Some(verifier) if verifier.has_keys() => Ok(verifier),
            Some(_) => Err(Fault::NoKeys { service: service.to_owned() }),
            None => {
                let known = bundle.contents().services.keys().cloned().collect();
                Err(Fault::Service { service: service.to_owned(), known })
            }
        }
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The verifier's name.
    pub fn name(&self) -> &str {
        &self.state.verifier
    }

    /// The fingerprint that was compared.
    pub fn pinned(&self) -> Digest {
        self.state.pinned
    }

    /// The newest root followed to.
    pub fn root(&self) -> &Root {
        &self.state.root
    }

    /// The installed bundle; none before the first installation.
    pub fn bundle(&self) -> Option<&Bundle> {
        self.state.installed.as_ref().map(|installed| &installed.bundle)
    }

    /// When the bundle was installed, exports included.
    pub fn installed_at(&self) -> Option<UnixTime> {
        self.state.installed.as_ref().map(|installed| installed.installed_at)
    }

    /// When the service took it into memory, where that was noted.
    pub fn loaded_at(&self) -> Option<UnixTime> {
        self.state.installed.as_ref().and_then(|installed| installed.loaded_at)
    }

    /// Under the lock, over what is on disk now; written only where something changed.
    fn change<T>(&mut self, alter: impl FnOnce(&mut State) -> Result<T, Fault>) -> Result<T, Fault> {
        let change = Change::begin(&self.directory)?;
        let (before, read) = State::read_in(&change, &self.directory)?;
        let mut state = before.clone();
        let result = alter(&mut state)?;
        if state != before {
            state.write(&change, Some(read))?;
        }
        self.state = state;
        Ok(result)
    }
}

impl Accepted<'_> {
    /// The bundle to install.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The root after installing.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// How many roots lie between the trusted one and that.
    pub fn new_roots(&self) -> u64 {
        self.roots
    }

    /// Whether installing it changes the store.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// A file of the publication, exactly as the bundle lists it: read once, and these are the bytes to use.
    pub fn file(&self, path: &str) -> Result<Vec<u8>, Fault> {
        read_listed(self.publication, &self.bundle, path)?.ok_or_else(|| Fault::FileMissing { path: path.to_owned() })
    }
}

/// Every root from the trusted one on, as long as there are any; how many there were.
fn follow(trusted: &Root, publication: &Publication) -> Result<(Root, u64), Fault> {
    let mut root = trusted.clone();
    let mut followed = 0;
    let read = |number| publication.read(&root::file_name(number), root::LONGEST as u64);
    loop {
        let next = root.root_version().saturating_add(1);
        match read(next)? {
            Some(bytes) => root = root.successor(&bytes)?,
            // A gap by its right name, before everything after it looks wrong.
            None if read(next.saturating_add(1))?.is_some() => {
                return Err(Fault::FileMissing { path: root::file_name(next) });
            }
            None => return Ok((root, followed)),
        }
        followed += 1;
    }
}

fn read_listed(publication: &Publication, bundle: &Bundle, path: &str) -> Result<Option<Vec<u8>>, Fault> {
    let listed = bundle.contents().files.get(path).ok_or_else(|| Fault::FileMissing { path: path.to_owned() })?;
    let found = publication.read(path, LARGEST_FILE)?;
    match found {
        Some(bytes) if Digest::of(&bytes) != *listed => Err(Fault::Changed { path: path.to_owned() }),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests;
