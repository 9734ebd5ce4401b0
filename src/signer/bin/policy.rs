//! `coldsign policy …`

use super::Ended;
use super::context::Context;
use super::fault::Fault;
use super::screen::{Screen, many};
use super::when;
use coldsign::acts::policy::{self, Comparison};
use coldsign::acts::verifiers;
use coldsign::issuing::Policy;
use coldsign::issuing::policy::LARGEST;
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
    /// Put policy.toml into force
    #[command(after_help = "Examples:\n  coldsign policy apply")]
    Apply,
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
                screen.hint("coldsign policy apply");
            }
        }
        Command::Apply => {
            let store = context.store(screen)?;
            policy::compare(&store, context.now()?)?;
            drop(store);
            let mut session = context.session(screen)?;
            let comparison = policy::apply(&mut session)?;
            show_comparison(&comparison, screen);
            if !comparison.in_force {
                screen.note("it is in force now; services learn of it with the next publication");
            }
            for keyset in &comparison.without_key {
                screen.hint(&format!("coldsign key generate {keyset}"));
            }
        }
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
            "without_key": comparison.without_key,
        }));
        return;
    }
    if comparison.in_force {
        screen.note("policy.toml is in force as it stands");
    } else if comparison.changes.is_empty() {
        screen.line("no change in what may be issued (comments or layout only)");
    }
    for change in &comparison.changes {
        screen.line(&format!("{:<8} {}", change.effect.to_string(), change.words));
    }
    for one in &comparison.affected {
        screen.line(&format!("{:<8} {}", if one.refused { "refuses" } else { "keeps" }, one.words));
    }
}
