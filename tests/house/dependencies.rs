//! Dependencies: what the signer and the verifier may never bring in, and who depends on whom.
//! Licences, sources and bans for the whole workspace are in `deny.toml`.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{exactly, none, root, text_of};

/// Crates that open connections or exist for those that do.
const NETWORK: [&str; 33] = [
    "actix-rt",
    "async-io",
    "async-net",
    "async-std",
    "curl",
    "curl-sys",
    "h2",
    "h3",
    "hickory-resolver",
    "hyper",
    "hyper-util",
    "isahc",
    "libssh2-sys",
    "mio",
    "native-tls",
    "openssl",
    "openssl-sys",
    "polling",
    "quinn",
    "reqwest",
    "rustls",
    "schannel",
    "security-framework",
    "smol",
    "socket2",
    "tokio",
    "tonic",
    "tower-http",
    "tungstenite",
    "ureq",
    "webpki",
    "webpki-roots",
    "zmq",
];

/// Never in the signer, the verifier or the gate: RUSTSEC-2023-0071, RUSTSEC-2024-0398.
const NEVER: [&str; 2] = ["rsa", "sharks"];

/// What needs a C compiler.
const COMPILED_C: [&str; 3] = ["aws-lc-sys", "cc", "cmake"];

/// A service must be able to read what it links: at most so many crates in the verifier's tree.
const VERIFIER_AT_MOST: usize = 45;

/// A package of a dependency tree: its name and version.
type Tree = BTreeSet<(String, String)>;

/// `cargo tree` for every platform. Without `--offline`: crates of other platforms are fetched
/// by the first run after a fresh clone; later runs find them on disk.
fn tree(package: &str, edges: &str, more: &[&str]) -> Tree {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree", "--locked", "--target", "all", "--prefix", "none", "--format", "{p}", "-p", package, "-e", edges,
        ])
        .args(more)
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let tree = parse(&String::from_utf8_lossy(&output.stdout));
    assert!(tree.iter().any(|(name, _)| name == package), "{package} is not in its own tree");
    tree
}

fn parse(listing: &str) -> Tree {
    let words = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    listing.lines().filter_map(words).collect()
}

fn unwanted(package: &str, tree: &Tree, unwanted: &[&str]) -> Vec<String> {
    let found = tree.iter().filter(|(name, _)| unwanted.contains(&name.as_str()));
    found.map(|(name, version)| format!("{package} depends on {name} {version}")).collect()
}

fn too_many(package: &str, tree: &Tree) -> Vec<String> {
    // The package itself is no dependency of its own.
    let count = tree.len() - 1;
    if count <= VERIFIER_AT_MOST {
        Vec::new()
    } else {
        vec![format!("{package} has {count} crates in its tree, more than {VERIFIER_AT_MOST}")]
    }
}

fn foreign_sources(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    let foreign: BTreeSet<&str> =
        sources.filter(|source| *source != "\"registry+https://github.com/rust-lang/crates.io-index\"").collect();
    foreign.into_iter().map(|source| format!("Cargo.lock takes crates from {source}")).collect()
}

#[test]
fn the_signer_has_no_network_crate() {
    let signer = tree("coldsign", "normal,build", &[]);
    let mut offences = unwanted("coldsign", &signer, &NETWORK);
    offences.extend(unwanted("coldsign", &signer, &NEVER));
    offences.extend(unwanted("coldsign", &signer, &["coldsign-gate"]));
    none(&offences);
}

#[test]
fn the_verifier_stays_small_and_alone() {
    let whole = tree("coldsign-verify", "normal,build", &[]);
    let mut offences = unwanted("coldsign-verify", &whole, &NETWORK);
    offences.extend(unwanted("coldsign-verify", &whole, &NEVER));
    offences.extend(unwanted("coldsign-verify", &whole, &["coldsign", "coldsign-gate", "jsonwebtoken"]));
    offences.extend(too_many("coldsign-verify", &tree("coldsign-verify", "normal", &[])));

    let alone = tree("coldsign-verify", "normal,build", &["--no-default-features"]);
    offences.extend(unwanted("coldsign-verify without features", &alone, &COMPILED_C));
    offences.extend(too_many("coldsign-verify without features", &alone));
    none(&offences);
}

#[test]
fn the_gate_never_depends_on_the_signer() {
    let gate = tree("coldsign-gate", "normal,build", &[]);
    let mut offences = unwanted("coldsign-gate", &gate, &["coldsign"]);
    offences.extend(unwanted("coldsign-gate", &gate, &NEVER));
    none(&offences);
}

#[test]
fn every_crate_comes_from_one_place() {
    none(&foreign_sources(&text_of("Cargo.lock")));
}

#[test]
fn an_unwanted_crate_is_seen() {
    let sample = parse(
        "coldsign v0.1.0 (/a)\nserde v1.0.0\ntokio v1.50.0\ntokio v1.50.0 (*)\ncoldsign-gate v0.1.0 (/b)\n\nserde_derive v1.0.0 (proc-macro)\n",
    );
    assert_eq!(sample.len(), 5);
    exactly(&unwanted("coldsign", &sample, &NETWORK), &["tokio v1.50.0"]);
    exactly(&unwanted("coldsign", &sample, &["coldsign-gate"]), &["coldsign-gate v0.1.0"]);
    none(&unwanted("coldsign", &sample, &NEVER));

    let many =
        |count: usize| (0..=count).map(|number| (format!("crate{number}"), "v1.0.0".to_owned())).collect::<Tree>();
    exactly(&too_many("x", &many(VERIFIER_AT_MOST + 1)), &["46 crates"]);
    none(&too_many("x", &many(VERIFIER_AT_MOST)));

    let lock =
        "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nsource = \"git+https://host.example/a\"\n";
    exactly(&foreign_sources(lock), &["git+https"]);
}

#[test]
fn the_lists_name_what_is_really_there() {
    // A tree that does have these crates shows that names are compared as cargo prints them.
    let whole = tree("coldsign-verify", "normal,build", &[]);
    assert_eq!(unwanted("coldsign-verify", &whole, &COMPILED_C).len(), COMPILED_C.len());
}
