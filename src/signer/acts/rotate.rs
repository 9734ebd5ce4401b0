//! `rotate plan` and `rotate next`: the schedule of the store's keysets, and what of it is due.

use super::keys::{self, Change};
use super::publish::{self, Published};
use super::{Session, Store, series, told};
use crate::keystore::Transition;
use crate::refusal::Refusal;
use crate::rotation::{self, Act, Step, Table};

/// The steps of all keysets, or of one, until a time; seconds since the epoch.
///
/// # Errors
/// [`super::Denied::NoKeyset`], or as the store refuses.
pub fn plan(store: &Store, keyset: Option<&str>, now: u64, until: u64) -> Result<Vec<Step>, Refusal> {
    if let Some(name) = keyset {
        keys::check_keyset(store, name)?;
    }
    let policy = told::policy(store, now)?;
    let mut steps = Vec::new();
    for known in policy.keysets().filter(|known| keyset.is_none_or(|name| name == known.name)) {
        steps.extend(rotation::plan(&Table, &series(store, &policy, &known.name)?, now, until));
    }
    if let Some(any) = policy.keysets().next()
        && policy.services().next().is_some()
    {
        let newest = store.ledger().publications.newest().map(|newest| newest.at);
        steps.extend(rotation::publishing(&policy.rotation(&any.name), newest, now, until));
    }
    steps.sort_by_key(|step| (step.earliest, step.act));
    Ok(steps)
}

/// The steps that are due.
///
/// # Errors
/// As [`plan`].
pub fn due(store: &Store, now: u64) -> Result<Vec<Step>, Refusal> {
    let mut steps = plan(store, None, now, now)?;
    steps.retain(|step| step.is_due(now));
    Ok(steps)
}

/// What `rotate next` did.
pub struct Done {
    /// Steps taken, in order.
    pub taken: Vec<Step>,
    /// Steps that are due and can't be taken yet, or not here, with the reason.
    pub waiting: Vec<(Step, String)>,
    /// The publication that carries them, where one was needed.
    pub published: Option<Published>,
}

/// Takes every step that is due. Those of a cutover are the operator's and the holders' too: they
/// have commands of their own. Without `may_end` no key's private half is destroyed, and none is let
/// sign that would end another.
///
/// # Errors
/// As the store refuses. What was recorded before stays done.
pub fn next(session: &mut Session, may_end: bool) -> Result<Done, Refusal> {
    let now = session.now();
    let mut taken: Vec<Step> = Vec::new();
    let mut waiting: Vec<(Step, String)> = Vec::new();
    let mut renew = false;
    // Each step makes others due: a new key signs, the old one ends, a new standby is made.
    while let Some(step) = next_of(session.store(), now, |step| {
        let known = |other: &Step| (other.act, &other.keyset, &other.to) == (step.act, &step.keyset, &step.to);
        taken.iter().any(known) || waiting.iter().any(|(waits, _)| known(waits))
    })? {
        let transition = match step.act {
            Act::Generate => {
                keys::generate(session, &step.keyset)?;
                taken.push(step);
                continue;
            }
            Act::Activate => Transition::Activate,
            Act::Deactivate => Transition::Deactivate,
            Act::Destroy => Transition::Destroy,
            Act::Publish | Act::CutoverIssue | Act::CutoverSwap | Act::CutoverConfirm => {
                waiting.push((step, "a cutover needs its operator and its holders".to_owned()));
                continue;
            }
        };
        if !may_end && step.act.ends_a_key() {
            waiting.push((step, "nobody was asked whether a private half may be destroyed".to_owned()));
            continue;
        }
        let reason = Some("rotation".to_owned());
        let change = Change { key: &step.to, transition, reason, accept_outage: false };
        // Only what the rules say is to be waited for; anything else is a fault.
        let key = keys::find(session.store(), &step.to)?;
        match keys::permitted(session.store(), key, &change, now) {
            Ok(_) => {
                keys::change(session, &change)?;
                taken.push(step);
            }
            Err(refusal) => waiting.push((step, refusal.to_string())),
        }
    }
    for step in due(session.store(), now)? {
        if step.act == Act::Publish {
            renew = true;
            taken.push(step);
        }
    }
    let published = publish::follow(session, renew, "what was due is done")?;
    Ok(Done { taken, waiting, published })
}

/// The next step that is due and not dealt with, publications apart.
fn next_of(store: &Store, now: u64, dealt_with: impl Fn(&Step) -> bool) -> Result<Option<Step>, Refusal> {
    let policy = told::policy(store, now)?;
    let steps = due(store, now)?.into_iter();
    for step in steps.filter(|step| step.act != Act::Publish && !dealt_with(step)) {
        // A plan that is far behind goes on to the standby's own successor; only one key waits at a time.
        if step.act != Act::Generate || series(store, &policy, &step.keyset)?.standby().is_none() {
            return Ok(Some(step));
        }
    }
    Ok(None)
}

/// A step in words: what an operator does.
pub fn words(step: &Step) -> String {
    let to = &step.to;
    match step.act {
        Act::Generate => format!("make {to}"),
        Act::Publish if to.is_empty() => "publish, and carry it to every service".to_owned(),
        Act::Publish => format!("publish {to}, and carry it to every service"),
        Act::Activate => format!("let {to} sign"),
        Act::Deactivate => format!("end {to}; its tokens stay valid"),
        Act::Destroy => format!("let {to} go"),
        Act::CutoverIssue => format!("issue the replacements for {to}, and hand them out"),
        Act::CutoverSwap => format!("{to} is swapped by its operator"),
        Act::CutoverConfirm => format!("confirm the swap of {to}"),
    }
}

/// The command that takes a step by itself.
pub fn command(step: &Step) -> String {
    let to = &step.to;
    match step.act {
        Act::Generate => format!("coldsign key generate {}", step.keyset),
        Act::Publish => "coldsign publish --renew --to .".to_owned(),
        Act::Activate => format!("coldsign key activate {to}"),
        Act::Deactivate => format!("coldsign key deactivate {to}"),
        Act::Destroy => format!("coldsign key destroy {to}"),
        Act::CutoverIssue => format!("coldsign rotate cutover issue {to} --to ."),
        Act::CutoverSwap => format!("coldsign rotate cutover plan {to}"),
        Act::CutoverConfirm => format!("coldsign rotate cutover confirm {to}"),
    }
}
