//! A store whose every key is a forger's, who had its files and no passphrase: the program itself.

use crate::forge::{Forged, Roots, forge};
use crate::ground::{ADMIN, POLICY, Stand};
use crate::tree::{Tree, tree};
use coldsign_verify::root::Root;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An operator's folder: a store of the program's own making, a stick with its first publications.
struct Desk {
    stand: Stand,
}

/// Acts that a passphrase opens, each with what it is given.
const OPENED: [&[&str]; 24] = [
    &["unlock", "test", "admin"],
    &["token", "issue", "api/reader", "bob", "--to", "out"],
    &["publish", "--to", "out"],
    &["publish", "--renew", "--to", "out"],
    &["publication", "copy", "--to", "out"],
    &["backup", "create", "--to", "out"],
    &["--unlock", "admin", "status"],
    &["--unlock", "admin", "journal", "verify"],
    &["--unlock", "admin", "key", "list"],
    &["journal", "export", "--to", "out"],
    &["root", "show"],
    &["root", "rotate", "--root-code-file", "rootcode"],
    &["root", "sign", "--root-code-file", "rootcode"],
    &["key", "generate", "default"],
    &["key", "suspend", "default/1"],
    &["revoke", "subject", "ann", "--yes"],
    &["revoke", "key", "default/1", "--yes"],
    &["rotate", "next"],
    &["policy", "apply"],
    &["unlock", "add", "dora", "--new-passphrase-file", "newpass"],
    &["unlock", "change", "admin", "--new-passphrase-file", "newpass"],
    &["unlock", "change", "admin", "--new-passphrase-file", "newpass", "--rewrap-only"],
    &["unlock", "remove", "recovery", "--yes"],
    &["clock", "correct", "--reason", "it ran ahead"],
];

impl Desk {
    fn new() -> Self {
        let desk = Self { stand: Stand::new() };
        for (name, text) in [("pass", ADMIN), ("newpass", "quite another passphrase"), ("policy.toml", POLICY)] {
            fs::write(desk.path(name), format!("{text}\n")).unwrap();
        }
        for folder in ["one", "two"] {
            fs::create_dir(desk.path(folder)).unwrap();
        }
        desk.must(&[
            "init",
            "--issuer",
            "https://tokens.example",
            "--policy",
            "policy.toml",
            "--kdf-log-n",
            "10",
            "--recovery-sheet",
            "sheet.txt",
        ]);
        let sheet = fs::read_to_string(desk.path("sheet.txt")).unwrap();
        let code = sheet.lines().find_map(|line| line.strip_prefix("root code")).unwrap().trim();
        fs::write(desk.path("rootcode"), code).unwrap();
        desk.must(&["token", "issue", "api/reader", "ann", "--to", "out"]);
        desk.must(&["publish", "--to", "one"]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stand.folder.path().join(name)
    }

    /// The program with the operator's passphrase.
    fn opened(&self, arguments: &[&str]) -> Output {
        self.run(&[&["--passphrase-file", "pass"], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let run = Command::new(env!("CARGO_BIN_EXE_coldsign"))
            .arg("--store")
            .arg(self.stand.place())
            .args(arguments)
            .current_dir(self.stand.folder.path())
            .env_remove("COLDSIGN_STORE")
            .output();
        run.unwrap()
    }

    fn must(&self, arguments: &[&str]) {
        let ended = self.opened(arguments);
        assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }

    fn forge(&self, roots: Roots) -> Forged {
        let forged = forge(&tree(&self.stand.place()), roots);
        self.place(&forged.files);
        forged
    }

    fn place(&self, files: &Tree) {
        crate::tree::restore(&self.stand.place(), files);
    }

    fn products(&self) -> Tree {
        ["out", "one", "two"]
            .into_iter()
            .flat_map(|folder| {
                tree(&self.path(folder)).into_iter().map(move |(path, node)| (format!("{folder}/{path}"), node))
            })
            .collect()
    }
}

fn rule(ended: &Output, rule: &str) -> bool {
    !ended.status.success() && String::from_utf8_lossy(&ended.stderr).contains(&format!("[{rule}]"))
}

fn said(ended: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
}

#[test]
fn a_forged_store_opens_to_nobody_and_signs_nothing() {
    for roots in [Roots::Replaced, Roots::Draft] {
        let desk = Desk::new();
        desk.forge(roots);
        let forged = tree(&desk.stand.place());
        let products = desk.products();
        // The forgery is a good one: without a passphrase nothing is wrong with it.
        let verified = desk.run(&["journal", "verify"]);
        assert!(verified.status.success(), "{}", said(&verified));
        let checked = desk.run(&["store", "check"]);
        assert!(checked.status.success(), "{}", said(&checked));
        for arguments in OPENED {
            let ended = desk.opened(arguments);
            assert!(rule(&ended, "STORE-ANCHOR"), "{roots:?} {arguments:?}: {}", said(&ended));
            assert_eq!(tree(&desk.stand.place()), forged, "{roots:?} {arguments:?} changed the store");
            assert_eq!(desk.products(), products, "{roots:?} {arguments:?} made something");
        }
    }
}

#[test]
fn the_sound_store_takes_each_of_those_acts() {
    // Otherwise a refusal of a forged one would say nothing.
    for arguments in OPENED {
        let desk = Desk::new();
        let ended = desk.opened(arguments);
        assert!(!rule(&ended, "STORE-ANCHOR"), "{arguments:?}: {}", said(&ended));
        let meant = !said(&ended).contains("Usage:") && ended.status.code() != Some(2);
        assert!(meant, "{arguments:?}: {}", said(&ended));
    }
}

#[test]
fn what_is_read_without_a_passphrase_says_that_nobody_vouches_for_it() {
    let desk = Desk::new();
    for forged in [false, true] {
        if forged {
            desk.forge(Roots::Replaced);
        }
        for arguments in [
            &["status"][..],
            &["key", "list"],
            &["token", "list"],
            &["publication", "list"],
            &["unlock", "list"],
            &["journal", "show"],
            &["journal", "verify"],
            &["policy", "show"],
            &["root", "show", "--unauthenticated"],
            &["rotate", "plan"],
        ] {
            let ended = desk.run(arguments);
            assert!(ended.status.success(), "{arguments:?}: {}", said(&ended));
            assert!(said(&ended).contains("not authenticated"), "{arguments:?}: {}", said(&ended));
            let json = desk.run(&[arguments, &["--json"]].concat());
            assert!(said(&json).contains("\"authenticated\": false"), "{arguments:?} --json: {}", said(&json));
        }
    }
}

#[test]
fn a_custodian_signs_no_draft_of_a_forged_store() {
    let desk = Desk::new();
    let genuine = fs::read(desk.path("store/roots/root.1.json")).unwrap();
    let forged = desk.forge(Roots::Draft);
    assert_eq!(fs::read(desk.path("store/roots/root.1.json")).unwrap(), genuine, "the root is the genuine one");
    assert!(Root::first(&genuine).is_ok());
    // The code still opens the custodian's key.
    let tested = desk.opened(&["unlock", "test", "admin", "--root", "--root-code-file", "rootcode"]);
    assert!(rule(&tested, "STORE-ANCHOR"), "{}", said(&tested));
    let signed = desk.opened(&["root", "sign", "--root-code-file", "rootcode"]);
    assert!(rule(&signed, "STORE-ANCHOR"), "{}", said(&signed));
    for (path, node) in tree(&desk.path("store/roots")) {
        if let crate::tree::Node::File(bytes) = node {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let signed = path.starts_with("draft-") && text.contains("\"signature\"");
            assert!(!signed || !forged.kids.iter().any(|kid| text.contains(kid.as_str())), "{path}: {text}");
        }
    }
}

#[test]
fn a_stick_with_a_genuine_publication_accuses_a_forged_store() {
    let desk = Desk::new();
    desk.must(&["publish", "--renew", "--to", "two"]);
    let honest = tree(&desk.stand.place());
    desk.forge(Roots::Replaced);
    let stick = "two/coldsign-publication-000002";
    let locked = desk.run(&["publication", "check", stick, "--unauthenticated"]);
    let locked = if said(&locked).contains("Usage:") { desk.run(&["publication", "check", stick]) } else { locked };
    assert!(rule(&locked, "PUBLICATION-OTHER-KEY"), "{}", said(&locked));
    assert!(said(&locked).contains("either that publication or this store is forged"), "{}", said(&locked));
    let opened = desk.opened(&["publication", "check", stick]);
    assert!(rule(&opened, "STORE-ANCHOR"), "{}", said(&opened));
    let against = desk.run(&["journal", "verify", "--against", stick]);
    assert!(rule(&against, "CHECKPOINT-FOREIGN"), "{}", said(&against));
    // And the other way round: a forger's publication on a stick, and the genuine store.
    let forger = desk.path("forger");
    forged_publication(&desk.path(stick), &forger);
    desk.place(&honest);
    let folder = forger.join("coldsign-publication-000002");
    let opened = desk.opened(&["publication", "check", &folder.display().to_string()]);
    assert!(rule(&opened, "PUBLICATION-OTHER-KEY") || rule(&opened, "PUBLICATION-CHANGED"), "{}", said(&opened));
}

/// A publication's folder with another checkpoint in its bundle.
fn forged_publication(genuine: &Path, to: &Path) {
    let folder = to.join("coldsign-publication-000002");
    fs::create_dir_all(&folder).unwrap();
    crate::tree::restore(&folder, &tree(genuine));
    let bundle = fs::read_to_string(folder.join("bundle.jwt")).unwrap();
    let mut contents = coldsign_verify::bundle::unverified(&bundle).unwrap();
    let pen = crate::pen::Pen::new();
    let mut pages = crate::pen::Pages::new(&contents.store);
    pages.push(&crate::pen::Written::new(1, "policy.applied", serde_json::json!({"sha256": "00", "bytes": 1})));
    contents.checkpoint = pages.note(&[&pen]);
    fs::write(folder.join("bundle.jwt"), coldsign_verify::bundle::sign(&contents, &pen).unwrap()).unwrap();
}
