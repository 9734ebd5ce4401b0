//! Where a file is changed: in a sample, at places that stand for all others, or everywhere.

use std::collections::BTreeSet;

/// How much of a file is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A few places, for every day.
    Sample,
    /// Each place that its structure tells apart: the whole regime.
    Structure,
    /// Each byte: hours.
    Everything,
}

/// What `CORRUPTION` asks for.
pub fn asked() -> Reach {
    match std::env::var("CORRUPTION").as_deref() {
        Err(_) => Reach::Sample,
        Ok("all") => Reach::Structure,
        Ok("every") => Reach::Everything,
        Ok(other) => panic!("CORRUPTION is all or every, not {other}"),
    }
}

/// Places in a file; in a sample about `few` of them.
pub fn of(bytes: &[u8], few: usize) -> Vec<usize> {
    match asked() {
        Reach::Sample => (0..bytes.len()).step_by((bytes.len() / few).max(1)).collect(),
        Reach::Everything => (0..bytes.len()).collect(),
        Reach::Structure => structure(bytes).into_iter().collect(),
    }
}

/// The edges and the middle of each run of characters of one kind, in one line of each shape and in the
/// last two lines; in what is no text the beginning, the end, and a byte of each block of 64.
fn structure(bytes: &[u8]) -> BTreeSet<usize> {
    let mut places = BTreeSet::new();
    let mut shapes = BTreeSet::new();
    let text = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |_| bytes.len());
    let lines: Vec<&[u8]> = bytes[..text].split_inclusive(|byte| *byte == b'\n').collect();
    let mut begin = 0;
    for (at, line) in lines.iter().enumerate() {
        if shapes.insert(shape(line)) || at + 2 >= lines.len() {
            places.extend(edges(line).into_iter().map(|place| begin + place));
        }
        begin += line.len();
    }
    let rest = text..bytes.len();
    places.extend(rest.clone().take(32).chain(rest.clone().rev().take(16)).chain(rest.step_by(64)));
    places
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'/' | b'+' | b'.' => b'a',
        other => other,
    }
}

/// A line's kinds of characters, each run once.
fn shape(line: &[u8]) -> Vec<u8> {
    let mut shape: Vec<u8> = line.iter().map(|byte| kind(*byte)).collect();
    shape.dedup();
    shape
}

fn edges(line: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut begin = 0;
    for run in line.chunk_by(|one, next| kind(*one) == kind(*next)) {
        places.extend([begin, begin + run.len() / 2, begin + run.len() - 1]);
        begin += run.len();
    }
    places
}

#[test]
fn places_stand_for_each_part_of_a_line_and_for_each_shape_once() {
    let bytes = b"{\"index\":1,\"by\":\"a\"}\n{\"index\":2,\"by\":\"b\"}\n{\"index\":3,\"by\":\"c\"}\n{\"index\":4,\"by\":\"d\"}\n";
    let places = structure(bytes);
    let line = bytes.len() / 4;
    let within = |from: usize| places.range(from * line..(from + 1) * line).count();
    assert!(within(0) > 12 && within(1) == 0 && within(2) == within(0) && within(3) == within(0));
    let sealed = [&b"age-encryption.org/v1\n-> X25519 abc\n--- "[..], &[0xff; 300]].concat();
    assert!(structure(&sealed).contains(&(sealed.len() - 1)) && structure(&sealed).len() > 60);
}
