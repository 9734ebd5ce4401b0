//! Tokens that the journal has not: an imported key signed them elsewhere. What the operator said of
//! them at the import counts wherever the journal's own tokens do.

use super::Store;
use super::issue::kid_for;
use crate::issuing::Policy;
use crate::issuing::policy::Service;
use crate::issuing::revoked::{RevocationMade, What};
use crate::keystore::{Foreign, ForeignTokens, KeyRecord, Purpose, SecretKey, unpublishable};
use crate::publishing::libtrust_kid;
use crate::refusal::Refuse;
use crate::rotation::{Out, Rules, Table};
use std::collections::BTreeSet;

/// The longest that tokens are believed to live, in seconds: a hundred years.
const LONGEST: u64 = 3_155_695_200;

/// What an operator says of a key that is to be imported.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Its tokens from elsewhere; `Some(None)` where there are none, `None` where nobody says.
    pub tokens: Option<Option<ForeignTokens>>,
    /// The `kid` to be kept; `Some(None)` for the one that the file names.
    pub kid: Option<Option<String>>,
}

/// Why a key is not taken in with what was said of it.
#[derive(Debug, thiserror::Error)]
pub enum ForeignDenied {
    /// Nobody says whether there are tokens.
    #[error("the key was used elsewhere, and nobody says until when its tokens from there live")]
    Unsaid {
        /// The command that says it, of tokens that live as long as can be.
        command: String,
    },
    /// A time that is over, or that nobody can mean.
    #[error("tokens that live until {until} seconds after 1970: {what}")]
    Until {
        /// The time.
        until: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A validity that nobody can mean.
    #[error("the longest token can't be valid for {longest} seconds")]
    Longest {
        /// The validity.
        longest: u64,
    },
    /// The file names no `kid`.
    #[error("the key's file names no kid to keep")]
    NoKid,
    /// A `kid` that can't be published.
    #[error("the kid {kid:?} can't be kept: it {what}")]
    Kid {
        /// The `kid`.
        kid: String,
        /// What is wrong.
        what: String,
    },
    /// A `kid` that is another key's.
    #[error("the kid {kid:?} can't be kept: key {of} goes by it")]
    KidTaken {
        /// The `kid`.
        kid: String,
        /// The other key.
        of: String,
    },
}

impl Refuse for ForeignDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unsaid { .. } | Self::Until { .. } | Self::Longest { .. } => "IMPORT-TOKENS",
            Self::NoKid | Self::Kid { .. } | Self::KidTaken { .. } => "IMPORT-KID",
        })
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::Unsaid { .. } => vec![
                "coldsign keeps the key published until then; nothing was taken".to_owned(),
                "if the key has signed no token that still lives, say --no-tokens".to_owned(),
                "else say the latest expiry (--tokens-until) and the longest validity (--tokens-longest)".to_owned(),
            ],
            Self::Until { .. } => vec!["nothing was taken; if no token lives any more, say --no-tokens".to_owned()],
            Self::KidTaken { .. } => {
                vec!["verifiers find a key by its kid: two keys can't share one; nothing was taken".to_owned()]
            }
            Self::NoKid => vec!["only a JWK names one; nothing was taken; write --keep-kid KID".to_owned()],
            Self::Longest { .. } | Self::Kid { .. } => vec!["nothing was taken".to_owned()],
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unsaid { command } => Some(command.clone()),
            Self::KidTaken { of, .. } => Some(format!("coldsign key show {of}")),
            _ => None,
        }
    }
}

/// What was said, judged: `named` is the `kid` of the key's file, `command` what imports the key, up to
/// what is to be said.
///
/// # Errors
/// [`ForeignDenied`].
pub fn judged(said: &Said, named: Option<String>, command: &str, now: u64) -> Result<Foreign, ForeignDenied> {
    let unsaid = || ForeignDenied::Unsaid { command: format!("{command} --tokens-until +365d --tokens-longest 365d") };
    let tokens = said.tokens.ok_or_else(unsaid)?;
    if let Some(ForeignTokens { until, longest }) = tokens {
        if until <= now {
            return Err(ForeignDenied::Until { until, what: "that time is over" });
        }
        if until.saturating_sub(now) > LONGEST {
            return Err(ForeignDenied::Until { until, what: "that is more than a hundred years" });
        }
        if !(1..=LONGEST).contains(&longest) {
            return Err(ForeignDenied::Longest { longest });
        }
    }
    let kid = match &said.kid {
        None => None,
        Some(Some(kid)) => Some(kid.clone()),
        Some(None) => Some(named.ok_or(ForeignDenied::NoKid)?),
    };
    match kid.as_deref().and_then(|kid| Some((kid, unpublishable(kid)?))) {
        Some((kid, what)) => Err(ForeignDenied::Kid { kid: kid.to_owned(), what }),
        None => Ok(Foreign { tokens, kid }),
    }
}

/// Refuses a key one of whose names is another key's. A kept `kid` that is the key's own thumbprint is
/// no further name, and is dropped.
///
/// # Errors
/// [`ForeignDenied::KidTaken`].
pub(super) fn without_collision(
    store: &Store,
    key: &SecretKey,
    mut foreign: Foreign,
) -> Result<Foreign, ForeignDenied> {
    foreign.kid = foreign.kid.filter(|kid| kid != key.kid());
    let own = [key.kid().to_owned(), libtrust_kid(key.public())];
    for kid in own.iter().chain(&foreign.kid) {
        let named = store.ledger().keys.all().iter().find(|known| known.name() == *kid);
        if let Some(known) = known_as(store, kid).or(named) {
            return Err(ForeignDenied::KidTaken { kid: kid.clone(), of: known.name() });
        }
    }
    Ok(foreign)
}

/// The key that goes by that `kid`: as its thumbprint, as it is kept, or as a libtrust id.
pub fn known_as<'a>(store: &'a Store, kid: &str) -> Option<&'a KeyRecord> {
    let keys = &store.ledger().keys;
    let by_libtrust =
        || keys.all().iter().find(|key| key.purpose == Purpose::Token && libtrust_kid(&key.public) == kid);
    keys.by_kid(kid).or_else(|| keys.by_kept_kid(kid)).or_else(by_libtrust)
}

/// Every `kid` by which a service knows a key, the one of its own tokens first.
pub(super) fn kids_for(service: &Service, key: &KeyRecord) -> Vec<String> {
    let mut kids = vec![kid_for(service, key)];
    kids.extend(key.foreign.kid.clone().filter(|kid| *kid != kids.concat()));
    kids
}

/// Of the keys of a keyset that services still have, those whose tokens from elsewhere some verifier
/// may accept at that time.
fn alive<'a>(store: &'a Store, policy: &Policy, keyset: &'a str, now: u64) -> impl Iterator<Item = &'a KeyRecord> {
    let timing = policy.rotation(keyset);
    store.ledger().keys.of_keyset(keyset).filter(move |key| {
        let over = Table.removal(&timing, key.foreign.tokens.map(|tokens| tokens.until));
        key.published_at(now) && over.is_some_and(|over| over > now)
    })
}

/// The tokens from elsewhere that services of a keyset may still be shown: for each key the last of them,
/// with the longest validity.
pub(super) fn out(store: &Store, policy: &Policy, keyset: &str, now: u64) -> Vec<Out> {
    let tokens = alive(store, policy, keyset, now).filter_map(|key| key.foreign.tokens);
    tokens.map(|tokens| Out { until: tokens.until, validity: tokens.longest }).collect()
}

/// Keysets with tokens from elsewhere that some verifier may accept at that time.
pub(super) fn keysets<'a>(store: &'a Store, policy: &Policy, now: u64) -> BTreeSet<&'a str> {
    let keys = store.ledger().keys.all().iter().filter(|key| key.foreign.tokens.is_some());
    let named: BTreeSet<&str> = keys.map(|key| key.keyset.as_str()).collect();
    named.into_iter().filter(|keyset| !out(store, policy, keyset, now).is_empty()).collect()
}

/// Whether a token from elsewhere may live, under whatever key, once `margin` seconds are granted. As
/// long as one may, no cut-off is dropped: such a token may lack `iat`, and then counts as issued at
/// the beginning of time.
pub(super) fn may_live(store: &Store, margin: u64, now: u64) -> bool {
    let tokens = store.ledger().keys.all().iter().filter_map(|key| key.foreign.tokens);
    tokens.map(|tokens| tokens.until.saturating_add(margin)).any(|over| over >= now)
}

/// Keys whose tokens from elsewhere a revocation reaches, with the services that it takes them from.
pub(super) fn reached<'a>(
    store: &'a Store,
    policy: &'a Policy,
    made: &[RevocationMade],
    now: u64,
) -> Vec<(&'a KeyRecord, Vec<&'a Service>)> {
    let touched = |key: &KeyRecord, service: &Service| {
        made.iter().any(|one| {
            let name = one.name.as_deref().unwrap_or_default();
            match one.what {
                What::Token => false,
                What::Key => name == key.kid,
                What::Service => name == service.name,
                What::Role => name.strip_prefix(&service.name).is_some_and(|rest| rest.starts_with('/')),
                What::Subject | What::Everything => true,
            }
        })
    };
    let keys = policy.keysets().flat_map(|keyset| alive(store, policy, &keyset.name, now));
    let with_services = keys.map(|key| {
        let services = policy.services_of(&key.keyset).filter(|service| touched(key, service));
        (key, services.collect::<Vec<_>>())
    });
    with_services.filter(|(_, services)| !services.is_empty()).collect()
}

/// The part of a command line that imports a key, up to what is to be said of it.
pub fn command(keyset: &str, file: &std::path::Path) -> String {
    format!("coldsign key import {} {}", super::shell_word(std::path::Path::new(keyset)), super::path_word(file))
}
