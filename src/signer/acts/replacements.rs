//! Tokens that stand for others: issued at a cutover, or because a key was lost.
//!
//! A token and all that stand for it are a **family**: one grant to one holder. What is owed is owed
//! to a family, once.

use super::issue::{self, Batch, Issued};
use super::series::open_cutover;
use super::{Session, Store};
use crate::issuing::Policy;
use crate::issuing::policy::Consumer;
use crate::issuing::record::{Delivery, TokenRecord};
use crate::journal::Line;
use crate::keystore::{KeyRecord, KeyState};
use crate::refusal::Refusal;
use std::collections::{BTreeMap, HashMap};

/// The families that have a token of some key: indices of the newest such token into the ledger's
/// tokens, oldest first.
#[derive(Debug, Default)]
pub struct Owed {
    /// Those whose holder has nothing else.
    pub due: Vec<usize>,
    /// Those whose holder has.
    pub served: Vec<usize>,
}

/// Sorts the families that have a token of a key, among tokens that may still be used, were not taken
/// back and of which it isn't known that nobody has them. `serves` says whether another of the
/// family's delivered tokens, with its index, is all that its holder needs.
pub fn owed(
    store: &Store,
    kid: &str,
    alive: impl Fn(&TokenRecord) -> bool,
    serves: impl Fn(&TokenRecord, usize, usize) -> bool,
) -> Owed {
    let tokens = store.ledger().tokens.all();
    let revocations = &store.ledger().revocations;
    let mut families: HashMap<&str, &str> = HashMap::new();
    let mut newest: BTreeMap<&str, usize> = BTreeMap::new();
    let mut others: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, token) in tokens.iter().enumerate() {
        let issued = &token.issued;
        let first = match issued.stands_for.as_deref() {
            Some(old) => families.get(old).copied().unwrap_or(old),
            None => &issued.jti,
        };
        families.insert(&issued.jti, first);
        if token.delivery == Delivery::Undelivered || !alive(token) || revocations.of(token).is_some() {
            continue;
        }
        if issued.kid == kid {
            newest.insert(first, at);
        } else if token.delivery == Delivery::Delivered {
            others.entry(first).or_default().push(at);
        }
    }
    let mut owed = Owed::default();
    for (family, at) in newest {
        let mut others = others.get(family).into_iter().flatten();
        let served = others.any(|other| tokens.get(*other).is_some_and(|token| serves(token, *other, at)));
        if served { owed.served.push(at) } else { owed.due.push(at) }
    }
    owed.due.sort_unstable();
    owed.served.sort_unstable();
    owed
}

/// Whether its service accepts a token once a key is lost: the key that signed it is installed there,
/// or will be.
pub fn works_without(store: &Store, policy: &Policy, lost: &str, token: &TokenRecord) -> bool {
    let keys = &store.ledger().keys;
    let kid = token.issued.kid.as_str();
    let (Some(key), Some(service)) = (keys.by_kid(kid), policy.service(&token.issued.service)) else { return false };
    if kid == lost {
        return false;
    }
    match service.consumer {
        Consumer::Overlap => {
            matches!(key.state, KeyState::Active | KeyState::Suspended | KeyState::Deactivated { .. })
        }
        Consumer::SingleKey => {
            let open = open_cutover(store, &service.keyset).filter(|open| open.issued.kid != lost);
            let swapped = open.is_some_and(|open| open.confirmed.contains(&service.name));
            let old = keys.newest_activated(&service.keyset).filter(|_| !swapped);
            open.is_some_and(|open| open.issued.kid == kid) || old.is_some_and(|old| old.kid == kid)
        }
    }
}

/// Tokens that are signed, and the lines that record them.
pub type Signed = (Vec<Issued>, Vec<Line>);

/// A token in the place of another, signed under that key, or under those that its service needs; what
/// comes back is to be recorded before anything leaves. The inner error is what the policy in force no
/// longer gives.
///
/// # Errors
/// As store or system fail.
pub fn sign(
    session: &Session,
    batch: &Batch,
    key: Option<&KeyRecord>,
    old: &str,
) -> Result<Result<Signed, Refusal>, Refusal> {
    let signed = issue::plan_under(session.store(), batch, key, true, session.now()).and_then(|mut planned| {
        for token in &mut planned {
            token.stands_for.get_or_insert_with(|| old.to_owned());
        }
        issue::sign_all(session, batch, planned)
    });
    match signed {
        Err(fault) if fault.reason().is_fault() => Err(fault),
        signed => Ok(signed),
    }
}
