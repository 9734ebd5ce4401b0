use super::*;
use crate::journal::checkpoint::tests::TestSigner;
use crate::journal::{SignNote, Tree};
use std::io::Read;

/// transparency-dev/merkle's vectors as (path in the archive, content), where they are at hand.
fn vectors() -> Option<Vec<(String, serde_json::Value)>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/transparency-dev_merkle_testdata.tar.gz");
    let Ok(packed) = std::fs::read(path) else {
        println!("skipped: no transparency-dev_merkle_testdata.tar.gz");
        return None;
    };
    let mut archive = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut archive).unwrap();
    let mut rest = archive.as_slice();
    let mut files = Vec::new();
    // POSIX ustar: a header of 512 bytes (name, size in octal at 124), contents padded to 512.
    while rest.len() >= 512 && rest[0] != 0 {
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&rest[range]).trim_end_matches(['\0', ' ']).to_owned()
        };
        let (name, size) = (text(0..100), usize::from_str_radix(text(124..136).trim(), 8).unwrap());
        if name.ends_with(".json") {
            files.push((name, serde_json::from_slice(&rest[512..512 + size]).unwrap()));
        }
        rest = &rest[512 + size.div_ceil(512) * 512..];
    }
    assert!(files.len() > 100, "{} vectors", files.len());
    Some(files)
}

fn digest(value: &serde_json::Value) -> Option<Digest> {
    STANDARD.decode(value.as_str()?).ok()?.try_into().ok()
}

/// Where a vector has a few words in place of a root, another root for each.
fn some_root(value: &serde_json::Value) -> Option<Digest> {
    digest(value).or_else(|| Some(sha256(value.as_str()?.as_bytes())))
}

/// `None` where something in it is no digest: such a vector must be one that fails.
fn digests(value: &serde_json::Value) -> Option<Vec<Digest>> {
    value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(digest).collect())
}

#[test]
fn published_proofs_are_judged_as_published() {
    let Some(vectors) = vectors() else { return };
    let mut judged = (0, 0);
    for (name, vector) in &vectors {
        let size = |member: &str| vector[member].as_u64().unwrap();
        let proof = digests(&vector["proof"]);
        let holds = if name.contains("/inclusion/") {
            judged.0 += 1;
            let (Some(leaf), Some(root), Some(path)) = (digest(&vector["leafHash"]), digest(&vector["root"]), proof)
            else {
                assert_eq!(vector["wantErr"], true, "{name}");
                continue;
            };
            includes(&Checkpoint { size: size("treeSize"), root }, size("leafIdx"), &leaf, &path)
        } else {
            judged.1 += 1;
            let (Some(one), Some(two), Some(proof)) = (some_root(&vector["root1"]), some_root(&vector["root2"]), proof)
            else {
                assert_eq!(vector["wantErr"], true, "{name}");
                continue;
            };
            let older = Checkpoint { size: size("size1"), root: one };
            consistent(&older, &Checkpoint { size: size("size2"), root: two }, &proof)
        };
        assert_eq!(!holds, vector["wantErr"].as_bool().unwrap(), "{name}: {}", vector["desc"]);
    }
    assert!(judged.0 > 50 && judged.1 > 50, "{judged:?}");
}

fn lines(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![n; usize::from(n % 5)]).collect()
}

fn tree_over(lines: &[Vec<u8>]) -> Checkpoint {
    let mut tree = Tree::default();
    lines.iter().for_each(|line| tree.push(line));
    Checkpoint::of(&tree)
}

#[test]
fn each_leaf_and_each_prefix_of_each_tree_is_proven_and_no_other() {
    let lines = lines(40);
    let leaves: Vec<Digest> = lines.iter().map(|line| leaf(line)).collect();
    for size in 1..=lines.len() {
        let (checkpoint, within) = (tree_over(&lines[..size]), &leaves[..size]);
        assert_eq!(head(within), checkpoint.root);
        for (index, line) in (0u64..).zip(within) {
            let path = inclusion(within, index).unwrap();
            assert!(includes(&checkpoint, index, line, &path));
            assert!(!includes(&checkpoint, index + 1, line, &path));
            assert!(!includes(&checkpoint, index, &leaf(b"another"), &path));
            let longer = [path, vec![[0; 32]]].concat();
            assert!(!includes(&checkpoint, index, line, &longer));
        }
        assert_eq!(inclusion(within, size as u64), None);
        for older in 1..=size {
            let proof = consistency(within, older as u64).unwrap();
            let mut old = tree_over(&lines[..older]);
            assert!(consistent(&old, &checkpoint, &proof), "{older} of {size}");
            old.root[0] ^= 1;
            assert!(!consistent(&old, &checkpoint, &proof), "{older} of {size}");
        }
        assert_eq!(consistency(within, size as u64 + 1), None);
    }
}

#[test]
fn a_proof_file_is_read_strictly_and_bound_to_line_and_key() {
    let signer = TestSigner::new(7);
    let key = signer.public_key();
    let lines = lines(11);
    let leaves: Vec<Digest> = lines.iter().map(|line| leaf(line)).collect();
    let note = tree_over(&lines).sign("AAAA", &signer).unwrap();
    let proof = Proof { line: lines[6].clone(), index: 6, path: inclusion(&leaves, 6).unwrap(), note };
    let proof = ProofFile { entry: proof, replacements: Vec::new() };
    let text = proof.render();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra Bg==\nindex 6\n"), "{text}");
    assert_eq!(ProofFile::read(&text).as_ref(), Ok(&proof));
    assert_eq!(proof.verify("AAAA", &key).unwrap().size, 11);
    assert!(proof.verify("BBBB", &key).is_err());
    assert!(proof.verify("AAAA", &TestSigner::new(8).public_key()).is_err());
    for (from, to) in [
        ("extra Bg==", "extra Bw=="),
        ("index 6", "index 5"),
        ("index 6", "index 06"),
        ("index 6", "index +6"),
        ("extra Bg==\n", ""),
        ("@v1", "@v2"),
        ("index 6\n", "index 6\nAAAA\n"),
        ("\n11\n", "\n12\n"),
        ("\n\n", "\n"),
    ] {
        let changed = text.replacen(from, to, 1);
        let judged = ProofFile::read(&changed).and_then(|proof| proof.verify("AAAA", &key));
        assert!(judged.is_err(), "{from:?} for {to:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = ProofFile::read(&text);
        let _ = ProofFile::read(&format!("{HEADER}\nextra \nindex 0\n\n{text}"));
    }
}
