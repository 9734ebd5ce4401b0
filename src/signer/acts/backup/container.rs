//! The file of a backup (backup-v1.md): built, and taken apart again.

use super::archive::{self, Member};
use super::fault::BackupDenied;
use crate::journal::{hex, member, names, sha256};
use crate::keystore::{self, OwnUnlock, Passphrase, SealingIdentity, Unlocks};
use crate::refusal::Refusal;
use coldsign_verify::json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HEADER: &str = "coldsign-backup.json";
const HOW_TO_OPEN: &str = "HOW-TO-OPEN.txt";
const BODY: &str = "store.tar.age";
const MANIFEST: &str = "manifest.json";

const HOW_TO_OPEN_TEXT: &str = "\
This is a backup of a coldsign store: the keys of an access token signer. It is
of use only to somebody with one of its passphrases or its recovery code.

With coldsign, on a machine without a network:

    coldsign backup verify THIS-FILE
    coldsign --store NEW-PLACE backup restore THIS-FILE

Without it, with tar and age, where NAME is a file in unlock/:

    tar -xf THIS-FILE
    age -d unlock/NAME.age > identity        (asks for the passphrase)
    age -d -i identity store.tar.age | tar -x

The passphrase of `recovery` is the recovery code in capitals without hyphens.
Destroy the file `identity` afterwards: it opens everything.
";

/// `coldsign-backup.json`: what anybody can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    format: String,
    version: u64,
    /// Which store.
    #[serde(deserialize_with = "member::random")]
    pub store_id: String,
    /// Lines of the journal in it.
    #[serde(deserialize_with = "member::number")]
    pub size: u64,
    /// When it was made, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub made: u64,
    sums: BTreeMap<String, String>,
}

/// `manifest.json`: what is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: String,
    version: u64,
    /// Which store.
    #[serde(deserialize_with = "member::random")]
    pub store_id: String,
    /// Lines of the journal in it.
    #[serde(deserialize_with = "member::number")]
    pub size: u64,
    /// When it was made, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub made: u64,
    /// The unlock that was used.
    #[serde(deserialize_with = "member::unlock")]
    pub by: String,
    outer: BTreeMap<String, String>,
    /// SHA-256 of each file of the store, lower-case hex.
    pub files: BTreeMap<String, String>,
}

/// What goes into a backup.
pub struct Contents {
    /// Which store.
    pub store_id: String,
    /// Lines of the journal.
    pub size: u64,
    /// Seconds since the epoch.
    pub made: u64,
    /// The unlock that is used.
    pub by: String,
    /// Names of the unlocks with their files, in the journal's order.
    pub unlocks: Vec<(String, Vec<u8>)>,
    /// Their recipients.
    pub recipients: Vec<String>,
    /// The store's files by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A backup as it lies on a medium.
pub struct Sealed<'a> {
    file: PathBuf,
    header: Header,
    outer: Vec<Member<'a>>,
}

/// A backup taken apart, each byte accounted for.
pub struct Unpacked {
    /// What it says it is.
    pub manifest: Manifest,
    /// The store's files by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The name of a backup's file: `attempt` 1 is the plain one.
pub fn file_name(store_id: &str, size: u64, attempt: u32) -> String {
    let digest = hex(&sha256(store_id.as_bytes()));
    let store = digest.get(..8).unwrap_or_default();
    let further = if attempt > 1 { format!("-{attempt}") } else { String::new() };
    format!("coldsign-backup-{store}-{size:06}{further}.tar")
}

/// The bytes of a backup.
///
/// # Errors
/// [`BackupDenied::Unwritable`], or as sealing fails.
pub fn build(contents: Contents) -> Result<Vec<u8>, Refusal> {
    let Contents { store_id, size, made, by, unlocks, recipients, files } = contents;
    let mut outer = vec![(HOW_TO_OPEN.to_owned(), HOW_TO_OPEN_TEXT.as_bytes().to_vec())];
    outer.extend(unlocks.into_iter().map(|(name, file)| (format!("unlock/{name}.age"), file)));
    let mut manifest = Manifest {
        format: "coldsign-backup-manifest".to_owned(),
        version: 1,
        store_id,
        size,
        made,
        by,
        outer: sums(outer.iter().map(|(path, bytes)| (path, bytes.as_slice()))),
        files: sums(files.iter().map(|(path, bytes)| (path, bytes.as_slice()))),
    };
    let mut inner = Vec::new();
    archive::append(&mut inner, MANIFEST, &json_line(&manifest), made).map_err(BackupDenied::from)?;
    for (path, bytes) in files {
        archive::append(&mut inner, &path, &bytes, made).map_err(BackupDenied::from)?;
    }
    archive::finish(&mut inner);
    let mut sealed = Vec::with_capacity(inner.len() + inner.len() / 2048 + 4096);
    keystore::seal_onto(&recipients, &inner, &mut sealed)?;
    drop(inner);
    let mut all = std::mem::take(&mut manifest.outer);
    all.insert(BODY.to_owned(), hex(&sha256(&sealed)));
    let header =
        Header { format: "coldsign-backup".to_owned(), version: 1, store_id: manifest.store_id, size, made, sums: all };
    let mut backup = Vec::with_capacity(sealed.len() + 64 * 1024);
    outer.insert(0, (HEADER.to_owned(), json_line(&header)));
    outer.push((BODY.to_owned(), sealed));
    for (path, bytes) in &outer {
        archive::append(&mut backup, path, bytes, made).map_err(BackupDenied::from)?;
    }
    archive::finish(&mut backup);
    Ok(backup)
}

impl<'a> Sealed<'a> {
    /// Reads what can be seen, and finds a bad copy. `file` names it in refusals.
    ///
    /// # Errors
    /// [`BackupDenied::NoBackup`], [`BackupDenied::Version`], [`BackupDenied::Damaged`].
    pub fn read(file: &Path, bytes: &'a [u8]) -> Result<Self, BackupDenied> {
        let damaged = |what: String| BackupDenied::Damaged { file: file.to_owned(), what };
        if !bytes.starts_with(HEADER.as_bytes()) {
            return Err(BackupDenied::NoBackup(file.to_owned()));
        }
        let (mut outer, time) = archive::read(bytes).map_err(|fault| damaged(fault.to_string()))?;
        if outer.first().is_none_or(|first| first.path != HEADER) {
            return Err(BackupDenied::NoBackup(file.to_owned()));
        }
        let first = outer.remove(0);
        let header: Header = parse(first.bytes, file, "coldsign-backup", HEADER)?;
        if json_line(&header) != first.bytes || header.made != time {
            return Err(damaged(format!("{HEADER} is not as a backup has it")));
        }
        differing(&header.sums, outer.iter().map(|member| (&member.path, member.bytes))).map_err(damaged)?;
        let unlocks = outer.iter().skip(1).rev().skip(1).all(|member| unlock_of(&member.path).is_some());
        let ordered = [outer.first(), outer.last()].map(|member| member.map(|member| member.path.as_str()));
        if ordered != [Some(HOW_TO_OPEN), Some(BODY)] || !unlocks {
            return Err(damaged("its members are not those of a backup".to_owned()));
        }
        Ok(Self { file: file.to_owned(), header, outer })
    }

    /// What can be seen.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Names of the unlocks of its day.
    pub fn unlocks(&self) -> impl Iterator<Item = &str> {
        self.outer.iter().filter_map(|member| unlock_of(&member.path))
    }

    /// The unlock to open it with: the one named, or the first person's.
    ///
    /// # Errors
    /// [`BackupDenied::NoUnlock`].
    pub fn unlock_name(&self, named: Option<&str>) -> Result<String, BackupDenied> {
        let usual = || self.unlocks().find(|name| *name != Unlocks::RECOVERY);
        let name = named.or_else(usual).unwrap_or(Unlocks::RECOVERY);
        if self.unlocks().any(|unlock| unlock == name) {
            return Ok(name.to_owned());
        }
        Err(BackupDenied::NoUnlock { name: name.to_owned(), has: self.unlocks().map(str::to_owned).collect() })
    }

    /// One unlock's own file, opened.
    ///
    /// # Errors
    /// [`keystore::KeystoreFault::WrongPassphrase`], [`BackupDenied::NoUnlock`].
    pub fn own(&self, unlock: &str, passphrase: &Passphrase) -> Result<OwnUnlock, Refusal> {
        let unlock = self.unlock_name(Some(unlock))?;
        let path = format!("unlock/{unlock}.age");
        let wrapped = self.outer.iter().find(|member| member.path == path).map_or(&[][..], |member| member.bytes);
        Ok(keystore::open_wrapped(&path, &unlock, wrapped, passphrase)?)
    }

    /// Takes it apart with an unlock's identity and accounts for each byte.
    ///
    /// # Errors
    /// [`BackupDenied::Damaged`].
    pub fn unpack(&self, identity: &SealingIdentity) -> Result<Unpacked, BackupDenied> {
        let damaged = |what: String| BackupDenied::Damaged { file: self.file.clone(), what };
        let body = self.outer.last().map_or(&[][..], |member| member.bytes);
        let inner = identity.open_long(body).map_err(|what| damaged(format!("{BODY}: {what}")))?;
        let within = |what: String| damaged(format!("{BODY}: {what}"));
        let (mut members, time) = archive::read(&inner).map_err(|fault| within(fault.to_string()))?;
        if members.first().is_none_or(|first| first.path != MANIFEST) {
            return Err(within(format!("{MANIFEST} is not there")));
        }
        let first = members.remove(0);
        let manifest: Manifest = parse(first.bytes, &self.file, "coldsign-backup-manifest", MANIFEST)?;
        differing(&manifest.files, members.iter().map(|member| (&member.path, member.bytes))).map_err(within)?;
        if !members.is_sorted_by(|one, next| one.path < next.path) {
            return Err(within("its files are not in order".to_owned()));
        }
        let says = (&manifest.store_id, manifest.size, manifest.made);
        if says != (&self.header.store_id, self.header.size, self.header.made) || manifest.made != time {
            return Err(damaged(format!("{HEADER} was changed")));
        }
        let beside = self.outer.iter().filter(|member| member.path != BODY);
        differing(&manifest.outer, beside.map(|member| (&member.path, member.bytes))).map_err(damaged)?;
        let files: BTreeMap<_, _> = members.into_iter().map(|member| (member.path, member.bytes.to_vec())).collect();
        let twins = self.outer.iter().filter(|member| unlock_of(&member.path).is_some());
        for twin in twins {
            if files.get(&twin.path).map(Vec::as_slice) != Some(twin.bytes) {
                return Err(damaged(format!("{} is not the store's", twin.path)));
            }
        }
        Ok(Unpacked { manifest, files })
    }
}

fn unlock_of(path: &str) -> Option<&str> {
    path.strip_prefix("unlock/").and_then(|name| name.strip_suffix(".age")).filter(|name| names::is_unlock(name))
}

fn sums<'a>(files: impl Iterator<Item = (&'a String, &'a [u8])>) -> BTreeMap<String, String> {
    files.map(|(path, bytes)| (path.clone(), hex(&sha256(bytes)))).collect()
}

/// What differs between the digests and the files, if anything does.
fn differing<'a>(
    sums: &BTreeMap<String, String>,
    files: impl Iterator<Item = (&'a String, &'a [u8])>,
) -> Result<(), String> {
    let mut found = 0;
    for (path, bytes) in files {
        match sums.get(path) {
            None => return Err(format!("{path} is in no list of its files")),
            Some(sum) if *sum != hex(&sha256(bytes)) => return Err(format!("{path} was changed")),
            Some(_) => found += 1,
        }
    }
    if found == sums.len() { Ok(()) } else { Err("a file is missing".to_owned()) }
}

fn json_line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn parse<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    file: &Path,
    format: &str,
    name: &str,
) -> Result<T, BackupDenied> {
    let damaged = |what: String| BackupDenied::Damaged { file: file.to_owned(), what: format!("{name}: {what}") };
    let value = json::parse(bytes).map_err(|error| damaged(error.to_string()))?;
    let version = value.get("version").and_then(|version| version.as_u64());
    match (value.get("format").and_then(|format| format.as_str()), version) {
        (Some(found), Some(1)) if found == format => {}
        (Some(found), Some(version)) if found == format => return Err(BackupDenied::Version(version)),
        _ => return Err(damaged("it is of another format".to_owned())),
    }
    serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_page_s_name_and_header() {
        let page = include_str!("../../../../docs/formats/backup-v1.md");
        let store_id = "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
        assert!(page.contains(&file_name(&store_id, 42, 1)), "{}", file_name(&store_id, 42, 1));
        assert!(file_name(&store_id, 42, 2).ends_with("-000042-2.tar"));
        let nothing: &[u8] = &[];
        let header = Header {
            format: "coldsign-backup".to_owned(),
            version: 1,
            store_id,
            size: 42,
            made: 1_800_000_000,
            sums: sums([(&"a".to_owned(), nothing)].into_iter()),
        };
        let shown = String::from_utf8(json_line(&header)).unwrap();
        assert!(page.contains(shown.trim_end()), "{shown}");
    }
}
