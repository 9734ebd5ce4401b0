//! `token list`: who can reach what, from the journal. Needs no passphrase.

use super::denied::nearest;
use super::{Denied, Store};
use crate::issuing::record::{TokenIssued, TokenRecord};
use crate::issuing::{Policy, recall};
use crate::refusal::{Refusal, Refuse};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// Which tokens are asked for; `None`, `false` or nothing means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// For this service.
    pub service: Option<String>,
    /// With this role among theirs.
    pub role: Option<String>,
    /// About this subject.
    pub subject: Option<String>,
    /// With this scope, by the policy of their issue and what they were narrowed to.
    pub scope: Option<String>,
    /// With these claims: name and value, or a member of a list.
    pub claims: Vec<(String, String)>,
    /// Signed by this key: `keyset/number` or kid.
    pub key: Option<String>,
    /// Issued with this unlock.
    pub by: Option<String>,
    /// Valid at this time, in seconds since the epoch.
    pub live_at: Option<u64>,
    /// Valid at any time from the first on and before the second.
    pub live_between: Option<(u64, u64)>,
}

/// A question that nothing can be an answer to.
#[derive(Debug, thiserror::Error)]
pub enum FilterDenied {
    /// A name that nothing here has or had.
    #[error("there is no {what} {name}")]
    Unknown {
        /// What it was to name.
        what: &'static str,
        /// As given.
        name: String,
        /// The command that shows what there is, or with the nearest name does what was meant.
        helps: String,
    },
    /// Its end is not after its beginning.
    #[error("that time ends before it begins")]
    Interval,
}

impl Refuse for FilterDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unknown { .. } => "FILTER-UNKNOWN",
            Self::Interval => "FILTER-INTERVAL",
        })
    }

    fn why(&self) -> Vec<String> {
        vec![match self {
            Self::Unknown { .. } => "there never was one: an empty list would look like an answer".to_owned(),
            Self::Interval => "the first time counts, the second does not: name a later one".to_owned(),
        }]
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { helps, .. } => Some(helps.clone()),
            Self::Interval => None,
        }
    }
}

/// Refuses a name that is not among those known; `option` takes the nearest, `list` shows them all.
pub(super) fn known<'a>(
    (what, option, list): (&'static str, &str, &str),
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<(), FilterDenied> {
    let names: BTreeSet<&str> = names.into_iter().collect();
    if names.contains(name) {
        return Ok(());
    }
    let helps = nearest(name, names).map_or_else(|| list.to_owned(), |nearest| format!("{option} {nearest}"));
    Err(FilterDenied::Unknown { what, name: name.to_owned(), helps })
}

/// Refuses a time that is none.
pub(super) fn interval(from: Option<u64>, until: Option<u64>) -> Result<(), FilterDenied> {
    if from.zip(until).is_some_and(|(from, until)| until <= from) { Err(FilterDenied::Interval) } else { Ok(()) }
}

fn check(store: &Store, filter: &Filter) -> Result<(), FilterDenied> {
    let ledger = store.ledger();
    let tokens = ledger.tokens.all();
    interval(filter.live_between.map(|between| between.0), filter.live_between.map(|between| between.1))?;
    // Every policy there ever was, as far as it can be read.
    let mut named: Vec<(String, String)> = Vec::new();
    if filter.service.is_some() || filter.role.is_some() {
        let texts = ledger.policies.all().iter().filter_map(|record| store.policy_text(record).ok());
        for policy in texts.filter_map(|text| Policy::parse(&text).ok()) {
            for service in policy.services() {
                named.extend(service.roles.keys().map(|role| (service.name.clone(), role.clone())));
            }
        }
    }
    if let Some(service) = &filter.service {
        let services = tokens.iter().map(|token| token.issued.service.as_str());
        let services = services.chain(named.iter().map(|named| named.0.as_str()));
        known(("service", "coldsign token list --service", "coldsign policy show"), service, services)?;
    }
    if let Some(role) = &filter.role {
        let roles = tokens.iter().flat_map(|token| token.issued.roles.iter().map(String::as_str));
        let roles = roles.chain(named.iter().map(|named| named.1.as_str()));
        known(("role", "coldsign token list --role", "coldsign policy show"), role, roles)?;
    }
    if let Some(by) = &filter.by {
        let unlocks = ledger.unlocks.all().iter().map(|unlock| unlock.name.as_str());
        let unlocks = unlocks.chain(store.journal().entries().iter().map(|entry| &*entry.by));
        known(("unlock", "coldsign token list --by", "coldsign unlock list"), by, unlocks)?;
    }
    Ok(())
}

/// The tokens that match, oldest first.
///
/// # Errors
/// [`Denied::NoKey`], [`FilterDenied`]; and where scopes or claims are asked for, [`Denied::Damaged`] for a policy
/// whose text is not what was applied.
pub fn list<'a>(store: &'a Store, filter: &Filter) -> Result<Vec<&'a TokenRecord>, Refusal> {
    check(store, filter)?;
    let kid = filter.key.as_deref().map(|key| super::keys::find(store, key).map(|key| key.kid.as_str())).transpose()?;
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let mut policies = IssuedUnder::new(store);
    let mut tokens = Vec::new();
    for token in store.ledger().tokens.all() {
        let issued = &token.issued;
        let matches = is(&filter.service, &issued.service)
            && is(&filter.subject, &issued.sub)
            && is(&filter.by, &token.by)
            && kid.is_none_or(|kid| kid == issued.kid)
            && filter.role.as_ref().is_none_or(|role| issued.roles.contains(role))
            && filter.live_at.is_none_or(|time| token.live_at(time))
            && filter.live_between.is_none_or(|(from, until)| token.live_between(from, until));
        if !matches {
            continue;
        }
        if let Some(scope) = &filter.scope
            && !policies.scopes(issued)?.contains(scope)
        {
            continue;
        }
        if !filter.claims.is_empty() {
            let claims = policies.claims(issued)?;
            let has = |(name, wanted): &(String, String)| match claims.get(name) {
                // One word of it, as resource servers read it (RFC 8693, 4.2).
                Some(Value::String(scopes)) if name == "scope" => {
                    scopes == wanted || scopes.split(' ').any(|scope| scope == wanted)
                }
                found => found.is_some_and(|found| holds(found, wanted)),
            };
            if !filter.claims.iter().all(has) {
                continue;
            }
        }
        tokens.push(token);
    }
    Ok(tokens)
}

/// The policies of past issues; each text is read and parsed once.
pub struct IssuedUnder<'a> {
    store: &'a Store,
    read: HashMap<String, Policy>,
}

impl<'a> IssuedUnder<'a> {
    /// Those of a store.
    pub fn new(store: &'a Store) -> Self {
        Self { store, read: HashMap::new() }
    }

    /// The scopes of a token.
    ///
    /// # Errors
    /// [`Denied::Damaged`] where its policy can't be read any more.
    pub fn scopes(&mut self, issued: &TokenIssued) -> Result<BTreeSet<String>, Refusal> {
        Ok(recall::scopes(self.policy(issued)?, issued)?)
    }

    /// The claims of a token.
    ///
    /// # Errors
    /// As [`IssuedUnder::scopes`].
    pub fn claims(&mut self, issued: &TokenIssued) -> Result<Map<String, Value>, Refusal> {
        let issuer = &self.store.sheet().issuer;
        Ok(recall::claims(self.policy(issued)?, issuer, issued)?)
    }

    fn policy(&mut self, issued: &TokenIssued) -> Result<&Policy, Refusal> {
        if !self.read.contains_key(&issued.policy) {
            let record = self.store.ledger().policies.by_sha256(&issued.policy).ok_or_else(|| Denied::Damaged {
                file: "journal/entries.jsonl".to_owned(),
                what: format!("token {} names a policy that was never applied", issued.jti),
            })?;
            let policy = Policy::parse(&self.store.policy_text(record)?)?;
            self.read.insert(issued.policy.clone(), policy);
        }
        self.read.get(&issued.policy).ok_or_else(|| Denied::NoPolicy.into())
    }
}

/// Whether a claim is what was asked for, as a text or as JSON, or has it among its members.
fn holds(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text == wanted,
        Value::Array(members) => members.iter().any(|member| holds(member, wanted)) || is(found, wanted),
        other => is(other, wanted),
    }
}

fn is(found: &Value, wanted: &str) -> bool {
    serde_json::from_str::<Value>(wanted).is_ok_and(|wanted| wanted == *found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_is_compared_as_text_as_json_and_by_its_members() {
        assert!(holds(&json!("3"), "3") && holds(&json!(3), "3") && holds(&json!(true), "true"));
        assert!(holds(&json!(["a", 3]), "a") && holds(&json!(["a", 3]), "3"));
        assert!(holds(&json!(["a", "b"]), r#"["a", "b"]"#) && !holds(&json!(["a", "b"]), r#"["a"]"#));
        assert!(!holds(&json!("3 "), "3") && !holds(&json!(3), "4") && !holds(&json!(["ab"]), "a"));
        assert!(holds(&json!({"jkt": "x"}), r#"{"jkt":"x"}"#) && !holds(&json!(3), ""));
    }
}
