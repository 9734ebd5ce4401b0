//! `revoke …`: taking tokens back before they expire, and what that reaches.

mod bounds;
mod carried;
#[cfg(test)]
mod tests;
pub use bounds::{ServiceReach, last_bundle_end};
pub use carried::{current, of_service, unpublished};
pub(super) use carried::{cut_off, cut_offs};

use super::denied::nearest;
use super::series::open_cutover;
use super::{Session, Store, foreign, keys, told};
use crate::issuing::Policy;
use crate::issuing::record::TokenRecord;
use crate::issuing::revoked::{RevocationMade, What};
use crate::journal::{Event, Line};
use crate::keystore::{KeyRecord, Purpose};
use crate::refusal::{Refusal, Refuse};
use bounds::Over;

/// What is to be taken back.
#[derive(Debug, Clone)]
pub struct Request {
    /// Of which kind.
    pub what: What,
    /// Which ones: `jti`s, subjects, `service/role`s, services, keys; none for everything.
    pub names: Vec<String>,
    /// Why, for the journal.
    pub reason: Option<String>,
    /// Whether subjects may be named that the journal has no token of.
    pub unseen: bool,
}

/// What a revocation would do.
pub struct Reach<'a> {
    /// As it would be journalled, in order.
    pub made: Vec<RevocationMade>,
    /// Tokens taken back by it that some verifier could still accept, oldest first.
    pub tokens: Vec<&'a TokenRecord>,
    /// The services of those.
    pub services: Vec<ServiceReach>,
    /// Other tokens of the same subjects for the same services, which stay valid.
    pub siblings: usize,
    /// Keys that have signed tokens elsewhere, of which it takes back those that it names too.
    pub foreign: Vec<&'a KeyRecord>,
}

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevocationDenied {
    /// The journal knows nothing of that name.
    #[error("no token in the journal is of {what} {name}")]
    Unknown {
        /// Its kind.
        what: What,
        /// As given.
        name: String,
        /// The nearest there is.
        nearest: Option<String>,
    },
    /// Nobody accepts the token any more.
    #[error("token {jti} has expired")]
    Expired {
        /// Its id.
        jti: String,
    },
    /// It is taken back already.
    #[error("token {jti} is revoked already, by revocation {number}")]
    Done {
        /// Its id.
        jti: String,
        /// By which one.
        number: u64,
    },
}

impl Refuse for RevocationDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unknown { .. } => "REVOKE-UNKNOWN",
            Self::Expired { .. } => "REVOKE-EXPIRED",
            Self::Done { .. } => "REVOKE-DONE",
        })
    }

    fn why(&self) -> Vec<String> {
        let why = match self {
            Self::Unknown { what: What::Subject, .. } => {
                "nothing was revoked; where a restore lost its tokens, --unseen revokes it all the same"
            }
            Self::Unknown { .. } => "nothing was revoked",
            Self::Expired { .. } => "every verifier refuses it for its time; nothing was revoked",
            Self::Done { .. } => "nothing was added",
        };
        vec![why.to_owned()]
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { what, nearest: Some(nearest), .. } => {
                format!("coldsign revoke {what} {} --dry-run", word(nearest))
            }
            Self::Done { .. } => "coldsign revoke list".to_owned(),
            _ => "coldsign token list --live --long".to_owned(),
        })
    }
}

/// A name as a shell takes it for one word.
fn word(name: &str) -> String {
    super::path_word(std::path::Path::new(name))
}

/// What a revocation at that time would take back. Changes nothing and needs no passphrase.
///
/// # Errors
/// [`RevocationDenied`], [`super::Denied::NoKey`].
pub fn reach<'a>(store: &'a Store, request: &Request, now: u64) -> Result<Reach<'a>, Refusal> {
    let ledger = store.ledger();
    let policy = told::policy(store, now).ok();
    let policy = policy.as_ref();
    let backdate = policy.map_or(0, |policy| policy.timing().backdate);
    let mut made = Vec::new();
    let names: Vec<Option<&String>> = match request.what {
        What::Everything => vec![None],
        _ => request.names.iter().map(Some).collect(),
    };
    for name in names {
        let name = name.map(|name| resolve(store, policy, request, name, now)).transpose()?;
        for name in with_family(store, request.what, name) {
            if made.iter().any(|one: &RevocationMade| one.name == name) {
                continue;
            }
            made.push(RevocationMade {
                number: ledger.revocations.next_number() + made.len() as u64,
                what: request.what,
                name,
                cut_off: now.saturating_sub(backdate),
                reason: request.reason.clone(),
            });
        }
    }
    let over = Over::new(policy);
    let open = |token: &&TokenRecord| !over.at(token, now) && ledger.revocations.of(token).is_none();
    let (tokens, others): (Vec<&TokenRecord>, Vec<&TokenRecord>) =
        ledger.tokens.all().iter().filter(open).partition(|token| made.iter().any(|one| one.touches(&token.issued)));
    let kin = |other: &&TokenRecord| {
        let same = |token: &&TokenRecord| {
            (&token.issued.sub, &token.issued.service) == (&other.issued.sub, &other.issued.service)
        };
        tokens.iter().any(same)
    };
    let siblings =
        if request.what == What::Token { others.iter().copied().filter(|other| kin(other)).count() } else { 0 };
    let foreign = policy.map(|policy| foreign::reached(store, policy, &made, now)).unwrap_or_default();
    let services = bounds::services(store, policy, &tokens, &foreign, now);
    let foreign = foreign.into_iter().map(|(key, _)| key.kid.clone()).collect::<Vec<_>>();
    let foreign = foreign.iter().filter_map(|kid| ledger.keys.by_kid(kid)).collect();
    Ok(Reach { services, made, tokens, siblings, foreign })
}

/// Takes tokens back: when this returns that is durable. Verifiers learn of it by the next publication.
///
/// # Errors
/// As [`reach`], or as the store refuses.
pub fn revoke(session: &mut Session, request: &Request) -> Result<Vec<RevocationMade>, Refusal> {
    let made = reach(session.store(), request, session.now())?.made;
    let lines: Vec<Line> = made.iter().map(Event::line).collect();
    session.record(&lines)?;
    Ok(made)
}

/// What is taken back with it: a cutover has each token under the key that is installed and under the
/// one that will be, and who has lost the one has lost the other.
fn with_family(store: &Store, what: What, name: Option<String>) -> Vec<Option<String>> {
    let (ledger, mut names) = (store.ledger(), vec![name]);
    match (what, names.first().cloned().flatten()) {
        (What::Token, Some(jti)) => {
            let mut family = ledger.tokens.family(&jti);
            family.retain(|one| one.issued.jti != jti && ledger.revocations.of(one).is_none());
            names.extend(family.into_iter().map(|one| Some(one.issued.jti.clone())));
        }
        (What::Key, Some(kid)) => {
            let keyset = ledger.keys.by_kid(&kid).map_or("", |key| key.keyset.as_str());
            let signing = ledger.keys.signing(keyset).map(|key| &key.kid);
            let pair = open_cutover(store, keyset).map(|open| &open.issued.kid).zip(signing);
            if let Some((next, signing)) = pair.filter(|(next, signing)| [*next, *signing].contains(&&kid)) {
                names.push(Some(if *next == kid { signing.clone() } else { next.clone() }));
            }
        }
        _ => {}
    }
    names
}

/// The name as the journal has it, of something that there is.
fn resolve(store: &Store, policy: Option<&Policy>, request: &Request, name: &str, now: u64) -> Result<String, Refusal> {
    let tokens = store.ledger().tokens.all();
    let unknown = |known: Vec<String>| {
        let nearest = nearest(name, known.iter().map(String::as_str));
        RevocationDenied::Unknown { what: request.what, name: name.to_owned(), nearest }
    };
    match request.what {
        What::Token => {
            let Some(token) = tokens.iter().rev().find(|token| token.issued.jti == name) else {
                return Err(
                    RevocationDenied::Unknown { what: request.what, name: name.to_owned(), nearest: None }.into()
                );
            };
            if let Some(done) = store.ledger().revocations.of(token) {
                return Err(RevocationDenied::Done { jti: name.to_owned(), number: done.made.number }.into());
            }
            if Over::new(policy).at(token, now) {
                return Err(RevocationDenied::Expired { jti: name.to_owned() }.into());
            }
        }
        What::Subject => {
            if !request.unseen && !tokens.iter().any(|token| token.issued.sub == name) {
                return Err(unknown(tokens.iter().map(|token| token.issued.sub.clone()).collect()).into());
            }
        }
        What::Role | What::Service => {
            let role = request.what == What::Role;
            let mut known: Vec<String> = Vec::new();
            for service in policy.into_iter().flat_map(Policy::services) {
                match role {
                    true => known.extend(service.roles.keys().map(|role| format!("{}/{role}", service.name))),
                    false => known.push(service.name.clone()),
                }
            }
            for issued in tokens.iter().map(|token| &token.issued) {
                match role {
                    true => known.extend(issued.roles.iter().map(|role| format!("{}/{role}", issued.service))),
                    false => known.push(issued.service.clone()),
                }
            }
            if !known.iter().any(|one| one == name) {
                return Err(unknown(known).into());
            }
        }
        What::Key => {
            let key = keys::find(store, name)?;
            if key.purpose != Purpose::Token {
                return Err(RevocationDenied::Unknown { what: What::Key, name: key.name(), nearest: None }.into());
            }
            return Ok(key.kid.clone());
        }
        What::Everything => {}
    }
    Ok(name.to_owned())
}
