//! The crash regime: the real binary, killed or failed at each system call that touches the store or
//! an output, and what must hold afterwards.
//!
//! `cargo test` tries a sample; `just crash` every call (`CRASH=all`). Without `strace`, or where
//! nothing may be traced, the regime says so and tries nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was tried is a report")]

mod durable;
mod receipt;
mod trace;
mod world;

use durable::Disk;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};
use trace::{Call, Fault, What};
use world::{CHANGED, DRAFT_DIGEST, PASSPHRASE, POLICY_DIGEST, World};

const POLICY: &str = include_str!("policy.toml");

/// One act that is interrupted.
#[derive(Debug, Clone, Copy)]
struct Act {
    /// The folder it begins in.
    given: Given,
    arguments: &'static [&'static str],
    /// How many of its calls a sample passes over for each one it tries.
    stride: usize,
    /// What must hold after this act besides what must hold after every one.
    holds: fn(&World, &Output) -> Result<(), String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Given {
    /// No store.
    Nothing,
    /// A store as `init` makes it.
    New,
    /// `default/2` signs beside `default/1`; `policy.toml` was edited.
    Settled,
    /// Tokens of both kinds of service were issued, and a publication was made.
    Issued,
    /// Two custodians must sign, and a root that one of them proposed waits for the other.
    Waiting,
}

const INIT: &[&str] = &[
    "init",
    "--issuer",
    "https://tokens.example",
    "--policy",
    "policy.toml",
    "--recovery-sheet",
    "recovery.txt",
    "--kdf-log-n",
    "10",
];

/// Every act of the regime: an act is added by a row here.
const ACTS: [Act; 19] = [
    Act { given: Given::Nothing, arguments: INIT, stride: 9, holds: made_or_not },
    Act {
        given: Given::New,
        arguments: &["token", "issue", "api/reader", "ann", "ben", "--to", "out"],
        stride: 5,
        holds: nothing_more,
    },
    Act {
        given: Given::New,
        arguments: &["token", "issue", "api/reader", "ann", "--to", "-"],
        stride: 5,
        holds: nothing_more,
    },
    Act { given: Given::New, arguments: &["key", "generate", "default"], stride: 4, holds: nothing_more },
    Act { given: Given::New, arguments: &["publish", "--to", "out"], stride: 12, holds: nothing_more },
    Act {
        given: Given::Settled,
        arguments: &["unlock", "change", "admin", "--new-passphrase-file", "changed"],
        stride: 6,
        holds: World::opens_one_way,
    },
    Act {
        given: Given::Settled,
        arguments: &["key", "deactivate", "default/1", "--yes"],
        stride: 4,
        holds: nothing_more,
    },
    Act {
        given: Given::Settled,
        arguments: &["policy", "apply", "--sha256", POLICY_DIGEST],
        stride: 4,
        holds: nothing_more,
    },
    Act {
        given: Given::Settled,
        arguments: &["revoke", "subject", "ann", "--unseen", "--yes"],
        stride: 4,
        holds: World::revoked_if_said,
    },
    Act {
        given: Given::Settled,
        arguments: &["revoke", "everything", "--yes"],
        stride: 4,
        holds: World::revoked_if_said,
    },
    Act { given: Given::Settled, arguments: &["backup", "create", "--to", "out"], stride: 4, holds: nothing_more },
    Act {
        given: Given::Settled,
        arguments: &["rotate", "next", "--yes", "--to", "out"],
        stride: 16,
        holds: nothing_more,
    },
    Act {
        given: Given::Issued,
        arguments: &["rotate", "emergency", "default/1", "--reissue", "--to", "out", "--yes"],
        stride: 16,
        holds: nothing_more,
    },
    Act {
        given: Given::Issued,
        arguments: &["rotate", "cutover", "issue", "study", "--to", "out"],
        stride: 12,
        holds: nothing_more,
    },
    Act {
        given: Given::Settled,
        arguments: &["verifier", "receipt", "receipt.jwt"],
        stride: 4,
        holds: World::knows_the_receipt,
    },
    Act {
        given: Given::New,
        arguments: &["root", "rotate", "--bundle-key", "--root-code-file", "papers/one"],
        stride: 5,
        holds: nothing_more,
    },
    Act { given: Given::New, arguments: ADD_KEY, stride: 5, holds: World::custodian_has_a_code },
    Act {
        given: Given::Waiting,
        arguments: &["root", "sign", "--by", "root/1", "--root-code-file", "papers/one", "--draft", DRAFT_DIGEST],
        stride: 5,
        holds: nothing_more,
    },
    Act { given: Given::Waiting, arguments: &["root", "discard"], stride: 5, holds: nothing_more },
];

/// By the second of two custodians: `root/2`, which came with [`ADD_KEY`].
const PROPOSE: &[&str] = &["root", "rotate", "--bundle-key", "--by", "root/2", "--root-code-file", "papers/two"];

const ADD_KEY: &[&str] =
    &["root", "add-key", "--threshold", "2", "--root-code-file", "papers/one", "--sheet", "papers/sheet"];

#[test]
fn a_killed_act_loses_nothing_acknowledged_and_leaves_nothing_by_halves() {
    regime(&[|_| Some(What::Killed("SIGKILL")), |_| Some(What::Killed("SIGTERM"))]);
}

#[test]
fn an_act_whose_disk_fails_once_says_so_and_loses_nothing() {
    regime(&[|call| match call.name.as_str() {
        "write" | "mkdir" => Some(What::Fails("ENOSPC")),
        "flock" => None,
        _ => Some(What::Fails("EIO")),
    }]);
}

#[test]
fn an_act_whose_disk_is_full_or_gone_from_some_point_on_loses_nothing() {
    regime(&[|call| match call.name.as_str() {
        "write" => Some(What::FailsForGood("ENOSPC")),
        "fsync" | "fdatasync" => Some(What::FailsForGood("EIO")),
        _ => None,
    }]);
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    if skipped() {
        return;
    }
    for act in ACTS {
        let world = World::like(prepared(act.given));
        let calls = baseline(&act, &world);
        let before = World::like(prepared(act.given));
        let disk = || Disk::of(before.folder());
        // The model looks at the folder as it was, under the name of the one that was run in.
        let calls = renamed(&calls, world.folder(), before.folder());
        assert_eq!(disk().play(calls.iter()), Ok(()), "{:?}", act.arguments);
        let syncs: Vec<usize> =
            (0..calls.len()).filter(|at| matches!(calls[*at].name.as_str(), "fsync" | "fdatasync")).collect();
        assert!(syncs.len() > 2, "{:?} synchronises next to nothing", act.arguments);
        for left_out in syncs {
            if made_good_for(&calls, left_out, act.given) {
                continue;
            }
            let rest = calls.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, call)| call);
            let said = disk().play(rest);
            assert!(said.is_err(), "{:?}: nobody misses {:?}", act.arguments, calls[left_out]);
        }
    }
}

/// Whether the same path is synchronised again before anything counts: of `init` nothing does before
/// its last renaming, of other acts what entries or words rely on.
fn made_good_for(calls: &[Call], left_out: usize, given: Given) -> bool {
    let path = calls[left_out].descriptor();
    let again = calls[left_out + 1..].iter().position(|call| call.name == "fsync" && call.descriptor() == path);
    let Some(again) = again else { return false };
    let counts = |call: &Call| {
        let entries = call.descriptor().is_some_and(|path| path.ends_with("journal/entries.jsonl"));
        call.name == "write" && (entries || call.arguments.starts_with("1<"))
    };
    given == Given::Nothing || !calls[left_out + 1..left_out + 1 + again].iter().any(counts)
}

/// Tries each kind of fault at each call; a sample goes from one kind to the next.
fn regime(kinds: &[fn(&Call) -> Option<What>]) {
    if skipped() {
        return;
    }
    let mut trials: Vec<(Act, Fault)> = Vec::new();
    for act in ACTS {
        let world = World::like(prepared(act.given));
        let calls = baseline(&act, &world);
        let faults = |kind: fn(&Call) -> Option<What>| {
            let fault = move |call: &Call| Some(Fault { call: call.name.clone(), nth: call.nth, what: kind(call)? });
            calls.iter().filter_map(fault).map(|fault| (act, fault))
        };
        let all = kinds.len();
        for (turn, kind) in kinds.iter().enumerate() {
            let (first, stride) = if everything() { (0, 1) } else { (turn * act.stride, act.stride * all) };
            trials.extend(faults(*kind).skip(first).step_by(stride));
        }
    }
    let queue = Mutex::new(trials.iter());
    let failures = Mutex::new(Vec::new());
    let struck = Mutex::new(0_usize);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((act, fault)) = { queue.lock().unwrap().next() } {
                    match trial(act, fault) {
                        Ok(hit) => *struck.lock().unwrap() += usize::from(hit),
                        Err(failure) => failures.lock().unwrap().push(failure),
                    }
                }
            });
        }
    });
    let (failures, struck) = (failures.into_inner().unwrap(), struck.into_inner().unwrap());
    println!("{} trials, {struck} of them struck, {} failures", trials.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(struck * 10 >= trials.len() * 9, "the faults hardly ever happen: {struck} of {}", trials.len());
}

/// Whether the fault changed how the act ended.
fn trial(act: &Act, fault: &Fault) -> Result<bool, String> {
    let world = World::like(prepared(act.given));
    let ended = trace::run(world.folder(), act.arguments, Some(fault));
    let judge = || {
        (act.holds)(&world, &ended)?;
        world.holds(&ended)?;
        world.goes_on()
    };
    judge().map_err(|what| {
        format!(
            "{what}\n  {:?} {fault:?}\n  ended {:?}\n  stdout {}\n  stderr {}",
            act.arguments,
            ended.status,
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        )
    })?;
    match fault.what {
        What::Killed(_) => Ok(ended.status.signal().is_some()),
        _ => Ok(fs::read_to_string(world.folder().join("trace")).is_ok_and(|trace| trace.contains("(INJECTED)"))),
    }
}

fn nothing_more(_: &World, _: &Output) -> Result<(), String> {
    Ok(())
}

/// `init` makes a whole store or none; where none, the next one does, and sweeps.
fn made_or_not(world: &World, ended: &Output) -> Result<(), String> {
    let sheet = world.folder().join("recovery.txt");
    if fs::read_to_string(&sheet).is_ok_and(|text| !text.ends_with("unlock change recovery\n")) {
        return Err("the recovery sheet is there by halves".to_owned());
    }
    let store = world.folder().join("store");
    if coldsign::acts::Store::is_at(&store) {
        return if sheet.exists() { Ok(()) } else { Err("a store without its recovery sheet".to_owned()) };
    }
    if store.exists() {
        return Err("a store by halves".to_owned());
    }
    if ended.status.success() {
        return Err("no store, and no word of it".to_owned());
    }
    let _ = fs::remove_file(&sheet);
    let again = plain(world.folder(), INIT);
    if again.status.success() {
        Ok(())
    } else {
        Err(format!("the next init: {}", String::from_utf8_lossy(&again.stderr)))
    }
}

fn everything() -> bool {
    std::env::var_os("CRASH").is_some_and(|how| how == "all")
}

fn skipped() -> bool {
    match trace::why_not() {
        Some(why) => {
            println!("skipped: nothing can be traced here ({why})");
            true
        }
        None => false,
    }
}

/// An act as it goes undisturbed: its calls that change anything.
fn baseline(act: &Act, world: &World) -> Vec<Call> {
    let ended = trace::run(world.folder(), act.arguments, None);
    assert!(ended.status.success(), "{:?}: {}", act.arguments, String::from_utf8_lossy(&ended.stderr));
    let calls = trace::changing(&trace::calls(world.folder()), world.folder());
    // The least that an act does: an entry and the checkpoint after it, each made durable.
    for durable in ["fdatasync", "rename"] {
        assert!(calls.iter().any(|call| call.name == durable), "{:?}: no {durable} among {calls:?}", act.arguments);
    }
    calls
}

fn renamed(calls: &[Call], from: &Path, to: &Path) -> Vec<Call> {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    let change = |call: &Call| Call {
        arguments: call.arguments.replace(&from, &to),
        result: call.result.replace(&from, &to),
        ..call.clone()
    };
    calls.iter().map(change).collect()
}

/// A folder to begin in, made once a run.
fn prepared(given: Given) -> &'static Path {
    static MADE: OnceLock<Mutex<BTreeMap<Given, &'static Path>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap();
    made.entry(given).or_insert_with(|| Box::leak(prepare(given).into_boxed_path()))
}

fn prepare(given: Given) -> PathBuf {
    let folder = tempfile::tempdir().unwrap().keep();
    fs::write(folder.join("pass"), PASSPHRASE).unwrap();
    fs::write(folder.join("changed"), CHANGED).unwrap();
    fs::write(folder.join("policy.toml"), POLICY).unwrap();
    fs::create_dir(folder.join("out")).unwrap();
    fs::create_dir(folder.join("handed")).unwrap();
    fs::create_dir(folder.join("papers")).unwrap();
    let commands: &[&[&str]] = match given {
        Given::Nothing => &[],
        Given::New => &[INIT],
        Given::Issued => &[
            INIT,
            &["token", "issue", "api/reader", "ann", "ben", "--to", "handed"],
            &["token", "issue", "study/client", "ann", "ben", "--to", "handed"],
            &["key", "generate", "study"],
            &["publish"],
        ],
        Given::Settled => &[INIT, &["key", "generate", "default"], &["publish"], &["key", "activate", "default/2"]],
        Given::Waiting => &[INIT, ADD_KEY, PROPOSE],
    };
    for arguments in commands {
        let ended = plain(&folder, arguments);
        assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
        root_code(&folder.join("recovery.txt"), &folder.join("papers/one"));
        root_code(&folder.join("papers/sheet"), &folder.join("papers/two"));
    }
    if given == Given::Settled {
        let fingerprint = receipt::of_a_machine(&folder);
        let ended = plain(&folder, &["verifier", "add", "api-1", "receipt.jwt", "--fingerprint", &fingerprint]);
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let edited =
            POLICY.replace("[services.api.roles.reader]", "[services.api.roles.reader]\ndescription = \"all\"");
        fs::write(folder.join("store/policy.toml"), edited).unwrap();
    }
    folder
}

/// A code from its sheet into a file of its own.
fn root_code(sheet: &Path, file: &Path) {
    let text = fs::read_to_string(sheet).unwrap_or_default();
    if let Some(code) = text.lines().find_map(|line| line.strip_prefix("root code       ")) {
        fs::write(file, code).unwrap();
    }
}

fn plain(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coldsign"))
        .args(["--passphrase-file", "pass"])
        .args(arguments)
        .current_dir(folder)
        .env("TZ", "UTC")
        .env("COLDSIGN_STORE", folder.join("store"))
        .output()
        .unwrap()
}
