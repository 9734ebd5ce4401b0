//! The journal: one commit, and opening stores of growing age.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use coldsign::acts::Store;
use coldsign::journal::sha256;

use crate::measure::{line, median, once, unit};
use crate::{say, store};

/// Lines committed in one group while a journal is made.
const GROUP: usize = 10_000;
const COMMITS: usize = 200;

pub fn run() {
    let folder = tempfile::tempdir().unwrap();
    let place = store::make(folder.path());
    commit(folder.path(), &place);
    let mut made = 0;
    for (lines, turns) in [(10_000, 9), (100_000, 5), (1_000_000, 1)] {
        grow(&place, &mut made, lines);
        open(&place, lines, turns);
    }
}

/// One entry under its checkpoint, against appending and synchronising as many bytes.
fn commit(folder: &Path, place: &Path) {
    let mut session = store::session(place);
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("floor")).unwrap();
    let journal = place.join("journal/entries.jsonl");
    let turns: Vec<(f64, f64)> = (0..COMMITS)
        .map(|number| {
            let before = fs::metadata(&journal).unwrap().len();
            let lines = store::lines(10_000_000 + 3 * number, 1);
            let ((), ours) = once(|| session.record(&lines).unwrap());
            let grown = vec![b'x'; usize::try_from(fs::metadata(&journal).unwrap().len() - before).unwrap()];
            let ((), floor) = once(|| {
                file.write_all(&grown).unwrap();
                file.sync_data().unwrap();
            });
            (ours, floor)
        })
        .collect();
    let ours = median(turns.iter().map(|turn| turn.0));
    let floor = median(turns.iter().map(|turn| turn.1));
    let ratio = median(turns.iter().map(|turn| turn.0 / turn.1));
    line("commit of one entry / append + fdatasync", ours, floor, ratio, None);
}

fn grow(place: &Path, made: &mut usize, lines: usize) {
    let mut session = store::session(place);
    while *made < lines {
        let group = GROUP.min(lines - *made);
        session.record(&store::lines(*made, group)).unwrap();
        *made += group;
    }
}

/// Opening for reading (`status`, `token list`), against reading the file and hashing each line twice:
/// once for the chain, once as the tree's leaf.
fn open(place: &Path, lines: usize, turns: usize) {
    let journal = place.join("journal/entries.jsonl");
    let bytes = fs::metadata(&journal).unwrap().len();
    let pairs: Vec<(f64, f64)> = (0..turns)
        .map(|_| {
            let (store, ours) = once(|| Store::open(place).unwrap());
            assert!(store.journal().entries().len() >= lines);
            drop(store);
            let (_, floor) = once(|| hashed(&journal));
            (ours, floor)
        })
        .collect();
    let ours = median(pairs.iter().map(|pair| pair.0));
    let floor = median(pairs.iter().map(|pair| pair.1));
    line(&format!("open {lines} lines / read and hash them"), ours, floor, ours / floor, None);
    say(&format!("    {} a line, {} bytes a line", unit(ours / lines as f64), bytes / lines as u64));
}

fn hashed(journal: &Path) -> [u8; 32] {
    let bytes = fs::read(journal).unwrap();
    let mut last = [0; 32];
    for line in bytes.split(|byte| *byte == b'\n') {
        last = sha256(line);
        std::hint::black_box(sha256(&[&[0], line].concat()));
    }
    last
}
