//! `SHA256SUMS`: which files a folder has, so that a bad copy is found. It is no signature.

use std::collections::BTreeMap;

use super::fingerprint::sha256_hex;

/// The manifest's own name, which it does not list.
pub(super) const NAME: &str = "SHA256SUMS";

/// The manifest of these files as `sha256sum -c` reads it: digest, two blanks, path; sorted by path; LF.
pub(super) fn manifest(files: &BTreeMap<String, Vec<u8>>) -> String {
    files.iter().map(|(path, bytes)| format!("{}  {path}\n", sha256_hex(bytes))).collect()
}

/// How a folder differs from its own `SHA256SUMS`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Difference {
    /// There is no `SHA256SUMS`, or it lists nothing.
    #[error("SHA256SUMS is missing or empty")]
    NoManifest,
    /// A line of `SHA256SUMS` that is not a digest, two blanks and a path of its own.
    #[error("line {line} of SHA256SUMS can't be read")]
    BadLine {
        /// Counted from 1.
        line: usize,
    },
    /// Listed, but not there.
    #[error("{path} is missing")]
    Missing {
        /// Relative to the folder, with forward slashes.
        path: String,
    },
    /// There, but not listed.
    #[error("{path} is not listed in SHA256SUMS")]
    Extra {
        /// Relative to the folder, with forward slashes.
        path: String,
    },
    /// There with other bytes.
    #[error("{path} is not what SHA256SUMS says")]
    Changed {
        /// Relative to the folder, with forward slashes.
        path: String,
    },
}

/// Checks a folder's files against its `SHA256SUMS`, both ways.
///
/// Keys are paths relative to the folder, with forward slashes.
///
/// # Errors
/// Every difference there is, in the order of [`Difference`].
pub fn verify_folder(files: &BTreeMap<String, Vec<u8>>) -> Result<(), Vec<Difference>> {
    let mut differences = Vec::new();
    let text = files.get(NAME).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    if text.is_empty() {
        differences.push(Difference::NoManifest);
    }
    let mut listed = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let fresh = entry(line).filter(|(_, path)| !listed.contains_key(path));
        match fresh {
            Some((digest, path)) => drop(listed.insert(path, digest)),
            None => differences.push(Difference::BadLine { line: index + 1 }),
        }
    }
    for (path, digest) in &listed {
        match files.get(*path) {
            None => differences.push(Difference::Missing { path: (*path).to_owned() }),
            Some(bytes) if sha256_hex(bytes) != **digest => {
                differences.push(Difference::Changed { path: (*path).to_owned() });
            }
            Some(_) => {}
        }
    }
    let extra = files.keys().filter(|path| *path != NAME && !listed.contains_key(path.as_str()));
    differences.extend(extra.map(|path| Difference::Extra { path: path.clone() }));
    differences.sort();
    if differences.is_empty() { Ok(()) } else { Err(differences) }
}

fn entry(line: &str) -> Option<(&str, &str)> {
    let (digest, path) = line.split_once("  ")?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_digest && is_safe(path)).then_some((digest, path))
}

/// Whether a path stays below its folder and can be written on a FAT stick.
pub(super) fn is_safe(path: &str) -> bool {
    path != NAME
        && path.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::from([
            ("for-api/jwks.json".to_owned(), b"{}\n".to_vec()),
            ("for-api/service.json".to_owned(), b"[]\n".to_vec()),
        ]);
        files.insert(NAME.to_owned(), manifest(&files).into_bytes());
        files
    }

    #[test]
    fn a_whole_folder_is_in_order() {
        assert_eq!(verify_folder(&folder()), Ok(()));
    }

    #[test]
    fn every_kind_of_damage_is_named() {
        let mut files = folder();
        files.remove("for-api/jwks.json");
        files.insert("for-api/service.json".to_owned(), b"[ ]\n".to_vec());
        files.insert("for-api/more.txt".to_owned(), vec![]);
        assert_eq!(
            verify_folder(&files),
            Err(vec![
                Difference::Missing { path: "for-api/jwks.json".to_owned() },
                Difference::Extra { path: "for-api/more.txt".to_owned() },
                Difference::Changed { path: "for-api/service.json".to_owned() },
            ])
        );
    }

    #[test]
    fn a_folder_without_manifest_is_refused() {
        let mut files = folder();
        files.remove(NAME);
        assert!(verify_folder(&files).unwrap_err().contains(&Difference::NoManifest));
    }

    #[test]
    fn lines_that_point_elsewhere_or_stand_twice_are_refused() {
        let digest = sha256_hex(b"");
        for path in ["../x", "/etc/passwd", "a//b", "SHA256SUMS", "a:b", "-x", ".hidden", "a.", "a b", ""] {
            let files = BTreeMap::from([(NAME.to_owned(), format!("{digest}  {path}\n").into_bytes())]);
            assert_eq!(verify_folder(&files), Err(vec![Difference::BadLine { line: 1 }]), "{path}");
        }
        let twice = format!("{digest}  a\n{digest}  a\n");
        let files = BTreeMap::from([(NAME.to_owned(), twice.into_bytes()), ("a".to_owned(), vec![])]);
        assert_eq!(verify_folder(&files), Err(vec![Difference::BadLine { line: 2 }]));
    }
}
