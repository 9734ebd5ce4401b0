//! Who may touch what: the clock, the terminal, the environment, files, other programs, chance,
//! the network. Code for tests is free to, except for the network.

use crate::floors::room;
use crate::paths::{module_of, named};
use crate::source::Source;
use crate::{exactly, none, sources_in};

/// One thing of the world outside and the rooms that may touch it.
struct Thing {
    name: &'static str,
    /// Paths that reach it; `*` stands for any one segment, and everything below a path counts.
    paths: &'static [&'static str],
    /// Methods that reach it without naming a path.
    methods: &'static [&'static str],
    allowed: &'static [&'static str],
    tests_too: bool,
}

const THINGS: [Thing; 9] = [
    Thing {
        name: "the clock",
        paths: &["std::time::*::now", "jiff::*::now", "jiff::tz::TimeZone::system", "jiff::tz::TimeZone::try_system"],
        methods: &["elapsed"],
        allowed: &["bin", "gate"],
        tests_too: false,
    },
    // The verifier turns one into its own type; the signer's floors are given that type.
    Thing {
        name: "the clock's types",
        paths: &["std::time::SystemTime", "std::time::Instant"],
        methods: &[],
        allowed: &["bin", "gate", "verify"],
        tests_too: false,
    },
    Thing {
        name: "the environment",
        paths: &["std::env", "std::process::exit", "std::process::abort", "std::process::ExitCode"],
        methods: &[],
        allowed: &["bin", "gate"],
        tests_too: false,
    },
    Thing {
        name: "the terminal",
        paths: &["std::io::stdin", "std::io::stdout", "std::io::stderr", "rpassword"],
        methods: &[],
        allowed: &["bin", "gate"],
        tests_too: false,
    },
    Thing {
        name: "the command line",
        paths: &["clap", "clap_complete", "clap_mangen"],
        methods: &[],
        allowed: &["bin", "gate"],
        tests_too: true,
    },
    Thing {
        name: "files",
        paths: &["std::fs", "std::os::unix::fs", "rustix::fs", "coldsign_verify::files"],
        methods: &[
            "exists",
            "try_exists",
            "is_file",
            "is_dir",
            "is_symlink",
            "symlink_metadata",
            "read_dir",
            "read_link",
            "canonicalize",
        ],
        allowed: &["storage", "verify", "confine", "gate"],
        tests_too: false,
    },
    // The gate's reload hook is the one program that anything here starts.
    Thing {
        name: "other programs",
        paths: &["std::process::Command"],
        methods: &[],
        allowed: &["gate"],
        tests_too: false,
    },
    Thing {
        name: "chance",
        paths: &["getrandom"],
        methods: &[],
        allowed: &["acts", "keystore", "journal", "storage", "verify", "gate"],
        tests_too: false,
    },
    Thing {
        name: "the network",
        paths: &["std::net", "core::net", "std::os::unix::net", "rustix::net"],
        methods: &[],
        allowed: &[],
        tests_too: true,
    },
];

fn offences(sources: &[Source]) -> Vec<String> {
    let mut found: Vec<String> = sources.iter().flat_map(of_one).collect();
    found.sort();
    found.dedup();
    found
}

fn of_one(source: &Source) -> Vec<String> {
    let (root, room) = match source.path.split('/').nth(1) {
        Some("signer") => ("src/signer", room(&source.path)),
        Some(member) => ("src", member),
        None => ("src", ""),
    };
    let paths = named(source, &module_of(&source.path, root));
    let tokens = source.tokens();
    let by_path = paths.into_iter().filter_map(|path| {
        let thing = forbidden(room, source.in_tests(path.at), |thing| {
            thing.paths.iter().any(|pattern| reaches(&path.segments, pattern))
        })?;
        Some((path.at, thing.name, path.segments.join("::")))
    });
    let by_method =
        tokens.windows(3).filter(|three| three[0].text == "." && three[2].text == "(").filter_map(|three| {
            let thing = forbidden(room, source.in_tests(three[1].at), |thing| thing.methods.contains(&three[1].text))?;
            Some((three[1].at, thing.name, format!(".{}()", three[1].text)))
        });
    let told = |(at, thing, how)| format!("{}:{}: {room} may not touch {thing}: {how}", source.path, source.line(at));
    by_path.chain(by_method).map(told).collect()
}

/// The first thing that is touched here and may not be.
fn forbidden(room: &str, in_tests: bool, touched: impl Fn(&Thing) -> bool) -> Option<&'static Thing> {
    THINGS.iter().find(|thing| !thing.allowed.contains(&room) && (thing.tests_too || !in_tests) && touched(thing))
}

/// True if a path is or lies below the pattern, or is a glob that brings it in.
fn reaches(segments: &[String], pattern: &str) -> bool {
    let pattern: Vec<&str> = pattern.split("::").collect();
    let agree = |count: usize| {
        segments.iter().zip(&pattern).take(count).all(|(segment, wanted)| *wanted == "*" || segment == wanted)
    };
    match segments.split_last() {
        Some((last, above)) if last == "*" && above.len() < pattern.len() => agree(above.len()),
        _ => segments.len() >= pattern.len() && agree(pattern.len()),
    }
}

#[test]
fn only_the_right_rooms_touch_the_world() {
    none(&offences(&sources_in("src/")));
}

#[test]
fn a_room_that_reaches_out_is_seen() {
    let sample = |path: &str, text: &str| offences(&[Source::new(path, text)]);
    exactly(&sample("src/signer/acts/issue.rs", "use std::time::{Duration, SystemTime};"), &["the clock's types"]);
    exactly(&sample("src/signer/acts/issue.rs", "fn f() { std::time::Instant::now(); }"), &["the clock"]);
    exactly(&sample("src/verify/lib.rs", "fn f(t: Instant) { t.elapsed() }"), &[".elapsed()"]);
    exactly(&sample("src/signer/acts/issue.rs", "use jiff::Zoned as Z; fn f() { Z::now(); }"), &["jiff::Zoned::now"]);
    exactly(
        &sample("src/verify/lib.rs", "use std::time as t; fn f() { t::SystemTime::now() }"),
        &["verify may not touch the clock"],
    );
    exactly(&sample("src/signer/keystore/mod.rs", "use std::{env, fmt};"), &["the environment"]);
    exactly(&sample("src/signer/journal/mod.rs", "use std::io; fn f() { io::stderr(); }"), &["the terminal"]);
    exactly(&sample("src/signer/journal/mod.rs", "use std::io::*;"), &["the terminal"]);
    exactly(&sample("src/signer/acts/unlock.rs", "fn f() { rpassword::prompt_password(x) }"), &["the terminal"]);
    exactly(&sample("src/signer/acts/issue.rs", "#[derive(clap::Args)] struct A;"), &["the command line"]);
    exactly(&sample("src/signer/bin/init.rs", "use std::fs::File as F;"), &["bin may not touch files"]);
    exactly(&sample("src/signer/keystore/seal.rs", "fn f() { rustix::fs::fsync(x) }"), &["rustix::fs::fsync"]);
    exactly(&sample("src/signer/acts/init.rs", "fn f(p: &Path) { p.exists(); }"), &[".exists()"]);
    exactly(&sample("src/signer/bin/main.rs", "fn f() { std::process::Command::new(x) }"), &["other programs"]);
    exactly(&sample("src/signer/issuing/profile.rs", "fn f() { getrandom::fill(x) }"), &["chance"]);
    exactly(&sample("src/gate/main.rs", "use std::net::TcpStream;"), &["the network"]);
    exactly(
        &sample("src/verify/lib.rs", "#[cfg(test)] mod tests { use std::os::unix::net::UnixStream; }"),
        &["the network"],
    );
}

#[test]
fn what_is_allowed_passes() {
    let sample = |path: &str, text: &str| offences(&[Source::new(path, text)]);
    none(&sample("src/verify/time.rs", "use std::time::SystemTime; impl From<SystemTime> for UnixTime {}"));
    none(&sample(
        "src/signer/bin/clock.rs",
        "use std::time::SystemTime; use clap::Parser; fn f() { std::env::args(); std::io::stdout(); }",
    ));
    none(&sample(
        "src/signer/storage/mod.rs",
        "use std::fs::{File, OpenOptions}; use std::io::Write; fn f(p: &Path) { p.exists(); }",
    ));
    none(&sample(
        "src/signer/keystore/mod.rs",
        "use std::time::Duration; const V: &str = env!(\"CARGO_PKG_VERSION\"); // std::env",
    ));
    none(&sample(
        "src/signer/acts/init.rs",
        "#[cfg(test)] mod tests { fn f() { std::fs::read(x); std::env::temp_dir(); } }",
    ));
}
