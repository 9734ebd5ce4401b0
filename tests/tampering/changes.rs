//! What can be put in the place of a store's files.

use crate::forge::{Roots, forged_live, recipients, seal_text, sealed_to, wrapped_by};
use crate::ground::{Ground, Loot};
use crate::pen::{Pages, Pen, Written};
use crate::tree::{Node, Tree, bytes};
use coldsign::journal::{hex, sha256};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;

/// A change to a store's files.
#[derive(Clone)]
pub struct Change {
    pub what: String,
    pub puts: Vec<(String, Option<Node>)>,
    /// Whether it leaves a journal that this store's own keys wrote at another time.
    pub other_day: bool,
}

impl Change {
    fn one(path: &str, what: &str, node: Option<Node>) -> Self {
        Self { what: format!("{path}: {what}"), puts: vec![(path.to_owned(), node)], other_day: false }
    }

    fn file(path: &str, what: &str, bytes: &[u8]) -> Self {
        Self::one(path, what, Some(Node::File(bytes.to_vec())))
    }

    fn makes_a_difference(&self, live: &Tree) -> bool {
        let mut after = live.clone();
        for (path, node) in &self.puts {
            let below = format!("{path}/");
            after.retain(|name, _| name != path && !name.starts_with(&below));
            after.extend(node.iter().map(|node| (path.clone(), node.clone())));
        }
        after != *live
    }

    /// Whether it changes that path.
    pub fn touches(&self, path: &str) -> bool {
        self.puts
            .iter()
            .any(|(put, _)| path == put || path.strip_prefix(put.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.puts.iter().map(|(path, _)| path.as_str())
    }

    /// Both at once.
    pub fn and(&self, other: &Self) -> Self {
        let puts = self.puts.iter().chain(&other.puts).cloned().collect();
        Self { what: format!("{} and {}", self.what, other.what), puts, other_day: self.other_day || other.other_day }
    }
}

/// Every change, in the order of the files.
pub fn all() -> &'static [Change] {
    static CHANGES: OnceLock<Vec<Change>> = OnceLock::new();
    CHANGES.get_or_init(|| {
        let ground = Ground::get();
        let makers = Makers::new(ground);
        let mut changes: Vec<Change> = ground.live.keys().flat_map(|path| makers.of(path)).collect();
        changes.extend(makers.planted());
        changes.extend(makers.folders());
        changes.extend(makers.journals());
        changes.retain(|change| change.makes_a_difference(&ground.live));
        changes
    })
}

struct Makers {
    ground: &'static Ground,
    pen: Pen,
    sealing: coldsign::keystore::SealingIdentity,
    forged: Tree,
    lines: Vec<Written>,
    recipients: Vec<String>,
}

impl Makers {
    fn new(ground: &'static Ground) -> Self {
        let lines = Pages::of(bytes(&ground.live, "journal/entries.jsonl").unwrap()).written();
        Self {
            ground,
            pen: Pen::new(),
            sealing: coldsign::keystore::SealingIdentity::generate(),
            forged: forged_live(Roots::Replaced).files,
            recipients: recipients(&lines),
            lines,
        }
    }

    /// What can become of one file.
    fn of(&self, path: &str) -> Vec<Change> {
        let ground = self.ground;
        let live = bytes(&ground.live, path).unwrap();
        let mut made: Vec<(&str, Vec<u8>)> = Vec::new();
        let days = [("older", &ground.young), ("of her day", &ground.berta.files), ("of the removal", &ground.removal)];
        for (what, day) in days.into_iter().chain([("later", &ground.later)]) {
            made.extend(bytes(day, path).map(|bytes| (what, bytes.to_vec())));
        }
        made.extend(counterpart(path, &ground.other).map(|bytes| ("another store's", bytes.to_vec())));
        made.extend(self.made_of_public_keys(path));
        made.extend(self.made_by_berta(path));
        let mut seen = BTreeSet::from([live.to_vec()]);
        let mut changes: Vec<Change> = made
            .into_iter()
            .filter(|(_, bytes)| seen.insert(bytes.clone()))
            .map(|(what, bytes)| Change::file(path, what, &bytes))
            .collect();
        let twin = ground.outside().with_file_name(format!("twin-of-{}", path.replace('/', "-")));
        std::fs::write(&twin, live).unwrap();
        changes.extend([
            Change::one(path, "deleted", None),
            Change::one(path, "a link to its like", Some(Node::Link(twin))),
            Change::one(path, "a link to another file", Some(Node::Link(ground.outside()))),
            Change::one(path, "a link to nothing", Some(Node::Link(PathBuf::from("nowhere")))),
            Change::one(path, "a FIFO", Some(Node::Fifo)),
            Change::one(path, "a folder", Some(Node::Folder)),
        ]);
        changes
    }

    /// What anybody can make who reads the store.
    fn made_of_public_keys(&self, path: &str) -> Vec<(&'static str, Vec<u8>)> {
        let what = "made of public keys";
        let anchor = |unlock: &str| {
            let key = coldsign_verify::base64url::encode(&self.pen.public());
            format!(
                "# coldsign unlock, version 1\n# unlock: {unlock}\n# store: AAAAAAAAAAAAAAAAAAAAAA\n# journal key: {key}\n\
                 # floor: 1 {}\n{}\n",
                "0".repeat(64),
                self.sealing.expose().as_str()
            )
        };
        let mut made = match path {
            _ if path.ends_with("seal.age") => {
                let first = first_line(&self.ground.live);
                // The genuine journal key; only the sealing identity is another.
                let seal = seal_text(&self.sealing, &newest_key(&self.lines), &first, &self.store_id());
                vec![(what, sealed_to(&self.recipients, &seal))]
            }
            _ if path.starts_with("sealed/") => vec![
                (what, sealed_to(&[self.sealing.recipient()], self.pen.pem().as_bytes())),
                ("sealed to the unlocks", sealed_to(&self.recipients, self.pen.pem().as_bytes())),
            ],
            _ if path.starts_with("unlock/") => {
                let name = path.trim_start_matches("unlock/").trim_end_matches(".age");
                vec![
                    (what, wrapped_by("a passphrase of the attacker's", anchor(name).as_bytes())),
                    ("sealed to its own recipient", sealed_to(&self.recipients, anchor(name).as_bytes())),
                ]
            }
            _ if path.starts_with("roots/key-") => {
                vec![(what, wrapped_by("a code of the attacker's", self.pen.pem().as_bytes()))]
            }
            _ if path.starts_with("policies/") => vec![("another policy", b"format = \"coldsign-policy\"\n".to_vec())],
            "lock" => vec![("something in it", b"x".to_vec())],
            _ => Vec::new(),
        };
        made.extend(bytes(&self.forged, path).map(|bytes| ("of the forged store", bytes.to_vec())));
        made
    }

    /// What the removed administrator can make, with everything of her day.
    fn made_by_berta(&self, path: &str) -> Vec<(&'static str, Vec<u8>)> {
        let berta = &self.ground.berta;
        let sealing = berta.sealing();
        if path.ends_with("seal.age") {
            let first = first_line(&self.ground.live);
            let seal = |key: &[u8; 32]| sealed_to(&self.recipients, &seal_text(sealing, key, &first, &self.store_id()));
            return vec![
                ("her sealing identity, the new journal key", seal(&newest_key(&self.lines))),
                ("her sealing identity, her journal key", seal(&berta.journal.public())),
            ];
        }
        let kid = path.strip_prefix("sealed/").and_then(|rest| rest.split_once("/key-"));
        let Some((_, kid)) = kid else { return Vec::new() };
        let kid = kid.trim_end_matches(".age");
        let hers = sealed_to(&[sealing.recipient()], self.pen.pem().as_bytes());
        let known = berta.keys.iter().find(|(known, _)| known == kid);
        let mut made = vec![("her own key, sealed to her identity", hers)];
        made.extend(
            known
                .map(|(_, pem)| ("the key, sealed to her identity", sealed_to(&[sealing.recipient()], pem.as_bytes()))),
        );
        made
    }

    /// Names that are not there now: put back, of a later day, or made up.
    fn planted(&self) -> Vec<Change> {
        let ground = self.ground;
        let mut changes = Vec::new();
        let days: [(&str, &Tree); 5] = [
            ("put back from her day", &ground.berta.files),
            ("put back", &ground.young),
            ("of a later day", &ground.later),
            ("of another store", &ground.other),
            ("of the forged store", &self.forged),
        ];
        for (what, day) in days {
            let mut groups: BTreeMap<String, Vec<(String, Option<Node>)>> = BTreeMap::new();
            for (path, node) in day.iter().filter(|(path, _)| !ground.live.contains_key(*path)) {
                let parts: Vec<&str> = path.split('/').collect();
                // Whole folders of generations and publications; single files of the rest.
                let group = match parts.as_slice() {
                    ["publications" | "sealed", folder, _, ..] if !has_folder(&ground.live, &parts[..2].join("/")) => {
                        format!("{}/{folder}", parts[0])
                    }
                    _ => path.clone(),
                };
                groups.entry(group).or_default().push((path.clone(), Some(node.clone())));
            }
            for (group, puts) in groups {
                changes.push(Change { what: format!("{group}: {what}"), puts, other_day: false });
            }
        }
        let generation = format!("sealed/{}", generation(&self.lines));
        for path in [
            format!("{generation}/key-{}.age", self.pen.kid()),
            format!("roots/key-{}.age", self.pen.kid()),
            "roots/root.9.json".to_owned(),
            "unlock/mallory.age".to_owned(),
            "unlock/admin.next.age".to_owned(),
            "policies/.x.partial".to_owned(),
        ] {
            let sealed = sealed_to(&self.recipients, self.pen.pem().as_bytes());
            changes.push(Change::file(&path, "made up", &sealed));
            if !path.ends_with(".partial") {
                changes.push(Change::one(&path, "a made-up link", Some(Node::Link(ground.outside()))));
            }
        }
        changes
    }

    /// Whole folders.
    fn folders(&self) -> Vec<Change> {
        let ground = self.ground;
        let sealed = format!("sealed/{}", generation(&self.lines));
        let mut changes = Vec::new();
        for folder in ["journal", "policies", "unlock", "sealed", &sealed, "roots", "certificates", "publications"] {
            let twin = ground.outside().with_file_name(format!("folder-{}", folder.replace('/', "-")));
            let inside = ground.live.iter().filter_map(|(path, node)| {
                Some((path.strip_prefix(folder)?.strip_prefix('/')?.to_owned(), node.clone()))
            });
            let inside: Tree = inside.collect();
            std::fs::create_dir_all(&twin).unwrap();
            crate::tree::restore(&twin, &inside);
            changes.push(Change::one(folder, "the folder is a link to its like", Some(Node::Link(twin))));
            changes.push(Change::one(folder, "the folder is gone", None));
            changes.push(Change::one(folder, "the folder is a file", Some(Node::File(Vec::new()))));
            let hers: Vec<(String, Option<Node>)> = ground
                .berta
                .files
                .iter()
                .filter(|(path, _)| path.starts_with(&format!("{folder}/")))
                .map(|(path, node)| (path.clone(), Some(node.clone())))
                .collect();
            if !hers.is_empty() {
                let mut puts = vec![(folder.to_owned(), None)];
                puts.extend(hers);
                changes.push(Change { what: format!("{folder}: as of her day"), puts, other_day: folder == "journal" });
            }
        }
        // Her generation's files in the place of the newest.
        let old = ground.berta.files.iter().filter_map(|(path, node)| {
            let name = path.strip_prefix("sealed/")?.split_once('/')?.1;
            Some((format!("{sealed}/{name}"), Some(node.clone())))
        });
        let mut puts = vec![(sealed.clone(), None)];
        puts.extend(old);
        changes.push(Change { what: format!("{sealed}: her generation in its place"), puts, other_day: false });
        changes
    }

    /// The journal and its checkpoint, together.
    fn journals(&self) -> Vec<Change> {
        let ground = self.ground;
        let both = |what: &str, entries: &[u8], note: &[u8], other_day: bool| Change {
            what: format!("journal: {what}"),
            puts: vec![
                ("journal/entries.jsonl".to_owned(), Some(Node::File(entries.to_vec()))),
                ("journal/checkpoint".to_owned(), Some(Node::File(note.to_vec()))),
            ],
            other_day,
        };
        let mut changes = Vec::new();
        let days = [("older", &ground.young), ("of her day", &ground.berta.files), ("of the removal", &ground.removal)];
        for (what, day) in days.into_iter().chain([("later", &ground.later)]) {
            let [entries, note] = ["journal/entries.jsonl", "journal/checkpoint"].map(|path| bytes(day, path).unwrap());
            changes.push(both(what, entries, note, true));
        }
        for (what, day) in [("another store's", &ground.other), ("forged", &self.forged)] {
            let [entries, note] = ["journal/entries.jsonl", "journal/checkpoint"].map(|path| bytes(day, path).unwrap());
            changes.push(both(what, entries, note, false));
        }
        for (what, entries, note) in bertas_journals(&ground.berta, &ground.live) {
            changes.push(both(what, &entries, note.as_bytes(), false));
        }
        let entries = bytes(&ground.live, "journal/entries.jsonl").unwrap();
        let torn = [entries, b"{\"index\":1}\nhalf a li"].concat();
        changes.push(Change::file("journal/entries.jsonl", "something added", &torn));
        changes
    }

    fn store_id(&self) -> String {
        self.lines[0].members["store_id"].as_str().unwrap().to_owned()
    }
}

/// A line that names an unlock's file as it lies there now: everybody can read its digest.
pub fn as_now(live: &Tree, unlock: &str, time: u64) -> Written {
    let sha256 = hex(&sha256(bytes(live, &format!("unlock/{unlock}.age")).unwrap()));
    let key = coldsign_verify::base64url::encode(&[9; 32]);
    Written::new(
        time,
        "unlock.anchored",
        json!({"name": unlock, "kdf_log_n": 10, "sha256": sha256, "journal_key": key}),
    )
}

/// What the removed administrator can write into the journal with the key of her day.
pub fn bertas_journals(berta: &Loot, live: &Tree) -> Vec<(&'static str, Vec<u8>, String)> {
    let hers = Pages::of(bytes(&berta.files, "journal/entries.jsonl").unwrap());
    let whole = Pages::of(bytes(live, "journal/entries.jsonl").unwrap());
    let own = Pen::new();
    let old = &berta.journal;
    let time = whole.written().last().unwrap().time;
    let token = |number: u64| Written::new(time, "policy.applied", json!({"sha256": "00".repeat(32), "bytes": number}));
    let rekeyed = |pen: &Pen| {
        Written::new(time, "journal.rekeyed", json!({"journal_key": coldsign_verify::base64url::encode(&pen.public())}))
    };
    let genuine = whole.written().iter().rfind(|line| line.kind == "journal.rekeyed").cloned().unwrap();
    let hers_as_now = [as_now(live, "admin", time), as_now(live, "carol", time)];
    let hers = {
        let mut pages = hers;
        hers_as_now.iter().for_each(|line| pages.push(line));
        pages
    };
    let mut made = Vec::new();
    let mut with = |what: &'static str, begin: &Pages, lines: &[Written], pens: &[&Pen]| {
        let mut pages = begin.clone();
        lines.iter().for_each(|line| pages.push(line));
        let note = pages.commit(pens);
        made.push((what, pages.bytes(), note));
    };
    with("her line at its end, signed by the old key", &whole, &[token(1)], &[old]);
    with("a key of hers at its end, signed by the old and her own", &whole, &[rekeyed(&own)], &[old, &own]);
    with("a key of hers at its end, signed by her own", &whole, &[rekeyed(&own)], &[&own]);
    with("her day, and a line of hers", &hers, &[token(1)], &[old]);
    with("her day, and a key of hers", &hers, &[rekeyed(&own)], &[old, &own]);
    with("her day, and the genuine new key without its signature", &hers, std::slice::from_ref(&genuine), &[old]);
    with("her day, and the genuine new key signed by another", &hers, &[genuine], &[old, &own]);
    made
}

/// The file of another store that has that place there.
fn counterpart<'t>(path: &str, other: &'t Tree) -> Option<&'t [u8]> {
    if let Some(bytes) = bytes(other, path) {
        return Some(bytes);
    }
    let (folder, name) = path.rsplit_once('/')?;
    let kind =
        |name: &str| (name.split(['-', '.']).next().map(str::to_owned), name.rsplit('.').next().map(str::to_owned));
    let top = folder.split('/').next()?;
    let like = other.keys().find(|other| {
        other.rsplit_once('/').is_some_and(|(folder, other)| folder.starts_with(top) && kind(other) == kind(name))
    })?;
    bytes(other, like)
}

fn has_folder(tree: &Tree, folder: &str) -> bool {
    tree.keys().any(|path| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

fn first_line(tree: &Tree) -> String {
    let text = std::str::from_utf8(bytes(tree, "journal/entries.jsonl").unwrap()).unwrap();
    text.lines().next().unwrap().to_owned()
}

fn newest_key(lines: &[Written]) -> [u8; 32] {
    let newest =
        lines.iter().rev().find_map(|line| line.members.get("journal_key").filter(|_| line.kind == "journal.rekeyed"));
    coldsign_verify::base64url::decode(newest.unwrap().as_str().unwrap()).unwrap().try_into().unwrap()
}

fn generation(lines: &[Written]) -> usize {
    lines.iter().filter(|line| line.kind == "seal.generation").count()
}
