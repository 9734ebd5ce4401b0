//! An independent reader in Python finds our exports, checkpoints and proofs sound, and changed ones not.

#![allow(clippy::unwrap_used, reason = "a test: a panic is a failure")]

use std::fs;
use std::path::Path;

use coldsign_interop::{Appliance, Python};

#[test]
fn another_reader_agrees_with_export_checkpoint_and_proof() {
    let Some(python) = Python::with("stock") else { return };
    let appliance = Appliance::new("libraries");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    appliance.act(&["journal", "export", "--to"], &file("before.jsonl"));
    let before = fs::read_to_string(file("before.jsonl")).unwrap();
    let newest = before.lines().last().unwrap();
    let newest: serde_json::Value = serde_json::from_str(newest).unwrap();
    let checkpoint = file("checkpoint-before");
    fs::write(&checkpoint, newest["note"].as_str().unwrap()).unwrap();

    appliance.token("eddsa/reader", "ann", &[]);
    fs::create_dir(file("stick")).unwrap();
    appliance.act(&["journal", "export", "--to"], &file("stick"));
    let export = fs::read_dir(file("stick")).unwrap().next().unwrap().unwrap().path();
    let proof = file("entry.tlog-proof");
    appliance.act(&["journal", "prove", "7", "--to"], &proof);

    let judged = |given: &[&Path]| {
        let output = python.script("journal.py").arg(&export).args(given).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (sound, said) = judged(&[&checkpoint, &proof]);
    assert!(sound && said.contains("EXPORT sound") && said.contains("PREFIX sound"), "{said}");
    assert!(said.contains("PROOF sound: 7"), "{said}");
    assert!(judged(&[&export.join("checkpoint")]).0);

    let changes: [(&Path, &str, &str); 4] = [
        (&proof, "\nindex 7\n", "\nindex 6\n"),
        (&proof, "\nextra ", "\nextra A"),
        (&checkpoint, "coldsign/journal/", "coldsign/journaI/"),
        (&checkpoint, "\n\n", "\n"),
    ];
    for (changed, what, to) in changes {
        let text = fs::read_to_string(changed).unwrap();
        fs::write(file("changed"), text.replacen(what, to, 1)).unwrap();
        let (sound, said) = judged(&[&file("changed")]);
        assert!(!sound && said.contains("EXPORT sound") && said.lines().count() == 1, "{what:?}: {said}");
    }
    let entries = export.join("entries.jsonl");
    let lines = fs::read_to_string(&entries).unwrap();
    fs::write(&entries, lines.replace(r#""ann""#, r#""bob""#)).unwrap();
    assert_eq!(judged(&[]), (false, String::new()));
}
