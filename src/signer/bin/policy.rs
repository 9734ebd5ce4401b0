//! `coldsign policy …`

use super::Ended;
use super::ask;
use super::context::Context;
use super::fault::Fault;
use super::screen::{Screen, many};
use super::when;
use coldsign::acts::policy::{self, Affected, Comparison};
use coldsign::acts::verifiers;
use coldsign::issuing::Policy;
use coldsign::issuing::policy::{Change, LARGEST};
use coldsign::refusal::Refusal;
use coldsign::storage::{StorageFault, read_file};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Check policy.toml, or another file, for faults
    #[command(after_help = "Examples:\n  coldsign policy check\n  coldsign policy check draft.toml")]
    Check {
        /// Another file; needs no store
        file: Option<PathBuf>,
    },
    /// Say who gains or loses what by applying policy.toml
    #[command(after_help = "Examples:\n  coldsign policy diff")]
    Diff,
    /// Show what policy.toml changes, ask, and put it into force
    #[command(after_help = "\
Examples:
  coldsign policy apply
  coldsign policy apply --sha256 \"$(sha256sum < policy.toml | cut -c 1-64)\"")]
    Apply {
        /// Apply the text with this SHA-256 without a question (scripts); policy diff prints it
        #[arg(long, value_name = "DIGEST")]
        sha256: Option<String>,
    },
    /// Print the policy in force, now or at an earlier time
    #[command(after_help = "Examples:\n  coldsign policy show\n  coldsign policy show --as-of 2027-03-01")]
    Show {
        /// A date or time, UTC where it says nothing else
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
    },
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Check { file: Some(file) } => {
            let bytes = read_file(&file, LARGEST as u64)?;
            let text = String::from_utf8(bytes).map_err(|_| StorageFault::NotText(file.clone()))?;
            let policy = Policy::parse(&text).map_err(|faults| Fault::Policy { file: file.clone(), faults })?;
            checked(&file.display().to_string(), &policy, None, &[], screen);
        }
        Command::Check { file: None } => {
            let store = context.store(screen)?;
            let policy = Policy::parse(&store.edited_policy()?)
                .map_err(|faults| Fault::Policy { file: store.directory().path().join("policy.toml"), faults })?;
            let comparison = policy::compare(&store, context.now()?)?;
            checked("policy.toml", &policy, Some(comparison.in_force), &verifiers::warnings(&store, &policy), screen);
            if !comparison.in_force {
                screen.note("it is not in force yet");
                screen.hint("coldsign policy diff");
            }
        }
        Command::Diff => {
            let comparison = policy::compare(&context.store(screen)?, context.now()?)?;
            show_comparison(&comparison, screen);
            if !comparison.in_force {
                screen.note(&format!("the SHA-256 of its text is {}", comparison.sha256));
                screen.hint("coldsign policy apply");
            }
        }
        Command::Apply { sha256 } => apply(sha256.as_deref(), context, screen)?,
        Command::Show { as_of } => {
            let store = context.store(screen)?;
            let time = as_of.map(|text| when::end_of(&text, context.now()?)).transpose()?;
            let (text, record) = policy::show(&store, time)?;
            if screen.json() {
                screen.object(&json!({
                    "sha256": record.applied.sha256, "applied": record.at, "by": record.by, "text": text,
                }));
            } else {
                screen.note(&format!(
                    "applied {} by {}, SHA-256 {}",
                    when::utc(record.at),
                    record.by,
                    record.applied.sha256
                ));
                screen.text(&text);
            }
        }
    }
    Ok(())
}

/// What is shown is what is applied: the file is read once, in the opened store.
fn apply(sha256: Option<&str>, context: &Context, screen: &mut Screen) -> Ended {
    let mut seen = None;
    let mut session = context.act(screen, |store, _| {
        let comparison = policy::compare(store, context.now()?.max(store.journal().newest_time()))?;
        if let Some(sha256) = sha256 {
            policy::must_be(&comparison, sha256)?;
        } else if !comparison.in_force {
            approve(&comparison)?;
        }
        seen = Some(comparison);
        Ok(())
    })?;
    let comparison = seen.ok_or(Fault::Missing("no policy was looked at"))?;
    let asks = sha256.is_none() && !comparison.in_force;
    policy::apply(&mut session, &comparison)?;
    if !asks || !screen.is_read() {
        show_comparison(&comparison, screen);
    }
    if !comparison.in_force {
        screen.note("it is in force now; services learn of it with the next publication");
    }
    for keyset in &comparison.without_key {
        screen.hint(&format!("coldsign key generate {keyset}"));
    }
    Ok(())
}

/// Shows what would change, and asks.
fn approve(comparison: &Comparison) -> Result<(), Refusal> {
    let mut lines = lines(comparison);
    lines.extend(comparison.affected.iter().map(affected_line));
    lines.extend(comparison.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.push("the SHA-256 of its text is".to_owned());
    lines.push(format!("  {}", comparison.sha256));
    let otherwise = Fault::Unseen {
        what: "the changes",
        look: "coldsign policy diff shows them, and the SHA-256 that the command below names",
        command: Some(format!("coldsign policy apply --sha256 {}", comparison.sha256)),
    };
    Ok(ask::approve(&lines, "This puts policy.toml into force.", otherwise)?)
}

fn affected_line(one: &Affected) -> String {
    format!("{:<8} {}", if one.refused { "refuses" } else { "keeps" }, one.words)
}

fn checked(file: &str, policy: &Policy, in_force: Option<bool>, warnings: &[String], screen: &mut Screen) {
    let roles: usize = policy.services().map(|service| service.roles.len()).sum();
    if screen.json() {
        screen.object(&json!({
            "file": file, "faults": [], "warnings": warnings, "in_force": in_force,
            "keysets": policy.keysets().map(|keyset| keyset.name.clone()).collect::<Vec<_>>(),
            "services": policy.services().map(|service| service.name.clone()).collect::<Vec<_>>(),
        }));
        return;
    }
    screen.note(&format!(
        "{file} has no fault: {}, {}, {}",
        many(policy.keysets().count(), "keyset"),
        many(policy.services().count(), "service"),
        many(roles, "role")
    ));
    for warning in warnings {
        screen.warning(warning);
    }
}

fn show_comparison(comparison: &Comparison, screen: &mut Screen) {
    if screen.json() {
        let changes: Vec<_> = comparison
            .changes
            .iter()
            .map(|change| json!({"about": change.about, "words": change.words, "effect": change.effect.to_string()}))
            .collect();
        let tokens: Vec<_> = comparison
            .affected
            .iter()
            .map(|one| {
                json!({
                    "service": one.service, "what": one.what, "tokens": one.tokens, "until": one.until,
                    "refused": one.refused, "words": one.words,
                })
            })
            .collect();
        screen.object(&json!({
            "sha256": comparison.sha256, "in_force": comparison.in_force, "changes": changes, "tokens": tokens,
            "warnings": comparison.warnings, "without_key": comparison.without_key,
        }));
        return;
    }
    if comparison.in_force {
        screen.note("policy.toml is in force as it stands");
    }
    for line in lines(comparison) {
        screen.line(&line);
    }
    for warning in &comparison.warnings {
        screen.warning(warning);
    }
    for one in &comparison.affected {
        screen.line(&affected_line(one));
    }
}

/// Who gains or loses what, a line each.
fn lines(comparison: &Comparison) -> Vec<String> {
    if comparison.changes.is_empty() && !comparison.in_force {
        return vec!["no change in what may be issued (comments or layout only)".to_owned()];
    }
    let line = |change: &Change| format!("{:<8} {}", change.effect.to_string(), change.words);
    comparison.changes.iter().map(line).collect()
}
