//! What is read of the journal once more, after it was checked.

use super::*;

#[test]
fn lines_that_are_read_anew_are_those_that_were_checked() {
    let temp = tempfile::tempdir().unwrap();
    let (_, journal) = store(temp.path());
    let path = temp.path().join(ENTRIES);
    let sound = fs::read(&path).unwrap();
    let covered = journal.root_of_first(2).unwrap();
    assert_eq!(journal.committed().unwrap(), sound);
    // Another journal of that length, whose first lines are the same.
    let mut other = sound.clone();
    let last = other.len() - 20;
    other[last] ^= 1;
    fs::write(&path, other).unwrap();
    for refused in [journal.committed().map(drop), journal.root_of_first(2).map(drop)] {
        assert_eq!(refused.unwrap_err().rule(), Some("JOURNAL-EXCHANGED"));
    }
    fs::write(&path, &sound[..sound.len() - 1]).unwrap();
    assert_eq!(journal.root_of_first(2).unwrap_err().rule(), Some("JOURNAL-DAMAGED"));
    // What somebody adds meanwhile is none of it.
    fs::write(&path, [&sound[..], b"more\n"].concat()).unwrap();
    assert_eq!(journal.root_of_first(2).unwrap(), covered);
}
