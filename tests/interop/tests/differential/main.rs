//! Mutated tokens, key sets, roots, bundles and receipts, judged by `coldsign-verify` and by an oracle.
//!
//! The oracle (`python/oracle/`) is written in Python from `docs/formats/` alone, with its own JSON parser and
//! other people's cryptography. Compared are: accepted or refused; of what is accepted, what it says; of what is
//! refused, the very rule, since the pages give an order. Most mutations are made before the right key signs, so
//! that they reach the rules behind the signature.
//!
//! `CASES=100000 cargo test -p coldsign-interop --test differential` (`just differential`) looks longer;
//! `SEED=N` makes other ones; keys of P-256 and RSA are new in every run. Cases on which the two differ are kept in `target/interop/differential.jsonl`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod any_json;
mod any_text;
mod bundles;
mod chance;
mod compact;
mod judge;
mod keys;
mod keysets;
mod node;
mod receipts;
mod roots;
mod signatures;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coldsign_interop::{Python, target_folder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use bundles::{INSTALLED, Publisher};
use chance::Chance;
use judge::Judge;
use receipts::Verifier;
use roots::Holders;
use tokens::Keys;

/// The time in most cases.
const NOW: u64 = 1_800_000_000;
/// How many in the test command.
const SAMPLE: u64 = 4_000;
/// How many are written, and judged by one run of the oracle.
const BATCH: u64 = 5_000;
/// Of how many of each kind at least one has to be accepted by both.
const ACCEPTED_ONE_IN: u64 = 10;
/// From how many cases on each of [`RULES`] has to have refused some.
const ALL_RULES_FROM: u64 = 20_000;
/// Every rule of the pages that can refuse these cases, but for sizes of megabytes.
const RULES: [&str; 70] = [
    "TRUST-EXPIRED",
    "TRUST-CLOCK",
    "TOKEN-LENGTH",
    "TOKEN-CHARACTER",
    "TOKEN-PARTS",
    "TOKEN-BASE64URL",
    "TOKEN-HEADER-JSON",
    "TOKEN-HEADER-MEMBER",
    "TOKEN-HEADER-TYPE",
    "TOKEN-ALGORITHM",
    "TOKEN-KID-LENGTH",
    "TOKEN-TYPE",
    "TOKEN-KID-MISSING",
    "TOKEN-KEY-UNKNOWN",
    "TOKEN-KEY-ALGORITHM",
    "TOKEN-SIGNATURE",
    "TOKEN-CLAIMS-JSON",
    "TOKEN-CLAIM-TYPE",
    "TOKEN-ISSUER",
    "TOKEN-AUDIENCE",
    "TOKEN-CLAIM-FORBIDDEN",
    "TOKEN-CLAIM-MISSING",
    "TOKEN-ROLE",
    "TOKEN-CLAIM-VALUE",
    "TOKEN-POSSESSION",
    "TOKEN-EXPIRED",
    "TOKEN-NOT-YET-VALID",
    "TOKEN-ISSUED-IN-FUTURE",
    "TOKEN-VALIDITY",
    "TOKEN-REVOKED",
    "ROOT-FINGERPRINT",
    "ROOT-LENGTH",
    "ROOT-FORM",
    "ROOT-HEADER",
    "ROOT-TYPE",
    "ROOT-VERSION",
    "ROOT-MEMBER",
    "ROOT-KEY",
    "ROOT-THRESHOLD",
    "ROOT-GAP",
    "ROOT-FOREIGN",
    "ROOT-EXPIRED",
    "ROOT-FUTURE",
    "BUNDLE-FORM",
    "BUNDLE-TYPE",
    "BUNDLE-KEY",
    "BUNDLE-SIGNATURE",
    "BUNDLE-JSON",
    "BUNDLE-VERSION",
    "BUNDLE-MEMBER",
    "BUNDLE-KEYS",
    "BUNDLE-FOREIGN",
    "BUNDLE-ROOT",
    "BUNDLE-OUTLIVES-ROOT",
    "BUNDLE-EXPIRED",
    "BUNDLE-FUTURE",
    "BUNDLE-ROLLBACK",
    "BUNDLE-SAME-NUMBER",
    "BUNDLE-LEAP",
    "BUNDLE-PREVIOUS",
    "RECEIPT-FORM",
    "RECEIPT-TYPE",
    "RECEIPT-KEY",
    "RECEIPT-SIGNATURE",
    "RECEIPT-JSON",
    "RECEIPT-VERSION",
    "RECEIPT-MEMBER",
    "RECEIPT-OWN-KEY",
    "RECEIPT-COUNTER",
    "RECEIPT-FORK",
];
/// How many disagreements are told.
const TOLD: usize = 50;

/// Something for both to judge.
struct Case {
    kind: &'static str,
    input: Vec<u8>,
    more: Value,
    changes: Vec<&'static str>,
}

impl Case {
    fn new(kind: &'static str, input: impl Into<Vec<u8>>, more: Value, changes: Vec<&'static str>) -> Self {
        Self { kind, input: input.into(), more, changes }
    }

    fn line(&self) -> Value {
        let mut line = self.more.clone();
        line["kind"] = self.kind.into();
        line["input"] = STANDARD.encode(&self.input).into();
        line
    }
}

/// What cases refer to.
struct Context {
    name: String,
    bytes: Vec<u8>,
}

/// Everybody who signs.
struct World {
    publisher: Publisher,
    verifier: Verifier,
}

impl World {
    /// Keys are lent to whatever is made with them, as long as the test lives.
    fn new() -> &'static Self {
        let publisher = Publisher { holders: Holders::new(), keys: Keys::new() };
        let own = keys::Key::ed25519("EdDSA", 14);
        let others = vec![keys::Key::ed25519("EdDSA", 15), keys::Key::ed25519("Ed25519", 16), keys::Key::p256()];
        let verifier = Verifier { own: vec![own], others };
        Box::leak(Box::new(Self { publisher, verifier }))
    }

    fn contexts(&'static self, chance: &mut Chance) -> Vec<Context> {
        let named = |name: &str, bytes: Vec<u8>| Context { name: name.to_owned(), bytes };
        let mut contexts = vec![
            named("tokens", self.publisher.keys.set().to_string().into_bytes()),
            named("bare", self.publisher.keys.bare_set().to_string().into_bytes()),
            named("bundle-5", self.publisher.bundle().signed().into_bytes()),
            named("enrolled", self.verifier.own[0].jwk.to_string().into_bytes()),
            named("another", self.verifier.others[0].jwk.to_string().into_bytes()),
            named("receipt-3", self.verifier.receipt(3).signed().into_bytes()),
        ];
        for version in 1..=3 {
            let file = self.publisher.holders.root(version).file(chance);
            contexts.push(named(&format!("root-{version}"), file.bytes()));
        }
        contexts.extend((0..INSTALLED).map(|place| self.publisher.installed(chance, place)));
        contexts
    }

    fn case(&'static self, chance: &mut Chance) -> Case {
        match chance.below(20) {
            0..=6 => tokens::case(chance, &self.publisher.keys),
            7..=9 => self.publisher.token(chance),
            10 | 11 => keysets::case(chance, &self.publisher.keys),
            12 | 13 => roots::pinned(chance, &self.publisher.holders),
            14 | 15 => roots::next(chance, &self.publisher.holders),
            16 | 17 => self.publisher.case(chance),
            _ => self.verifier.case(chance),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every mutation there is.
fn all_changes() -> Vec<&'static str> {
    let mut all: Vec<&str> = tokens::CHANGES.iter().map(|it| it.0).collect();
    all.extend(keysets::CHANGES.iter().map(|it| it.0));
    all.extend(roots::CHANGES.iter().map(|it| it.0).chain(roots::FILE.iter().map(|it| it.0)).chain(roots::MORE));
    all.extend(bundles::names());
    all.extend(receipts::CHANGES.iter().map(|it| it.0));
    all.extend(
        compact::HEADER.iter().map(|it| it.0).chain(compact::FORM.iter().map(|it| it.0)).chain([compact::BLANKS]),
    );
    all.extend(any_text::TEXT.iter().map(|it| it.0));
    let own = [&signatures::ED25519[..], &signatures::ES256, &signatures::RS256];
    all.extend(own.into_iter().flatten().chain(&signatures::COMMON).map(|it| it.0));
    all
}

/// A verdict as far as the pages fix it: of contents that are wrong in two ways they don't say which is told.
fn class(verdict: &Value) -> Value {
    match verdict["refused"].as_str() {
        Some("ROOT-KEY") => json!({ "refused": "ROOT-MEMBER" }),
        Some("BUNDLE-KEYS") => json!({ "refused": "BUNDLE-MEMBER" }),
        Some("RECEIPT-OWN-KEY") => json!({ "refused": "RECEIPT-MEMBER" }),
        _ => verdict.clone(),
    }
}

/// What was judged, and how.
#[derive(Default)]
struct Tally {
    kinds: BTreeMap<&'static str, (u64, u64)>,
    changes: BTreeMap<&'static str, u64>,
    rules: BTreeMap<String, u64>,
    disagreements: Vec<Value>,
}

impl Tally {
    fn count(&mut self, place: u64, case: &Case, ours: &Value, oracle: &Value) {
        let (judged, accepted) = self.kinds.entry(case.kind).or_default();
        *judged += 1;
        let agree = class(ours) == class(oracle);
        *accepted += u64::from(ours.get("accepted").is_some() && agree);
        for change in &case.changes {
            *self.changes.entry(change).or_default() += 1;
        }
        if let Some(rule) = ours["refused"].as_str() {
            *self.rules.entry(rule.to_owned()).or_default() += 1;
        }
        if !agree {
            let changes = &case.changes;
            let told =
                json!({ "place": place, "changes": changes, "verify": ours, "oracle": oracle, "case": case.line() });
            self.disagreements.push(told);
        }
    }

    fn report(&self, cases: u64, seed: u64, started: Instant) {
        let accepted: u64 = self.kinds.values().map(|(_, accepted)| accepted).sum();
        println!(
            "SEED={seed}: {cases} cases, {accepted} accepted by both, {} disagreements, {} s",
            self.disagreements.len(),
            started.elapsed().as_secs()
        );
        println!("{:?}\n{:?}\n{:?}", self.kinds, self.rules, self.changes);
    }

    /// One line for each way of disagreeing, the first of it whole.
    fn told(&self) -> String {
        let mut ways: BTreeMap<String, (u64, &Value)> = BTreeMap::new();
        for each in &self.disagreements {
            let side = |name: &str| each[name]["refused"].as_str().unwrap_or("accepted").to_owned();
            let way = format!("{} verify {} oracle {}", each["case"]["kind"], side("verify"), side("oracle"));
            ways.entry(way).or_insert((0, each)).0 += 1;
        }
        let lines = ways.iter().take(TOLD).map(|(way, (count, first))| {
            format!(
                "{count} × {way}: case {} {}\n  {}\n  {}",
                first["place"], first["changes"], first["verify"], first["oracle"]
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn an_independent_oracle_agrees_on_every_mutation() {
    let Some(python) = Python::with("stock") else { return };
    let (cases, seed) = (number("CASES").unwrap_or(SAMPLE), number("SEED").unwrap_or(1));
    let started = Instant::now();
    let world = World::new();
    let mut chance = Chance::new(seed);
    let contexts = world.contexts(&mut chance);
    let mut judge = Judge::default();
    contexts.iter().for_each(|context| judge.add(&context.name, &context.bytes));
    let header: String = contexts
        .iter()
        .map(|it| format!("{}\n", json!({ "context": it.name, "bytes": STANDARD.encode(&it.bytes) })))
        .collect();
    let mut tally = Tally::default();
    let mut done = 0;
    while done < cases {
        let batch: Vec<Case> = (0..BATCH.min(cases - done)).map(|_| world.case(&mut chance)).collect();
        judge_batch(&python, &header, &batch, &mut judge, done, &mut tally);
        done += BATCH;
    }
    tally.report(cases, seed, started);
    let kept = target_folder().join("interop/differential.jsonl");
    if !tally.disagreements.is_empty() {
        let lines: String = tally.disagreements.iter().map(|each| format!("{each}\n")).collect();
        fs::write(&kept, header + &lines).unwrap();
    }
    assert!(tally.disagreements.is_empty(), "SEED={seed}, all in {}:\n{}", kept.display(), tally.told());
    // A run that refuses everything, or never gets to a rule, proves nothing.
    for (kind, (judged, accepted)) in &tally.kinds {
        assert!(accepted * ACCEPTED_ONE_IN >= *judged, "of {judged} {kind} only {accepted} were accepted");
    }
    assert_eq!(tally.kinds.len(), 7);
    if cases >= ALL_RULES_FROM {
        let unseen: Vec<&&str> = RULES.iter().filter(|rule| !tally.rules.contains_key(**rule)).collect();
        assert!(unseen.is_empty(), "never refused by {unseen:?}");
    }
    let missing: Vec<&str> = all_changes().into_iter().filter(|change| !tally.changes.contains_key(change)).collect();
    assert!(missing.is_empty(), "never made: {missing:?}");
}

fn judge_batch(python: &Python, header: &str, batch: &[Case], judge: &mut Judge, done: u64, tally: &mut Tally) {
    let folder = tempfile::tempdir().unwrap();
    let [cases, answers] = ["cases.jsonl", "answers.jsonl"].map(|name| folder.path().join(name));
    let lines: String = batch.iter().map(|case| format!("{}\n", case.line())).collect();
    fs::write(&cases, header.to_owned() + &lines).unwrap();
    let oracle = python
        .script("differential.py")
        .arg(&cases)
        .arg(&answers)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ours: Vec<Value> = batch.iter().map(|case| judge.verdict(case.kind, &case.input, &case.more)).collect();
    let ended = oracle.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let answers = fs::read_to_string(&answers).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), batch.len());
    for (place, ((case, ours), oracle)) in (done..).zip(batch.iter().zip(&ours).zip(&answers)) {
        tally.count(place, case, ours, oracle);
    }
}
