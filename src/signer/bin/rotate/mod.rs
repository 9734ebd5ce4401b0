//! `coldsign rotate …`

mod cutover;
mod emergency;
mod next;
mod plan;

use super::Ended;
use super::context::Context;
use super::screen::Screen;
use super::when;
use coldsign::acts::rotate;
use coldsign::rotation::Step;
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Command {
    Plan(plan::Args),
    Next(next::Args),
    Emergency(emergency::Args),
    /// Replace the key of a service that reads one key: a swap at an appointed time
    #[command(
        subcommand,
        after_help = "Examples:\n  coldsign rotate cutover plan fedn\n  coldsign rotate cutover issue fedn --to /media/usb\n  coldsign rotate cutover confirm fedn"
    )]
    Cutover(cutover::Command),
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Plan(args) => plan::run(&args, context, screen),
        Command::Next(args) => next::run(&args, context, screen),
        Command::Emergency(args) => emergency::run(&args, context, screen),
        Command::Cutover(command) => cutover::run(command, context, screen),
    }
}

/// A step as the commands' JSON has it.
fn as_json(step: &Step) -> Value {
    json!({
        "act": step.act.name(),
        "keyset": if step.keyset.is_empty() { None } else { Some(&step.keyset) },
        "to": if step.to.is_empty() { None } else { Some(&step.to) },
        "earliest": step.earliest,
        "earliest_why": step.earliest_why,
        "latest": step.latest,
        "latest_why": step.latest.map(|_| step.latest_why),
        "what": rotate::words(step),
        "command": rotate::command(step),
    })
}

/// A step on two or three lines: when and what, and why then.
fn show(step: &Step, now: u64, screen: &mut Screen) {
    let what = rotate::words(step);
    let from = when::minute(when::rounded_up(step.earliest));
    screen.line(&match step.latest {
        // What has to wait longer than it may is late already.
        Some(latest) if latest < step.earliest => format!("{from}  {what}  OVERDUE: by {}", when::minute(latest)),
        Some(latest) if latest < now => format!("{from} to {}  {what}  OVERDUE", when::minute(latest)),
        Some(latest) => format!("{from} to {}  {what}", when::minute(latest)),
        None => format!("{from}  {what}"),
    });
    screen.line(&format!("    from then: {}", step.earliest_why));
    if step.latest.is_some() {
        screen.line(&format!("    by then:   else {}", step.latest_why));
    }
}
