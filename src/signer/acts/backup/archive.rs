//! The ustar archives of a backup (backup-v1.md, Archives): one shape, written and read.
//!
//! A reader builds every header anew and compares, so that no byte of an archive is free.

use std::collections::BTreeSet;

const BLOCK: usize = 512;
const NAME: usize = 100;
const PREFIX: usize = 155;
/// Eleven octal digits.
const LARGEST: u64 = (8 << 30) - 1;

/// Why bytes are not an archive of that shape, or can't become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// A path that no archive of ours has.
    #[error("{0:?} is no path of a backup")]
    Path(String),
    /// A member of 8 GiB or more.
    #[error("{path} has {bytes} bytes; a member has less than 8 GiB")]
    TooLarge {
        /// Its path.
        path: String,
        /// Its length.
        bytes: u64,
    },
    /// A member's header is not the one its path, size and time have.
    #[error("the header at byte {0} is not as a backup has it")]
    Header(usize),
    /// It ends before its end.
    #[error("it is cut short at byte {0}")]
    Short(usize),
    /// Something stands where NULs belong, or after the end.
    #[error("byte {0} should be empty")]
    Filled(usize),
    /// Two members have one path.
    #[error("{0} is there twice")]
    Twice(String),
}

/// A member as read.
#[derive(Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its path.
    pub path: String,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Appends a member.
///
/// # Errors
/// [`ArchiveFault::Path`], [`ArchiveFault::TooLarge`].
pub fn append(archive: &mut Vec<u8>, path: &str, bytes: &[u8], time: u64) -> Result<(), ArchiveFault> {
    archive.extend_from_slice(&header(path, bytes.len() as u64, time)?);
    archive.extend_from_slice(bytes);
    fill_block(archive);
    Ok(())
}

/// Ends an archive.
pub fn finish(archive: &mut Vec<u8>) {
    archive.extend_from_slice(&[0; 2 * BLOCK]);
}

/// Reads an archive; its members in order, and their one time.
///
/// # Errors
/// [`ArchiveFault`].
pub fn read(archive: &[u8]) -> Result<(Vec<Member<'_>>, u64), ArchiveFault> {
    let mut members = Vec::new();
    let mut paths = BTreeSet::new();
    let mut time = None;
    let mut at = 0;
    loop {
        let found = archive.get(at..at + BLOCK).ok_or(ArchiveFault::Short(archive.len()))?;
        if found.iter().all(|byte| *byte == 0) {
            break;
        }
        let (path, size, when) = fields(found).ok_or(ArchiveFault::Header(at))?;
        let time = *time.get_or_insert(when);
        if header(&path, size, time).map_or(true, |header| header != found) {
            return Err(ArchiveFault::Header(at));
        }
        if !paths.insert(path.clone()) {
            return Err(ArchiveFault::Twice(path));
        }
        at += BLOCK;
        let end = usize::try_from(size).ok().and_then(|size| at.checked_add(size));
        let end = end.ok_or(ArchiveFault::Short(archive.len()))?;
        let bytes = archive.get(at..end).ok_or(ArchiveFault::Short(archive.len()))?;
        at = end.next_multiple_of(BLOCK);
        empty(archive, end, at)?;
        members.push(Member { path, bytes });
    }
    empty(archive, at, at + 2 * BLOCK)?;
    match archive.len() == at + 2 * BLOCK {
        true => Ok((members, time.unwrap_or(0))),
        false => Err(ArchiveFault::Filled(at + 2 * BLOCK)),
    }
}

fn empty(archive: &[u8], from: usize, to: usize) -> Result<(), ArchiveFault> {
    let found = archive.get(from..to).ok_or(ArchiveFault::Short(archive.len()))?;
    match found.iter().position(|byte| *byte != 0) {
        Some(at) => Err(ArchiveFault::Filled(from + at)),
        None => Ok(()),
    }
}

fn fill_block(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

fn header(path: &str, bytes: u64, time: u64) -> Result<[u8; BLOCK], ArchiveFault> {
    if bytes > LARGEST {
        return Err(ArchiveFault::TooLarge { path: path.to_owned(), bytes });
    }
    let (prefix, name) = split(path).ok_or_else(|| ArchiveFault::Path(path.to_owned()))?;
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = header.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000600\x000000000\x000000000\0");
    put(124, format!("{bytes:011o}\0{time:011o}\0").as_bytes());
    // The checksum counts its own field as blanks.
    put(148, b"        0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = header.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    Ok(header)
}

/// Path, size and time as the header's fields have them, sound or not.
fn fields(header: &[u8]) -> Option<(String, u64, u64)> {
    let text = |from: usize, to: usize| {
        let field = header.get(from..to)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        std::str::from_utf8(field.get(..end)?).ok()
    };
    let number = |from: usize| u64::from_str_radix(text(from, from + 12)?, 8).ok();
    let (name, prefix) = (text(0, NAME)?, text(345, 345 + PREFIX)?);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    Some((path, number(124)?, number(136)?))
}

/// What goes into the fields prefix and name.
fn split(path: &str) -> Option<(&str, &str)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sound = path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain));
    if !sound {
        return None;
    }
    if path.len() <= NAME {
        return Some(("", path));
    }
    let cuts = path.match_indices('/').filter_map(|(at, _)| Some((path.get(..at)?, path.get(at + 1..)?)));
    let mut cuts = cuts.skip_while(|(_, name)| name.len() > NAME);
    cuts.next().filter(|(prefix, _)| prefix.len() <= PREFIX)
}

#[cfg(test)]
mod tests {
    use super::super::fault::BackupDenied;
    use super::*;
    use crate::journal::{hex, sha256};
    use crate::refusal::Refuse;

    const TIME: u64 = 1_800_000_000;

    fn vector() -> Vec<u8> {
        let mut archive = Vec::new();
        append(&mut archive, "a", b"one\n", TIME).unwrap();
        let long = format!("publications/000001/{}/{}", "b".repeat(60), "c".repeat(60));
        append(&mut archive, &long, b"", TIME).unwrap();
        finish(&mut archive);
        archive
    }

    #[test]
    fn the_format_page_s_vector() {
        let archive = vector();
        assert_eq!(archive.len(), 2_560);
        let page = include_str!("../../../../docs/formats/backup-v1.md");
        assert!(page.contains(&hex(&sha256(&archive))), "{}", hex(&sha256(&archive)));
        let (members, time) = read(&archive).unwrap();
        assert_eq!((members.len(), time), (2, TIME));
        assert_eq!(members[0], Member { path: "a".to_owned(), bytes: b"one\n" });
    }

    #[test]
    fn each_changed_byte_and_each_truncation_is_seen() {
        let archive = vector();
        for at in 0..archive.len() {
            if (BLOCK..BLOCK + 4).contains(&at) {
                continue; // a member's own bytes: whoever knows them checks them
            }
            for flip in [0x01, 0x10, 0x80] {
                let mut changed = archive.clone();
                changed[at] ^= flip;
                assert!(read(&changed).is_err(), "byte {at} flipped by {flip}");
            }
            assert!(read(&archive[..at]).is_err(), "cut at {at}");
        }
        let longer = [archive.as_slice(), &[0]].concat();
        assert_eq!(read(&longer), Err(ArchiveFault::Filled(2_560)));
    }

    #[test]
    fn what_does_not_fit_the_size_field_is_refused() {
        assert!(header("a", LARGEST, TIME).is_ok());
        let denied = BackupDenied::from(header("a", LARGEST + 1, TIME).unwrap_err());
        assert_eq!(denied.rule(), Some("BACKUP-SIZE"));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_no_paths() {
        let component = "x".repeat(101);
        for path in ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a b", "a\\b", "ä", "a\n", &component] {
            assert!(append(&mut Vec::new(), path, b"", TIME).is_err(), "{path:?}");
        }
        let mut twice = Vec::new();
        append(&mut twice, "a", b"", TIME).unwrap();
        append(&mut twice, "a", b"", TIME).unwrap();
        finish(&mut twice);
        assert_eq!(read(&twice), Err(ArchiveFault::Twice("a".to_owned())));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..1600)) {
            let _ = read(&bytes);
        }

        #[test]
        fn every_archive_reads_back(members in proptest::collection::btree_map(
            "[a-z_-]{1,90}(/[a-z0-9][a-z0-9.]{0,60}){0,2}", proptest::collection::vec(proptest::num::u8::ANY, 0..1200), 0..5)
        ) {
            let mut archive = Vec::new();
            for (path, bytes) in &members {
                append(&mut archive, path, bytes, TIME).unwrap();
            }
            finish(&mut archive);
            let (read, _) = read(&archive).unwrap();
            let found: Vec<_> = read.iter().map(|member| (member.path.clone(), member.bytes.to_vec())).collect();
            proptest::prop_assert_eq!(found, members.into_iter().collect::<Vec<_>>());
        }
    }
}
