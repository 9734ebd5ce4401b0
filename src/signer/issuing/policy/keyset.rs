//! Keysets: named series of keys of one algorithm.

use std::collections::{BTreeMap, BTreeSet};

use coldsign_verify::Algorithm;

use super::duration;
use super::fault::Rule;
use super::names;
use super::section::{Report, Section};

/// A keyset as the policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyset {
    /// Its name.
    pub name: String,
    /// What its keys sign with.
    pub algorithm: Algorithm,
    /// The modulus length of its RS256 keys: 2048, 3072 or 4096; `None` for the others.
    pub bits: Option<u32>,
    /// R: how long each of its keys signs, in seconds.
    pub rotate_every: u64,
    /// The line of the policy, counted from 1.
    pub line: usize,
    /// The line that says `rotate_every`, or the keyset's.
    pub(super) rotation_line: usize,
}

/// R where the policy says nothing, in seconds.
pub(super) const USUAL_ROTATION: u64 = 180 * 86_400;

/// The algorithms by their JOSE names.
pub(super) const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("EdDSA", Algorithm::EdDsa),
    ("Ed25519", Algorithm::Ed25519),
    ("ES256", Algorithm::Es256),
    ("RS256", Algorithm::Rs256),
];

/// The keysets, and the names of those whose algorithm couldn't be read: services may name them too.
pub(super) fn read(root: &Section<'_>, report: &mut Report) -> (BTreeMap<String, Keyset>, BTreeSet<String>) {
    let mut keysets = BTreeMap::new();
    let mut unread = BTreeSet::new();
    for (name, section) in root.sections("keysets", report) {
        section.only(&["algorithm", "bits", "rotate_every"], report);
        if !names::is_plain(name) {
            let fact = format!("{name:?} can't name a keyset: a-z, 0-9 and -, at most 64, no - in front");
            report.fault(section.line(), Rule::Name, fact);
        }
        section.required("algorithm", report);
        let algorithm = section.choice("algorithm", &ALGORITHMS, report);
        let bits = bits(&section, algorithm, report);
        let rotate_every = section.duration("rotate_every", 0, duration::LONGEST, report).unwrap_or(USUAL_ROTATION);
        let Some(algorithm) = algorithm else {
            unread.insert(name.to_owned());
            continue;
        };
        let rotation_line = section.line_of("rotate_every");
        let keyset =
            Keyset { name: name.to_owned(), algorithm, bits, rotate_every, line: section.line(), rotation_line };
        keysets.insert(name.to_owned(), keyset);
    }
    (keysets, unread)
}

fn bits(section: &Section<'_>, algorithm: Option<Algorithm>, report: &mut Report) -> Option<u32> {
    let written = section.integer("bits", i64::MIN..=i64::MAX, report);
    match (algorithm?, written) {
        (Algorithm::Rs256, None) => Some(2048),
        (Algorithm::Rs256, Some(2048)) => Some(2048),
        (Algorithm::Rs256, Some(3072)) => Some(3072),
        (Algorithm::Rs256, Some(4096)) => Some(4096),
        (Algorithm::Rs256, Some(other)) => {
            let fact = format!("{} is {other}, not 2048, 3072 or 4096", section.dotted("bits"));
            report.fault(section.line_of("bits"), Rule::Range, fact);
            None
        }
        (_, None) => None,
        (algorithm, Some(_)) => {
            let fact = format!("{} belongs to RS256 only, and this keyset is {algorithm}", section.dotted("bits"));
            report.fault(section.line_of("bits"), Rule::Algorithm, fact);
            None
        }
    }
}
