//! The running program: its fingerprint, and whether it stands on its own.

use super::Finding;
use crate::storage::read_file;
use coldsign_verify::words;
use sha2::{Digest, Sha256};
use std::path::Path;

/// No program of ours comes near to it, in bytes.
const LARGEST: u64 = 1 << 30;

// ELF-64, little-endian: the header's and the program headers' fields (System V ABI, chapter 4).
const MAGIC: &[u8] = b"\x7fELF\x02\x01";
const PHOFF: usize = 32;
const PHENTSIZE: usize = 54;
const PHNUM: usize = 56;
const PT_INTERP: u32 = 3;

const WHY_DYNAMIC: &str = "it runs with whatever C library this machine has";
const WHY_DEVELOPMENT: &str = "it is slow, and nobody else has the same to compare it with";
const WHY_UNREAD: &str = "its fingerprint can't be told without it";

/// A program's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Whether it runs without a loader and shared libraries; none where its format isn't known.
    pub stands_alone: Option<bool>,
}

impl Program {
    /// Its fingerprint as 24 words.
    #[must_use]
    pub fn words(&self) -> [&'static str; words::COUNT] {
        words::of(&self.sha256)
    }
}

pub(super) fn read(path: &Path) -> Option<Program> {
    let bytes = read_file(path, LARGEST).ok()?;
    Some(Program { sha256: Sha256::digest(&bytes).into(), stands_alone: stands_alone(&bytes) })
}

pub(super) fn findings(program: Option<&Program>, release_build: bool) -> Vec<Finding> {
    let Some(program) = program else {
        return vec![
            Finding::look("program", "its own file could not be read", WHY_UNREAD)
                .try_this("sha256sum $(command -v coldsign)"),
        ];
    };
    let mut findings = vec![match program.stands_alone {
        Some(true) => Finding::ok("program", "it needs nothing of this machine but the kernel"),
        Some(false) => Finding::look("program", "it needs shared libraries", WHY_DYNAMIC).try_this("just appliance"),
        None => Finding::look("program", "whether it needs shared libraries is not known here", WHY_DYNAMIC),
    }];
    if !release_build {
        findings
            .push(Finding::look("build", "it was built for development", WHY_DEVELOPMENT).try_this("just appliance"));
    }
    findings
}

/// Whether an ELF program names no loader.
fn stands_alone(file: &[u8]) -> Option<bool> {
    if !file.starts_with(MAGIC) {
        return None;
    }
    let start = usize::try_from(number(file, PHOFF, 8)?).ok()?;
    let size = usize::try_from(number(file, PHENTSIZE, 2)?).ok()?;
    let count = usize::try_from(number(file, PHNUM, 2)?).ok()?;
    for index in 0..count {
        let at = start.checked_add(index.checked_mul(size)?)?;
        if number(file, at, 4)? == u64::from(PT_INTERP) {
            return Some(false);
        }
    }
    Some(true)
}

fn number(file: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = file.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(types: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 64];
        file[..MAGIC.len()].copy_from_slice(MAGIC);
        (file[PHOFF], file[PHENTSIZE], file[PHNUM]) = (64, 56, u8::try_from(types.len()).unwrap());
        for kind in types {
            file.push(*kind);
            file.extend([0; 55]);
        }
        file
    }

    #[test]
    fn a_program_with_a_loader_does_not_stand_alone() {
        assert_eq!(stands_alone(&elf(&[1, 2])), Some(true));
        assert_eq!(stands_alone(&elf(&[6, 3, 1])), Some(false));
        assert_eq!(stands_alone(b"#!/bin/sh"), None);
        for cut in 0..elf(&[6, 3]).len() {
            let _ = stands_alone(&elf(&[6, 3])[..cut]);
        }
        let mut hostile = elf(&[1]);
        hostile[PHOFF..PHOFF + 8].fill(0xff);
        assert_eq!(stands_alone(&hostile), None);
    }
}
