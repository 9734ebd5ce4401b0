//! `rotate cutover`: how services that hold one key get another.

mod folders;

use self::folders::{OPERATORS_SHEET, SHEET, hand_out, operators_files, operators_folder, there};
use super::emergency::again;
use super::issue::{self, Batch, Issued};
use super::publish::{self, Published};
use super::series::{counted, open_cutover};
use super::{Session, Store, keys, replacements, series, told};
use crate::issuing::Policy;
use crate::issuing::delivery::holders_folder;
use crate::issuing::policy::Consumer;
use crate::issuing::record::TokenRecord;
use crate::journal::Event;
use crate::keystore::{self, KeyActivated, KeyRecord};
use crate::refusal::Refusal;
use crate::rotation::record::{CutoverConfirmed, CutoverIssued};
use crate::rotation::{RotationDenied, Rules, Swap, Table};
use crate::storage::Outbox;
use std::collections::BTreeMap;
use std::path::Path;

/// What a cutover is or would be.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The keyset whose key is replaced.
    pub keyset: String,
    /// The services that hold one key of it: all are swapped.
    pub services: Vec<String>,
    /// Of these, the ones whose swap is confirmed.
    pub confirmed: Vec<String>,
    /// The key that is installed.
    pub old: Option<String>,
    /// The key that takes over; `None` where it has to be made yet.
    pub new: Option<String>,
    /// When.
    pub swap: Swap,
    /// Until when tokens live that the installed key signed elsewhere: the swap ends them, and there is
    /// no replacement for them.
    pub foreign_until: Option<u64>,
    /// Whether it is under way.
    pub open: bool,
    /// Live tokens that get a replacement; where it is under way, those whose replacement did not
    /// get out, or whose holders are handed another.
    pub tokens: usize,
    /// From when on every holder has what is issued now, where that is after the swap.
    pub late: Option<u64>,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// When the swap is to be; `None`: as soon as every holder has the replacement.
    pub swap_at: Option<u64>,
    /// Who gets something.
    pub whom: Whom,
}

/// Who gets something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Whom {
    /// Whoever has nothing yet.
    #[default]
    Missing,
    /// Everyone, also where it was handed out before.
    Everyone,
    /// These subjects, also where it was handed out before.
    Subjects(Vec<String>),
    /// The operators alone, again.
    Operators,
}

impl Whom {
    fn takes(&self, subject: &str) -> bool {
        match self {
            Self::Missing | Self::Everyone => true,
            Self::Subjects(subjects) => subjects.iter().any(|one| one == subject),
            Self::Operators => false,
        }
    }
}

/// What the cutover of a service is, or would be if its replacements were issued now.
///
/// # Errors
/// [`super::Denied::NoService`]; [`RotationDenied::NoCutoverNeeded`];
/// [`RotationDenied::SwapEarly`] where the wanted swap comes before every holder has a replacement;
/// where something is to be handed out again, [`RotationDenied::NoCutover`] and
/// [`RotationDenied::NoReplacement`].
pub fn survey(store: &Store, name: &str, wanted: &Wanted, now: u64) -> Result<Survey, Refusal> {
    let (policy, _) = store.policy()?;
    let service = issue::service_of(&policy, name)?;
    if service.consumer == Consumer::Overlap {
        return Err(RotationDenied::NoCutoverNeeded { service: name.to_owned() }.into());
    }
    let rotation = series(store, &told::policy(store, now)?, &service.keyset)?;
    let open = open_cutover(store, &service.keyset);
    let swap = match rotation.cutover {
        Some(swap) => swap,
        None if wanted.whom != Whom::Missing => {
            return Err(RotationDenied::NoCutover { service: name.to_owned() }.into());
        }
        None => Swap::after_issue(&Table, &rotation.timing, name, now, wanted.swap_at)?,
    };
    let tokens = live(store, &policy, &service.keyset, &wanted.whom, now);
    if let Whom::Subjects(subjects) = &wanted.whom {
        let unknown = subjects.iter().find(|subject| !tokens.iter().any(|token| token.issued.sub == **subject));
        if let Some(subject) = unknown {
            return Err(RotationDenied::NoReplacement { service: name.to_owned(), subject: subject.clone() }.into());
        }
    }
    let there = Table.earliest_swap(&rotation.timing, now);
    Ok(Survey {
        keyset: service.keyset.clone(),
        services: match open {
            Some(open) => open.issued.services.clone(),
            None => rotation.single_key.clone(),
        },
        confirmed: open.map(|open| open.confirmed.clone()).unwrap_or_default(),
        old: store.ledger().keys.newest_activated(&service.keyset).map(KeyRecord::name),
        new: match open {
            Some(open) => store.ledger().keys.by_kid(&open.issued.kid).map(KeyRecord::name),
            None => rotation.standby().map(|key| key.name.clone()),
        },
        swap,
        open: open.is_some(),
        tokens: tokens.len(),
        foreign_until: installed_until(store, &service.keyset, now),
        late: Some(there).filter(|there| open.is_some() && wanted.whom != Whom::Operators && *there > swap.at),
    })
}

/// Until when tokens live that the installed key signed elsewhere.
fn installed_until(store: &Store, keyset: &str, now: u64) -> Option<u64> {
    let installed = store.ledger().keys.newest_activated(keyset)?;
    installed.foreign.tokens.map(|tokens| tokens.until).filter(|until| *until > now)
}

/// Live tokens of a keyset's single-key services that get a replacement: one for each grant whose holder
/// has none under the next key, or of whom is named.
fn live<'a>(store: &'a Store, policy: &Policy, keyset: &str, whom: &Whom, now: u64) -> Vec<&'a TokenRecord> {
    let ledger = store.ledger();
    // Tokens of a paused key are valid: the swap would end them too.
    let Some(old) = ledger.keys.newest_activated(keyset) else { return Vec::new() };
    let next = open_cutover(store, keyset).map(|open| open.issued.kid.as_str());
    let swapped = |service: &str| {
        let service = policy.service(service);
        service.is_some_and(|service| service.keyset == keyset && service.consumer == Consumer::SingleKey)
    };
    let alive =
        |token: &TokenRecord| token.issued.exp > now && swapped(&token.issued.service) && whom.takes(&token.issued.sub);
    let given = |token: &TokenRecord, _, _| *whom == Whom::Missing && next == Some(token.issued.kid.as_str());
    let owed = replacements::owed(store, &old.kid, alive, given);
    owed.due.into_iter().filter_map(|at| ledger.tokens.all().get(at)).collect()
}

/// The tokens of a keyset that have no replacement which got out, one for each grant.
pub(super) fn missing<'a>(store: &'a Store, policy: &Policy, keyset: &str, now: u64) -> Vec<&'a TokenRecord> {
    live(store, policy, keyset, &Whom::Missing, now)
}

/// What goes with the files, in words.
pub struct Sheets {
    /// For a service's operator.
    pub operator: fn(&Survey, &str) -> String,
    /// For a holder.
    pub holder: fn(&Survey) -> String,
}

/// What was issued and handed out.
pub struct CutoverSet {
    /// What it is.
    pub survey: Survey,
    /// The key that takes over.
    pub next: KeyRecord,
    /// The replacements.
    pub replacements: Vec<Issued>,
    /// Tokens that the policy in force would not give again: service, subject, why.
    pub left: Vec<(String, String, String)>,
    /// The folders, of holders and operators.
    pub folders: Vec<String>,
}

/// Issues every live token of the services again under the next key, for the same time, and writes
/// a folder for each holder and each operator. From here until [`confirm`], whatever is issued for
/// them is issued under both keys. Where an earlier call got not everything out, this one goes on:
/// with the holders whose replacement did not, and the operators' folders that are not there. What
/// was handed out and got lost is made again, for whom `wanted` says; the swap stays.
///
/// # Errors
/// [`RotationDenied::CutoverOpen`] where everything is out, or another swap is wanted; as [`survey`]
/// refuses; [`issue::Undelivered`], or as the store or the medium does.
pub fn issue(
    session: &mut Session,
    name: &str,
    wanted: &Wanted,
    outbox: &Outbox,
    sheets: &Sheets,
) -> Result<CutoverSet, Refusal> {
    let now = session.now();
    let mut survey = survey(session.store(), name, wanted, now)?;
    may_issue(&survey, name, wanted)?;
    if !session.store().policy_is_applied()? {
        return Err(super::Denied::PolicyUnapplied.into());
    }
    let (policy, _) = session.store().policy()?;
    // Services of the keyset that hold several keys must have it before it signs for them.
    let rotation = series(session.store(), &told::policy(session.store(), session.now())?, &survey.keyset)?;
    if rotation.overlap && survey.new.is_none() {
        return Err(RotationDenied::NoStandby { service: name.to_owned(), keyset: survey.keyset }.into());
    }
    if let Some(next) = survey.new.as_ref().filter(|_| !survey.open) {
        rotation.may_activate(&Table, &counted(session.store(), keys::find(session.store(), next)?)?, true, now)?;
    }
    let sheet = (sheets.holder)(&survey);
    let due: Vec<(String, Batch)> = live(session.store(), &policy, &survey.keyset, &wanted.whom, now)
        .into_iter()
        .map(|token| (token.issued.jti.clone(), replacement(token, now)))
        .collect();
    // Refused before a key is made.
    for (_, batch) in &due {
        there(outbox, &holders_folder(&batch.subjects.concat()), SHEET, &sheet)?;
    }
    if !survey.open {
        let folders: Vec<String> = survey.services.iter().map(|service| operators_folder(service)).collect();
        outbox.refuse_taken(&folders)?;
    }
    let next = match &survey.new {
        Some(next) => keys::find(session.store(), next)?.clone(),
        None => keys::generate(session, &survey.keyset)?,
    };
    let mut lines = Vec::new();
    if !survey.open {
        let announced = CutoverIssued {
            keyset: survey.keyset.clone(),
            kid: next.kid.clone(),
            swap_at: survey.swap.at,
            services: survey.services.clone(),
        };
        lines.push(announced.line());
    }
    survey.new = Some(next.name());

    let (mut replacements, mut left) = (Vec::new(), Vec::new());
    for (old, batch) in due {
        match replacements::sign(session, &batch, Some(&next), &old)? {
            Ok((issued, recorded)) => {
                replacements.extend(issued);
                lines.extend(recorded);
            }
            Err(refusal) => {
                left.push((batch.service, batch.subjects.concat(), refusal.to_string()));
            }
        }
    }
    let mut operators = BTreeMap::new();
    let to_operators = !matches!(wanted.whom, Whom::Subjects(_));
    for service in policy.services_of(&survey.keyset).filter(|one| to_operators && survey.services.contains(&one.name))
    {
        let folder = operators_folder(&service.name);
        let sheet = (sheets.operator)(&survey, &service.name);
        if survey.open && there(outbox, &folder, OPERATORS_SHEET, &sheet)? {
            continue;
        }
        operators.insert(folder, operators_files(session, service, &next, sheet)?);
    }
    outbox.refuse_taken(&operators.keys().cloned().collect::<Vec<_>>())?;
    session.record(&lines)?;
    let mut folders = Vec::new();
    // Where nobody needs a token, it is the operators who have nothing.
    let whom = if replacements.is_empty() { &Whom::Operators } else { &wanted.whom };
    let go_on = command(name, whom, outbox);
    for (folder, files) in operators {
        if let Err(fault) = outbox.create_folder(&folder, &files) {
            issue::settle(session, &replacements, 0, Some(fault), Some(go_on.clone()))?;
        }
        folders.push(folder);
    }
    folders.extend(hand_out(session, &mut replacements, &sheet, outbox, go_on)?);
    Ok(CutoverSet { survey, next, replacements, left, folders })
}

/// Whether there is anything to issue for a cutover that may be under way.
///
/// # Errors
/// [`RotationDenied::CutoverOpen`].
pub fn may_issue(survey: &Survey, name: &str, wanted: &Wanted) -> Result<(), RotationDenied> {
    let nobody = survey.tokens == 0 && wanted.whom == Whom::Missing;
    // Sheets with the swap of that day are out.
    if survey.open && (nobody || wanted.swap_at.is_some()) {
        return Err(RotationDenied::CutoverOpen { service: name.to_owned() });
    }
    Ok(())
}

/// The command that goes on.
fn command(name: &str, whom: &Whom, outbox: &Outbox) -> String {
    let whom = match whom {
        Whom::Missing => String::new(),
        Whom::Everyone => " --again".to_owned(),
        Whom::Subjects(subjects) => {
            let words = subjects.iter().map(|subject| format!(" --subject={}", super::shell_word(Path::new(subject))));
            format!(" --again{}", words.collect::<String>())
        }
        Whom::Operators => " --again --operators".to_owned(),
    };
    format!("coldsign rotate cutover issue {name}{whom} --to {}", super::path_word(outbox.path()))
}

/// A replacement lasts as long as what it replaces.
fn replacement(token: &TokenRecord, now: u64) -> Batch {
    let mut batch = again(token, now);
    let start = batch.not_before.unwrap_or(now);
    batch.lifetime = batch
        .lifetime
        .map(|asked| Table.replacement_expiry(start.saturating_add(asked), token.issued.exp).saturating_sub(start));
    batch
}

/// What confirming did.
pub struct Confirmed {
    /// The services that are still to be swapped.
    pub waiting: Vec<String>,
    /// The key that signs alone from now on, when all are.
    pub signs: Option<String>,
    /// The publication that says so.
    pub published: Option<Published>,
}

/// Records that the operator of a service has installed the new key. When all services of the
/// keyset have it, it signs alone.
///
/// # Errors
/// As [`may_confirm`], or as the store refuses.
pub fn confirm(session: &mut Session, name: &str, accept_outage: bool) -> Result<Confirmed, Refusal> {
    let now = session.now();
    may_confirm(session.store(), name, accept_outage, now)?;
    let (policy, _) = session.store().policy()?;
    let keyset = issue::service_of(&policy, name)?.keyset.clone();
    let Some(open) = open_cutover(session.store(), &keyset) else {
        return Err(RotationDenied::NoCutover { service: name.to_owned() }.into());
    };
    let kid = open.issued.kid.clone();
    let waiting: Vec<String> = open.waiting().filter(|service| *service != name).cloned().collect();
    let mut lines = vec![CutoverConfirmed { kid: kid.clone(), service: name.to_owned() }.line()];
    let mut signs = None;
    if waiting.is_empty() {
        let key = keys::find(session.store(), &kid)?;
        keystore::second_opinion(&session.opened().load(key)?)?;
        signs = Some(key.name());
        lines.push(KeyActivated { kid, reason: Some("cutover".to_owned()) }.line());
    }
    session.record(&lines)?;
    let published = publish::follow(session, false, &format!("the swap of {name} is confirmed"))?;
    Ok(Confirmed { waiting, signs, published })
}

/// Whether a service's swap can be confirmed by then. `accept_outage`: also where some holder has no
/// replacement, and nothing is made for them any more.
///
/// # Errors
/// [`RotationDenied::NoCutover`], [`RotationDenied::SwapEarly`], [`RotationDenied::NotServed`].
pub fn may_confirm(store: &Store, name: &str, accept_outage: bool, now: u64) -> Result<(), Refusal> {
    let (policy, _) = store.policy()?;
    let service = issue::service_of(&policy, name)?;
    let rotation = series(store, &told::policy(store, now)?, &service.keyset)?;
    let open = open_cutover(store, &service.keyset).filter(|open| open.waiting().any(|waiting| waiting == name));
    match (open, rotation.cutover) {
        (Some(_), Some(swap)) => {
            swap.may_confirm(name, now)?;
            let without = live(store, &policy, &service.keyset, &Whom::Missing, now);
            // With the last of them the others' holders are left behind too.
            let last = open.is_some_and(|open| open.waiting().count() == 1);
            let without = without.iter().filter(|token| last || token.issued.service == name).count();
            if without > 0 && !accept_outage {
                return Err(RotationDenied::NotServed { service: name.to_owned(), without }.into());
            }
            Ok(())
        }
        _ => Err(RotationDenied::NoCutover { service: name.to_owned() }.into()),
    }
}
