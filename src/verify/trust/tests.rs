//! A trust store against whatever may come on a stick, each attack with its well-formed twin.

mod crashes;
mod exchanged;
mod exports;
mod life;
mod sticks;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::bundle::Contents;
use crate::root::Terms;
use crate::vectors::{self, DAY, MADE, contents_1, root_1, signed, terms_1};

pub const NOW: UnixTime = UnixTime(MADE + 10 * DAY);

/// A machine with a trust store that pinned root 1, and a stick.
pub struct Machine {
    pub temp: tempfile::TempDir,
    pub trust: TrustStore,
}

impl Machine {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let root = root_1();
        let trust =
            TrustStore::pin(&temp.path().join("trust"), "api-1", root.text().as_bytes(), &root.fingerprint()).unwrap();
        fs::create_dir(temp.path().join("stick")).unwrap();
        Self { temp, trust }
    }

    pub fn stick(&self) -> PathBuf {
        self.temp.path().join("stick")
    }

    /// Puts a publication on the emptied stick.
    pub fn bring(&self, publication: &Stick) {
        fs::remove_dir_all(self.stick()).unwrap();
        publication.write(&self.stick());
    }

    /// Installs what is on the stick, and says which rule refused it.
    pub fn install(&mut self) -> &'static str {
        self.install_at(NOW)
    }

    pub fn install_at(&mut self, now: UnixTime) -> &'static str {
        let stick = self.stick();
        match try_install(&mut self.trust, &stick, now) {
            Ok(()) => "installed",
            Err(fault) => fault.code(),
        }
    }

    pub fn seq(&self) -> Option<u64> {
        TrustStore::open(self.trust.directory()).unwrap().bundle().map(Bundle::seq)
    }
}

pub fn try_install(trust: &mut TrustStore, stick: &Path, now: UnixTime) -> Result<(), Fault> {
    let publication = Publication::at(stick);
    let accepted = trust.examine(&publication, now)?;
    trust.install(&accepted, now)
}

/// A publication's files.
#[derive(Clone)]
pub struct Stick {
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Stick {
    /// These contents signed by a bundle key, with two files, and these roots.
    pub fn new(contents: &Contents, seed: u8, roots: &[Vec<u8>]) -> Self {
        let mut files = BTreeMap::from([
            ("for-api/jwks.json".to_owned(), format!("{{\"seq\":{}}}\n", contents.seq).into_bytes()),
            ("for-fed/fedn.env".to_owned(), b"A=1\n".to_vec()),
        ]);
        for (at, root) in roots.iter().enumerate() {
            files.insert(root::file_name(at as u64 + 1), root.clone());
        }
        let listed = files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect();
        let contents = Contents { files: listed, ..contents.clone() };
        files.insert(bundle::FILE_NAME.to_owned(), vectors::bundle(&contents, seed).into_bytes());
        Self { files }
    }

    /// Under root 1 alone.
    pub fn under_1(contents: &Contents) -> Self {
        Self::new(contents, 0x0a, &[signed(&terms_1(), &[1])])
    }

    pub fn bundle(&self) -> &[u8] {
        &self.files[bundle::FILE_NAME]
    }

    pub fn write(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let place = folder.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
    }
}

/// Publication `seq`; `previous` is not looked at but by the very next one.
pub fn numbered(seq: u64, previous: Option<&Stick>) -> Contents {
    let previous = match previous {
        Some(stick) => Some(Digest::of(stick.bundle())),
        None => (seq > 1).then(|| Digest::of(b"lost")),
    };
    Contents { seq, previous, issued_at: UnixTime(MADE + seq.min(1_000)), ..contents_1() }
}

/// A chain of roots 1 to `last`, each with custodians and a bundle key of its own.
pub fn chain(last: u64) -> Vec<Vec<u8>> {
    let own = |number: u64| u8::try_from(20 + number).unwrap();
    let mut roots = vec![signed(&terms_1(), &[1])];
    for number in 2..=last {
        let terms = Terms {
            root_version: number,
            root_keys: vectors::publics(&[own(number)]),
            bundle_keys: vectors::publics(&[own(number) + 50]),
            // Those between may have expired long ago.
            expires_at: UnixTime(if number == last { MADE + 400 * DAY } else { MADE + 1 }),
            ..terms_1()
        };
        let before = if number == 2 { 1 } else { own(number - 1) };
        roots.push(signed(&terms, &[before, own(number)]));
    }
    roots
}

/// The seed of the bundle key that root `number` of [`chain`] names.
pub fn bundle_seed(number: u64) -> u8 {
    u8::try_from(70 + number).unwrap()
}
