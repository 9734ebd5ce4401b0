//! `rotate cutover`: how services that hold one key get another.

use super::emergency::again;
use super::issue::{self, Batch, Issued, Planned};
use super::publish::{self, Published};
use super::series::{counted, open_cutover};
use super::{Session, Store, keys, replacements, series};
use crate::issuing::Policy;
use crate::issuing::delivery::safe_name;
use crate::issuing::policy::{Consumer, Service};
use crate::issuing::record::TokenRecord;
use crate::journal::{Event, Line};
use crate::keystore::{self, KeyActivated, KeyRecord};
use crate::refusal::Refusal;
use crate::rotation::record::{CutoverConfirmed, CutoverIssued};
use crate::rotation::{RotationDenied, Rules, Swap, Table};
use crate::storage::{Outbox, is_there};
use std::collections::{BTreeMap, HashSet};

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
    let rotation = series(store, &policy, &service.keyset);
    let open = open_cutover(store, &service.keyset);
    let swap = match rotation.cutover {
        Some(swap) => swap,
        None if wanted.whom != Whom::Missing => {
            return Err(RotationDenied::NoCutover { service: name.to_owned() }.into());
        }
        None => Swap::after_issue(&Table, &rotation.timing, name, now, wanted.swap_at)?,
    };
    let tokens: Vec<&TokenRecord> = live(store, &policy, &service.keyset, &wanted.whom, now).collect();
    if let Whom::Subjects(subjects) = &wanted.whom {
        let unknown = subjects.iter().find(|subject| !tokens.iter().any(|token| token.issued.sub == **subject));
        if let Some(subject) = unknown {
            return Err(RotationDenied::NoReplacement { service: name.to_owned(), subject: subject.clone() }.into());
        }
    }
    let there = Table.earliest_swap(&rotation.timing, now);
    Ok(Survey {
        keyset: service.keyset.clone(),
        services: rotation.single_key.clone(),
        confirmed: open.map(|open| open.confirmed.clone()).unwrap_or_default(),
        old: rotation.signing().map(|key| key.name.clone()),
        new: match open {
            Some(open) => store.ledger().keys.by_kid(&open.issued.kid).map(KeyRecord::name),
            None => rotation.standby().map(|key| key.name.clone()),
        },
        swap,
        open: open.is_some(),
        tokens: tokens.len(),
        late: Some(there).filter(|there| open.is_some() && *there > swap.at),
    })
}

/// Live tokens of a keyset's single-key services that get a replacement. What is issued during the
/// cutover has its own from the beginning.
fn live<'a>(
    store: &'a Store,
    policy: &'a Policy,
    keyset: &'a str,
    whom: &'a Whom,
    now: u64,
) -> impl Iterator<Item = &'a TokenRecord> {
    let ledger = store.ledger();
    let old = ledger.keys.signing(keyset).map(|key| &key.kid);
    let open = open_cutover(store, keyset);
    let tokens = ledger.tokens.all();
    // What went out under a key that was lost since is no replacement.
    let open_to = open.filter(|_| *whom == Whom::Missing).map(|open| &open.issued.kid);
    let given = open_to.map(|kid| replacements::under(store, kid)).unwrap_or_default();
    let spare = old.map(|kid| replacements::spare(store, kid)).unwrap_or_default();
    let swapped = move |service: &str| {
        policy
            .service(service)
            .is_some_and(|service| service.keyset == keyset && service.consumer == Consumer::SingleKey)
    };
    tokens.iter().filter(move |token| {
        let issued = &token.issued;
        let before = open.is_none_or(|open| token.index < open.index && !given.contains(issued.jti.as_str()));
        let due = before && issued.exp > now && Some(&issued.kid) == old && swapped(&issued.service);
        let due = due && whom.takes(&issued.sub) && !spare.contains(issued.jti.as_str());
        // Whoever lost a token by a revocation gets no replacement of it.
        due && ledger.revocations.of(token).is_none()
    })
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
    let next = match &survey.new {
        Some(next) => keys::find(session.store(), next)?.clone(),
        None => keys::generate(session, &survey.keyset)?,
    };
    let (policy, _) = session.store().policy()?;
    let mut lines = Vec::new();
    if !survey.open {
        // Services of the keyset that hold several keys must have it before it signs for them.
        let rotation = series(session.store(), &policy, &survey.keyset);
        rotation.may_activate(&Table, &counted(session.store(), &next), true, now)?;
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
    let due: Vec<(String, Batch)> = live(session.store(), &policy, &survey.keyset, &wanted.whom, now)
        .map(|token| (token.issued.jti.clone(), replacement(token, now)))
        .collect();
    for (old, batch) in due {
        match under(session, &batch, &next, &old, now) {
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
    for service in
        policy.services_of(&survey.keyset).filter(|service| to_operators && survey.services.contains(&service.name))
    {
        let folder = operators_folder(&service.name);
        if survey.open && is_there(&outbox.path().join(&folder)) {
            continue;
        }
        let sheet = (sheets.operator)(&survey, &service.name);
        operators.insert(folder, operators_files(session, service, &next, sheet)?);
    }
    outbox.refuse_taken(&operators.keys().cloned().collect::<Vec<_>>())?;
    session.record(&lines)?;
    let mut folders = Vec::new();
    let go_on = command(name, outbox);
    for (folder, files) in operators {
        if let Err(fault) = outbox.create_folder(&folder, &files) {
            issue::settle(session, &replacements, 0, Some(fault), Some(go_on.clone()))?;
        }
        folders.push(folder);
    }
    folders.extend(hand_out(session, &replacements, &(sheets.holder)(&survey), outbox, go_on)?);
    Ok(CutoverSet { survey, replacements, left, folders })
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

/// The command that goes on with whoever has nothing yet.
fn command(name: &str, outbox: &Outbox) -> String {
    format!("coldsign rotate cutover issue {name} --to {}", super::path_word(outbox.path()))
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

/// One replacement, planned and signed under the next key alone.
fn under(
    session: &Session,
    batch: &Batch,
    next: &KeyRecord,
    old: &str,
    now: u64,
) -> Result<(Vec<Issued>, Vec<Line>), Refusal> {
    let planned = issue::plan_under(session.store(), batch, Some(next), now)?;
    let stands_for = Some(old.to_owned());
    let planned = planned.into_iter().map(|planned| Planned { stands_for: stands_for.clone(), ..planned }).collect();
    issue::sign_all(session, batch, planned)
}

fn operators_folder(service: &str) -> String {
    format!("operator-{service}")
}

fn operators_files(
    session: &mut Session,
    service: &Service,
    next: &KeyRecord,
    sheet: String,
) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let mut files = publish::for_swap(session, service, next)?;
    files.insert("SWAP.txt".to_owned(), sheet.into_bytes());
    Ok(files)
}

/// A folder a holder: `holder-SUBJECT`, with every replacement that is theirs.
fn hand_out(
    session: &mut Session,
    replacements: &[Issued],
    sheet: &str,
    outbox: &Outbox,
    again: String,
) -> Result<Vec<String>, Refusal> {
    let mut folders = Vec::new();
    let mut fault = None;
    let mut written = 0;
    let mut names = HashSet::new();
    for token in replacements {
        let folder = format!("holder-{}", safe_name(&token.subject));
        let path = outbox.path().join(&folder);
        // Also what an earlier call handed out.
        let free =
            |name: &String| !names.contains(&(folder.clone(), name.to_lowercase())) && !is_there(&path.join(name));
        let plain = &token.file.name;
        let mut candidates = std::iter::once(plain.clone()).chain((2_usize..).map(|nth| format!("{nth}-{plain}")));
        let name = candidates.find(free).unwrap_or_else(|| plain.clone());
        names.insert((folder.clone(), name.to_lowercase()));
        let put = Outbox::open(&path).and_then(|place| {
            if !is_there(&path.join("WHEN.txt")) {
                place.create_file("WHEN.txt", sheet.as_bytes())?;
            }
            place.create_file(&name, token.file.contents.as_bytes())
        });
        match put {
            Ok(()) => written += 1,
            Err(failed) => {
                fault = Some(failed);
                break;
            }
        }
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    issue::settle(session, replacements, written, fault, Some(again))?;
    Ok(folders)
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
/// [`RotationDenied::NoCutover`], [`RotationDenied::SwapEarly`], or as the store refuses.
pub fn confirm(session: &mut Session, name: &str) -> Result<Confirmed, Refusal> {
    let now = session.now();
    may_confirm(session.store(), name, now)?;
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
    let published =
        if publish::would_change(session.store(), now)? { Some(publish::publish(session, false)?) } else { None };
    Ok(Confirmed { waiting, signs, published })
}

/// Whether a service's swap can be confirmed by then.
///
/// # Errors
/// As [`confirm`] refuses.
pub fn may_confirm(store: &Store, name: &str, now: u64) -> Result<(), Refusal> {
    let (policy, _) = store.policy()?;
    let service = issue::service_of(&policy, name)?;
    let rotation = series(store, &policy, &service.keyset);
    let open = open_cutover(store, &service.keyset).filter(|open| open.waiting().any(|waiting| waiting == name));
    match (open, rotation.cutover) {
        (Some(_), Some(swap)) => Ok(swap.may_confirm(name, now)?),
        _ => Err(RotationDenied::NoCutover { service: name.to_owned() }.into()),
    }
}
