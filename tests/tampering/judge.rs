//! Whether an act on a changed store was refused, or did what it does on a sound one.

use crate::acts::{Act, Done, Moment, Trial, checked};
use crate::changes::Change;
use crate::ground::{Ground, NOW, Stand};
use crate::tree::{Node, Tree, bytes, put, tree};
use coldsign::acts::{Store, root, verify};
use coldsign::refusal::Refusal;
use coldsign_verify::bundle::{self, Bundle};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeSet;

/// What an act left behind, without what is new each time.
pub struct Outcome {
    /// Entries it recorded.
    entries: Vec<String>,
    /// What the new publications say.
    bundles: Vec<String>,
    /// What the new tokens say.
    tokens: Vec<String>,
    seen: String,
    /// Paths that are as they were before.
    untouched: BTreeSet<String>,
}

/// How an act on a changed store ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Refused,
    Harmless,
}

/// Rules that speak of the whole store.
const OF_THE_STORE: [&str; 7] = [
    "STORE-ANCHOR",
    "STORE-PUT-BACK",
    "PUBLICATION-AHEAD",
    "PUBLICATION-FORK",
    "ROOT-AHEAD",
    "STORE-EXCHANGED",
    "STORE-NONE",
];

/// What every act does to the sound store.
pub fn sound(ground: &Ground, act: &Act, unlock: (&'static str, &'static str)) -> Outcome {
    let stand = Stand::with(&ground.live);
    let done = run(ground, &stand, act, unlock, &|_| {});
    let done = done.unwrap_or_else(|refusal| panic!("{} on the sound store: {refusal}", act.name));
    assert!(done.told.iter().all(|told| told.starts_with("lock")), "{}: {:?}", act.name, done.told);
    outcome(ground, &stand, &tree(&stand.place()), &done).unwrap_or_else(|what| panic!("{}: {what}", act.name))
}

pub fn run(
    ground: &Ground,
    stand: &Stand,
    act: &Act,
    (unlock, text): (&'static str, &'static str),
    meddle: &dyn Fn(Moment),
) -> Result<Done, Refusal> {
    (act.does)(&Trial { ground, stand, unlock, text, meddle })
}

/// One act on a changed store.
pub fn trial(
    ground: &Ground,
    change: &Change,
    moment: Moment,
    act: &Act,
    unlock: (&'static str, &'static str),
    expected: &Outcome,
) -> Result<Ended, String> {
    let stand = Stand::with(&ground.live);
    let applied = Cell::new(false);
    let apply = |at: Moment| {
        if at == moment {
            applied.set(true);
            change.puts.iter().for_each(|(path, node)| put(&stand.place(), path, own(&stand, node).as_ref()));
        }
    };
    apply(Moment::Locked);
    let ended = run(ground, &stand, act, unlock, &apply);
    if !applied.get() {
        // The act has no such moment.
        return Ok(Ended::Harmless);
    }
    let mut after = tree(&stand.place());
    let journal = stand.place().join("journal/entries.jsonl");
    // By way of a link, too.
    if journal.is_file()
        && let Ok(bytes) = std::fs::read(journal)
    {
        after.insert("journal/entries.jsonl".to_owned(), Node::File(bytes));
    }
    nothing_lost(ground, change, &after, expected)?;
    nothing_opens(ground, &after)?;
    match ended {
        Err(refusal) => refused(ground, change, &after, &refusal, expected),
        Ok(done) => harmless(ground, change, &stand, &after, &done, expected),
    }
}

/// A link to a folder leads to one of the trial's own.
fn own(stand: &Stand, node: &Option<Node>) -> Option<Node> {
    match node {
        Some(Node::Link(target)) if target.is_dir() => {
            let twin = stand.folder.path().join("twin");
            std::fs::create_dir_all(&twin).unwrap();
            crate::tree::restore(&twin, &tree(target));
            Some(Node::Link(twin))
        }
        other => other.clone(),
    }
}

/// Files that nobody changed are what they were, but for those that the act itself ends.
fn nothing_lost(ground: &Ground, change: &Change, after: &Tree, expected: &Outcome) -> Result<(), String> {
    for path in expected.untouched.iter().filter(|path| !change.touches(path) && *path != "lock") {
        let aside = || {
            after.iter().any(|(aside, node)| aside.starts_with("quarantine/") && Some(node) == ground.live.get(path))
        };
        if after.get(path) != ground.live.get(path) && !(change.other_day && aside()) {
            return Err(format!("{path} was lost or changed"));
        }
    }
    if tree(&ground.outside().with_file_name("")).get("outside") != Some(&Node::File(b"somebody's file".to_vec())) {
        return Err("a file outside the store was changed".to_owned());
    }
    Ok(())
}

/// Nothing that the act sealed opens to anybody else.
fn nothing_opens(ground: &Ground, after: &Tree) -> Result<(), String> {
    let known = [&ground.live, &ground.young, &ground.berta.files, &ground.removal, &ground.later, &ground.other];
    let new = after.iter().filter(|(path, node)| {
        path.starts_with("sealed/") && known.iter().all(|day| day.values().all(|one| one != *node))
    });
    for (path, _) in new {
        let Some(sealed) = bytes(after, path) else { continue };
        let mut theirs = ground.berta.identities.iter().chain(&ground.others.identities);
        // What the attackers made themselves is theirs to open.
        let opened = theirs.find_map(|identity| identity.open(sealed).ok());
        if let Some(text) = opened {
            let text = String::from_utf8_lossy(&text).into_owned();
            let made = ground.berta.keys.iter().any(|(_, pem)| *pem == text) || !text.contains("PRIVATE KEY");
            if !made
                && !crate::changes::all().iter().any(|change| {
                    change.puts.iter().any(|(_, node)| matches!(node, Some(Node::File(bytes)) if bytes == sealed))
                })
            {
                return Err(format!("{path} opens to an attacker"));
            }
        }
    }
    Ok(())
}

fn refused(
    ground: &Ground,
    change: &Change,
    after: &Tree,
    refusal: &Refusal,
    expected: &Outcome,
) -> Result<Ended, String> {
    let mut words = vec![refusal.to_string()];
    words.extend(refusal.reason().why());
    let words = words.join("\n");
    let rule = refusal.reason().rule().unwrap_or("no rule");
    // An act that can't be finished says why.
    let put_back = words.contains("this store was rolled back");
    let of_journal = rule == "STORE-DAMAGED" && change.touches("journal/entries.jsonl");
    if !OF_THE_STORE.contains(&rule) && !put_back && !of_journal && !change.paths().any(|path| names(&words, path)) {
        return Err(format!("refused without a name: [{rule}] {words}"));
    }
    // What an act recorded before it was refused is what it records on a sound store.
    if !change.touches("journal/entries.jsonl") {
        let recorded = recorded(ground, after, &ground.live)?;
        if !expected.entries.starts_with(&recorded) {
            return Err(format!("refused [{rule}], and recorded {recorded:?}"));
        }
    }
    Ok(Ended::Refused)
}

fn harmless(
    ground: &Ground,
    change: &Change,
    stand: &Stand,
    after: &Tree,
    done: &Done,
    expected: &Outcome,
) -> Result<Ended, String> {
    if change.other_day {
        return rolled_back(ground, change, stand, after);
    }
    let journal = bytes(after, "journal/entries.jsonl").unwrap_or_default();
    let genuine = journal.starts_with(bytes(&ground.live, "journal/entries.jsonl").unwrap());
    if change.touches("journal/entries.jsonl") && !genuine && expected.entries.is_empty() {
        // What the act showed rests on the journal that it opened; nothing was recorded in another.
        let same = done.seen == expected.seen && !journal_grew(change, journal);
        return if same { Ok(Ended::Harmless) } else { Err("it went on with another journal".to_owned()) };
    }
    if let Err(refusal) = Store::open(&stand.place()) {
        // Changed under the act: whoever comes next is told.
        let recorded = recorded(ground, after, &ground.live)?;
        let told = change.paths().any(|path| names(&refusal.to_string(), path));
        let same = recorded == expected.entries && tokens(ground, &done.tokens)? == expected.tokens;
        return if same && told { Ok(Ended::Harmless) } else { Err(format!("afterwards: {refusal}, {recorded:?}")) };
    }
    let found = outcome(ground, stand, after, done)?;
    for (what, found, expected) in [
        ("entries", &found.entries, &expected.entries),
        ("publications", &found.bundles, &expected.bundles),
        ("tokens", &found.tokens, &expected.tokens),
    ] {
        if found != expected {
            return Err(format!("other {what}: {found:?} for {expected:?}"));
        }
    }
    if found.seen != expected.seen {
        return Err(format!("it showed {} for {}", found.seen, expected.seen));
    }
    named(ground, change, stand, after, done, expected)?;
    Ok(Ended::Harmless)
}

/// Whether anything came after the journal that was put there.
fn journal_grew(change: &Change, journal: &[u8]) -> bool {
    let placed = change.puts.iter().find_map(|(path, node)| match node {
        Some(Node::File(bytes)) if path == "journal/entries.jsonl" => Some(bytes.len()),
        _ => None,
    });
    placed.is_some_and(|length| journal.len() > length)
}

/// Every changed file that is not what it was is named, by the act or by `store check`.
fn named(
    ground: &Ground,
    change: &Change,
    stand: &Stand,
    after: &Tree,
    done: &Done,
    expected: &Outcome,
) -> Result<(), String> {
    let checked = checked(stand);
    let told: Vec<&String> = done.told.iter().chain(&checked).collect();
    for path in change.paths() {
        let gone = !ground.live.contains_key(path) && !after.contains_key(path) && !has_below(after, path);
        let restored = ground.live.contains_key(path) && after.get(path) == ground.live.get(path);
        // An act may have written it anew.
        let rewritten = ["journal/entries.jsonl", "journal/checkpoint", "lock"].contains(&path);
        // A file that no act of a store has left is of no consequence where it is gone.
        let ended = path.ends_with(".partial") || path.ends_with(".next.age") || path.starts_with("sealed/");
        let by_the_act = ground.live.contains_key(path) && !expected.untouched.contains(path);
        if gone && ended || restored || rewritten || by_the_act {
            continue;
        }
        if !told.iter().any(|told| names(told, path) || told.starts_with("rewrapped") && path.starts_with("roots/key-"))
        {
            return Err(format!("{path} is not named: {told:?}"));
        }
    }
    Ok(())
}

fn has_below(tree: &Tree, folder: &str) -> bool {
    tree.keys().any(|path| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

/// An older or later journal of this store's own went on: then it is that journal that goes on, and no
/// foreign key has come in. What shows it lies outside the store.
fn rolled_back(ground: &Ground, change: &Change, stand: &Stand, after: &Tree) -> Result<Ended, String> {
    let placed = change.puts.iter().find(|(path, _)| path == "journal/entries.jsonl").ok_or("no journal placed")?;
    let Some(Node::File(placed)) = &placed.1 else { return Err("no journal placed".to_owned()) };
    let now = bytes(after, "journal/entries.jsonl").ok_or("no journal")?;
    if !now.starts_with(placed) {
        return Err("it went on with neither journal".to_owned());
    }
    foreign(ground, &stand.store(), now)?;
    Ok(Ended::Harmless)
}

/// Whether a text speaks of that file.
fn names(words: &str, path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let folder = match parts.as_slice() {
        // A publication, a generation and the journal's two files are known as one.
        ["publications", seq, ..] => format!("publications/{seq}"),
        ["journal", ..] => "journal".to_owned(),
        ["sealed", number, ..] if words.contains(&format!("sealed/{number}/")) => path.to_owned(),
        ["sealed", number, ..] => format!("sealed/{number}"),
        [one] => (*one).to_owned(),
        _ => path.to_owned(),
    };
    // A folder that is another thing is told by any of its files.
    words.contains(&folder) || words.contains(&format!("{path}/")) || words.contains(&path.replace('/', "_"))
}

/// Entries after those that were there, without what is new each time.
fn recorded(ground: &Ground, after: &Tree, before: &Tree) -> Result<Vec<String>, String> {
    let [before, now] = [before, after].map(|tree| bytes(tree, "journal/entries.jsonl").unwrap_or_default());
    let more = now.strip_prefix(before).ok_or("the journal lost what it had")?;
    let known = String::from_utf8_lossy(bytes(&ground.live, "journal/entries.jsonl").unwrap()).into_owned();
    let lines = std::str::from_utf8(more).map_err(|error| error.to_string())?;
    let read = |line: &str| serde_json::from_str::<Value>(line).map_err(|error| error.to_string());
    let mut entries = Vec::new();
    for line in lines.lines() {
        let mut entry = read(line)?;
        if ["checkpoint", "journal.truncated"].contains(&entry["type"].as_str().unwrap_or_default()) {
            continue;
        }
        for own in ["index", "prev", "bytes", "size"] {
            entry.as_object_mut().unwrap().remove(own);
        }
        let policy = entry["type"] == "policy.applied";
        entries.push(plain(&entry, if policy { None } else { Some(&known) }).to_string());
    }
    Ok(entries)
}

/// A value without what is new each time: long texts that the journal did not know before.
fn plain(value: &Value, known: Option<&str>) -> Value {
    let new = |text: &str| known.is_some_and(|known| text.len() > 20 && !known.contains(text));
    match value {
        Value::String(text) if new(text) => Value::from("new"),
        Value::Array(all) => all.iter().map(|one| plain(one, known)).collect(),
        Value::Object(all) => {
            let mut members: Vec<(String, Value)> = all
                .iter()
                .map(|(name, value)| (if new(name) { "new".to_owned() } else { name.clone() }, plain(value, known)))
                .collect();
            members.sort_by(|one, two| (&one.0, one.1.to_string()).cmp(&(&two.0, two.1.to_string())));
            Value::Array(members.into_iter().map(|(name, value)| Value::Array(vec![name.into(), value])).collect())
        }
        other => other.clone(),
    }
}

fn outcome(ground: &Ground, stand: &Stand, after: &Tree, done: &Done) -> Result<Outcome, String> {
    let entries = recorded(ground, after, &ground.live)?;
    let store = Store::open(&stand.place()).map_err(|refusal| format!("afterwards: {refusal}"))?;
    foreign(ground, &store, bytes(after, "journal/entries.jsonl").unwrap_or_default())?;
    let untouched = ground.live.iter().filter(|(path, node)| after.get(*path) == Some(*node));
    Ok(Outcome {
        entries,
        bundles: bundles(ground, &store, after)?,
        tokens: tokens(ground, &done.tokens)?,
        seen: done.seen.clone(),
        untouched: untouched.map(|(path, _)| path.clone()).collect(),
    })
}

/// Every key of the journal is one that this store's own acts made: the roots go back to the genuine one,
/// and no attacker has made any of the keys.
fn foreign(ground: &Ground, store: &Store, journal: &[u8]) -> Result<(), String> {
    let roots = root::chain(store).map_err(|refusal| format!("the roots: {refusal}"));
    if let Ok(roots) = &roots {
        let genuine = bytes(&ground.live, "roots/root.1.json").unwrap();
        if roots.first().map(|root| root.text().as_bytes()) != Some(genuine) {
            return Err("another root 1".to_owned());
        }
    }
    let text = String::from_utf8_lossy(journal);
    for (kid, _) in &ground.others.keys {
        if text.contains(kid.as_str()) {
            return Err(format!("the journal speaks of a foreign key {kid}"));
        }
    }
    Ok(())
}

/// What publications say that were not there before.
fn bundles(ground: &Ground, store: &Store, after: &Tree) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let known = String::from_utf8_lossy(bytes(&ground.live, "journal/entries.jsonl").unwrap()).into_owned();
    for record in store.ledger().publications.all().iter().filter(|record| record.made.seq > 2) {
        let path = format!("publications/{:06}/{}", record.made.seq, bundle::FILE_NAME);
        let text = bytes(after, &path).ok_or(format!("{path} is gone"))?;
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let root = root::newest(store).map_err(|refusal| refusal.to_string())?.ok_or("no root")?;
        let bundle = Bundle::verify(text, &root).map_err(|fault| format!("{path}: {fault}"))?;
        let contents = bundle.contents();
        let kids: Vec<String> = store
            .ledger()
            .keys
            .all()
            .iter()
            .filter(|key| {
                contents.services.keys().any(|service| {
                    contents.jwks(service).is_ok_and(|jwks| jwks.to_json().to_string().contains(&key.kid))
                })
            })
            .map(|key| if known.contains(&key.kid) { key.kid.clone() } else { key.name() })
            .collect();
        found.push(format!("{} {kids:?} {:?} {:?}", contents.seq, contents.services, contents.revoked));
    }
    Ok(found)
}

/// What tokens say that the sound store's services accept.
fn tokens(ground: &Ground, tokens: &[String]) -> Result<Vec<String>, String> {
    let sound = Stand::with(&ground.live);
    let verifier = verify::verifier_of_store(&sound.store(), "api", NOW).map_err(|refusal| refusal.to_string())?;
    let mut found = Vec::new();
    for token in tokens {
        verify::verify(&verifier, token.as_bytes(), NOW).map_err(|refusal| format!("a token: {refusal}"))?;
        let payload = coldsign_verify::base64url::decode(token.split('.').nth(1).unwrap()).unwrap();
        let mut claims: Value = serde_json::from_slice(&payload).unwrap();
        claims.as_object_mut().unwrap().remove("jti");
        found.push(claims.to_string());
    }
    Ok(found)
}
