//! A journal whose key was replaced.

use super::*;

/// A store whose journal key was replaced twice, each time with a group before and after.
fn rekeyed(at: &Path) -> (Directory, Journal) {
    let (directory, mut journal) = store(at);
    for (old, new) in [(7, 8), (8, 9)] {
        let (old, new) = (TestSigner::new(old), TestSigner::new(new));
        journal.commit_rekeyed(&[happened("replaced")], &old, &new, TIME + 100, "admin").unwrap();
        journal.commit(&[happened("after")], &new, TIME + 101, "admin").unwrap();
    }
    (directory, journal)
}

#[test]
fn a_replaced_key_is_followed_and_signs_nothing_more() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, written) = rekeyed(temp.path());
    let keys = |journal: &Journal| journal.keys().keys().copied().collect::<Vec<_>>();
    let wanted = [7, 8, 9].map(|seed| TestSigner::new(seed).public_key());
    let mut read = Journal::open(&directory).unwrap();
    assert_eq!((keys(&read), keys(&written)), (wanted.to_vec(), wanted.to_vec()));
    assert_eq!(Audit::of_store(&directory).unwrap().keys, *read.keys());
    // An old key's group is refused before it is written, and is no group where somebody wrote it.
    let refused = read.commit(&[happened("by the old key")], &TestSigner::new(8), TIME + 102, "admin");
    assert!(matches!(refused, Err(JournalFault::Unreadable(_))));
    assert_eq!(Journal::open(&directory).unwrap().entries().len(), read.entries().len());
}

#[test]
fn a_key_that_the_one_before_did_not_sign_is_damage() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, _) = rekeyed(temp.path());
    let text = fs::read_to_string(temp.path().join(ENTRIES)).unwrap();
    // A thief of the newest key alone puts another in its place: every later line by a key of his own.
    let thief = coldsign_verify::base64url::encode(&TestSigner::new(66).public_key());
    let genuine = coldsign_verify::base64url::encode(&TestSigner::new(9).public_key());
    fs::write(temp.path().join(ENTRIES), text.replace(&genuine, &thief)).unwrap();
    assert!(matches!(Journal::open(&directory), Err(JournalFault::Damaged { .. })));
    // A second signature taken off the group that replaced a key.
    let double = "\\n\u{2014} ";
    let line = text.lines().position(|line| line.matches(double).count() == 2).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let cut = lines[line].rfind(double).unwrap();
    let whole = lines[line].clone();
    lines[line] = format!("{}\\n\"}}", &whole[..cut]);
    fs::write(temp.path().join(ENTRIES), lines.join("\n") + "\n").unwrap();
    assert!(Journal::open(&directory).is_err());
}

#[test]
fn a_proof_leads_from_an_old_key_to_the_newest() {
    let temp = tempfile::tempdir().unwrap();
    let (directory, _) = rekeyed(temp.path());
    let audit = Audit::of_store(&directory).unwrap();
    let id = &audit.genesis.store_id;
    for index in 0..audit.checkpoint.size {
        let proof = audit.prove(index).unwrap();
        assert_eq!(proof.replacements.len(), 2);
        let read = ProofFile::read(&proof.render()).unwrap();
        for seed in [7, 8, 9] {
            assert_eq!(read.verify(id, &TestSigner::new(seed).public_key()), Ok(audit.checkpoint.clone()), "{seed}");
        }
        assert!(read.verify(id, &TestSigner::new(66).public_key()).is_err());
        // Without the way there an old key vouches for nothing new.
        let alone = ProofFile { replacements: Vec::new(), ..read.clone() };
        assert!(alone.verify(id, &TestSigner::new(7).public_key()).is_err());
        assert!(alone.verify(id, &TestSigner::new(9).public_key()).is_ok());
        // Somebody who knows an old key can't lead it elsewhere.
        let mut forged = read.clone();
        forged.replacements[0].line = forged.entry.line.clone();
        assert!(forged == read || forged.verify(id, &TestSigner::new(7).public_key()).is_err());
    }
}
