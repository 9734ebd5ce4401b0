//! Putting cases before a verifier script and comparing what it says with what it has to say.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// A script that starts a service or two is done long before.
const DEADLINE: Duration = Duration::from_secs(180);

/// What a verifier has to say.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It accepts and hands out at least these claims with exactly these values.
    Accept(Value),
    /// It refuses, in words that contain this text: a refusal for another reason proves nothing.
    Reject(&'static str),
}

/// One case: what the script needs, and what it has to answer.
#[derive(Clone, Debug)]
pub struct Trial {
    name: String,
    request: Value,
    verdict: Verdict,
}

impl Trial {
    /// `request` is an object whose members the script knows; `name` has to be unique in a run.
    pub fn new(name: impl Into<String>, request: Value, verdict: Verdict) -> Self {
        Self { name: name.into(), request, verdict }
    }
}

/// Runs `command` with `{"cases": […]}` and the members of `shared` in its first argument's file, and compares its answers.
///
/// # Panics
/// If the script fails, doesn't finish in time, or any answer isn't the expected one; all wrong answers are named.
pub fn run(mut command: Command, shared: Value, trials: &[Trial]) {
    assert!(!trials.is_empty());
    let folder = tempfile::tempdir().expect("temporary folder");
    let [cases, results, stderr] = ["cases.json", "results.json", "stderr"].map(|name| folder.path().join(name));
    fs::write(&cases, work(shared, trials).to_string()).expect("cases file");
    command.arg(&cases).arg(&results).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(&stderr).expect("stderr file"));
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let ended = wait(command);
    let log = || String::from_utf8_lossy(&fs::read(&stderr).unwrap_or_default()).into_owned();
    assert!(ended, "a verifier script failed or did not finish within {DEADLINE:?}:\n{}", log());
    let answers: Vec<Answer> =
        serde_json::from_slice(&fs::read(&results).expect("results file")).expect("results of the script");
    assert_eq!(answers.len(), trials.len(), "a script left cases out");
    let wrong: Vec<String> =
        trials.iter().zip(&answers).filter_map(|(trial, answer)| disagreement(trial, answer)).collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}\n{}", wrong.len(), trials.len(), wrong.join("\n"), log());
}

#[derive(Debug, Deserialize)]
struct Answer {
    name: String,
    outcome: String,
    said: String,
    claims: Option<Value>,
}

fn work(mut shared: Value, trials: &[Trial]) -> Value {
    let cases = trials.iter().map(|trial| {
        let mut request = trial.request.clone();
        request["name"] = trial.name.as_str().into();
        request
    });
    shared["cases"] = cases.collect();
    shared
}

fn disagreement(trial: &Trial, answer: &Answer) -> Option<String> {
    assert_eq!(trial.name, answer.name, "a script mixed up its cases");
    let agrees = match &trial.verdict {
        Verdict::Accept(claims) => answer.outcome == "accept" && holds(answer.claims.as_ref(), claims),
        Verdict::Reject(said) => answer.outcome == "reject" && answer.said.contains(said),
    };
    let got = json!({ "outcome": answer.outcome, "said": answer.said, "claims": answer.claims });
    (!agrees).then(|| format!("{}: wanted {:?}, got {got}", trial.name, trial.verdict))
}

fn holds(got: Option<&Value>, wanted: &Value) -> bool {
    let wanted = wanted.as_object().expect("claims are an object");
    wanted.iter().all(|(name, value)| got.and_then(|got| got.get(name)) == Some(value))
}

/// Whether the command ended well in time; whatever it started is ended with it.
fn wait(mut command: Command) -> bool {
    let mut child = command.process_group(0).spawn().expect("a verifier script starts");
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a verifier script's end") {
            return status.success();
        }
        if started.elapsed() > DEADLINE {
            let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
            let _ = rustix::process::kill_process_group(group.expect("process id"), rustix::process::Signal::KILL);
            let _ = child.wait();
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
