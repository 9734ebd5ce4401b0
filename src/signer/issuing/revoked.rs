//! Revocations as the journal tells them: what was taken back, and which tokens that reaches.

use super::record::{TokenIssued, TokenRecord};
use crate::journal::{Entry, Event, JournalFault, member, names};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// What a revocation takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// One token, by its `jti`.
    Token,
    /// Every token about a subject.
    Subject,
    /// Every token of a role: `service/role`.
    Role,
    /// Every token for a service.
    Service,
    /// Every token signed by a key: RFC 7638 thumbprint.
    Key,
    /// Every token.
    Everything,
}

impl What {
    /// Its word in the journal and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Subject => "subject",
            Self::Role => "role",
            Self::Service => "service",
            Self::Key => "key",
            Self::Everything => "everything",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Tokens were taken back: every one of that kind that the journal has before this entry, and, where
/// verifiers can tell, every other one of that kind up to the cut-off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationMade {
    /// Its number, from 1.
    #[serde(deserialize_with = "member::number")]
    pub number: u64,
    /// What it takes back.
    pub what: What,
    /// Which one of those; absent for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The latest `iat` that it reaches, in seconds since the epoch: its time, dated back as tokens are.
    #[serde(deserialize_with = "member::number")]
    pub cut_off: u64,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Event for RevocationMade {
    const TYPE: &'static str = "revocation.made";
}

impl RevocationMade {
    /// Whether its name can be one of what it takes back.
    fn is_named_soundly(&self) -> bool {
        let Some(name) = self.name.as_deref() else { return self.what == What::Everything };
        match self.what {
            What::Token => names::is_random(name),
            What::Subject => names::is_subject(name),
            What::Role => names::is_grant(name),
            What::Service => names::is_plain(name),
            What::Key => names::is_thumbprint(name),
            What::Everything => false,
        }
    }

    /// Whether it takes back tokens like this one.
    pub fn touches(&self, issued: &TokenIssued) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        match self.what {
            What::Token => issued.jti == name,
            What::Subject => issued.sub == name,
            What::Role => name.strip_prefix(&issued.service).and_then(|rest| rest.strip_prefix('/')).is_some_and(
                // Neither services nor roles have a slash in their names.
                |role| issued.roles.iter().any(|one| one == role),
            ),
            What::Service => issued.service == name,
            What::Key => issued.kid == name,
            What::Everything => true,
        }
    }
}

/// A revocation and when it was made.
#[derive(Debug, Clone)]
pub struct RevocationRecord {
    /// As journalled.
    pub made: RevocationMade,
    /// The latest `iat` that it reaches: as journalled, or where the clock was found wrong since, as
    /// much later or earlier as its own time.
    pub cut_off: u64,
    /// The entry's place in the journal.
    pub index: u64,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// By which unlock.
    pub by: String,
}

impl RevocationRecord {
    /// Whether it took that token back: one of its kind that was there before.
    pub fn covers(&self, token: &TokenRecord) -> bool {
        token.index < self.index && self.made.touches(&token.issued)
    }

    /// In plain words: `subject ann`, `everything`.
    pub fn words(&self) -> String {
        match &self.made.name {
            Some(name) => format!("{} {name}", self.made.what),
            None => self.made.what.to_string(),
        }
    }
}

/// Every revocation, oldest first.
#[derive(Debug, Default)]
pub struct Revocations {
    records: Vec<RevocationRecord>,
    /// Those of single tokens, by `jti`.
    single: HashMap<String, usize>,
    /// The others.
    wide: Vec<usize>,
}

impl Revocations {
    /// Takes in an entry; `false` where it is not about revocations.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        let Some(made) = entry.event::<RevocationMade>()? else {
            return Ok(false);
        };
        let malformed = |what: &str| JournalFault::Malformed { line: entry.index + 1, what: what.to_owned() };
        if made.number != self.next_number() {
            return Err(malformed("the revocation's number is not the next"));
        }
        if made.name.is_none() != (made.what == What::Everything) {
            return Err(malformed("a revocation names what it takes back, unless that is everything"));
        }
        if !made.is_named_soundly() {
            return Err(malformed("the revocation names nothing that can be taken back"));
        }
        let before = entry.written.checked_sub(made.cut_off);
        let before = before.ok_or_else(|| malformed("the revocation's cut-off is later than itself"))?;
        let place = self.records.len();
        match (&made.what, &made.name) {
            (What::Token, Some(jti)) => drop(self.single.entry(jti.clone()).or_insert(place)),
            _ => self.wide.push(place),
        }
        let cut_off = entry.time.saturating_sub(before);
        self.records.push(RevocationRecord {
            made,
            cut_off,
            index: entry.index,
            at: entry.time,
            by: entry.by.to_string(),
        });
        Ok(true)
    }

    /// All of them.
    pub fn all(&self) -> &[RevocationRecord] {
        &self.records
    }

    /// The number the next one gets.
    pub fn next_number(&self) -> u64 {
        self.records.len() as u64 + 1
    }

    /// The first one that took that token back, if any did.
    pub fn of(&self, token: &TokenRecord) -> Option<&RevocationRecord> {
        let single = self.single.get(&token.issued.jti).copied();
        let places = self.wide.iter().copied().chain(single);
        places.filter_map(|place| self.records.get(place)).filter(|one| one.covers(token)).min_by_key(|one| one.index)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Delivery;
    use super::*;
    use serde_json::Map;

    fn token(jti: &str, roles: &[&str], index: u64) -> TokenRecord {
        TokenRecord {
            issued: TokenIssued {
                jti: jti.into(),
                service: "api".into(),
                roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                sub: "ann".into(),
                kid: "k".into(),
                policy: String::new(),
                iat: 940,
                nbf: 940,
                exp: 2_000,
                token_sha256: String::new(),
                claims: Map::new(),
                form: "raw".into(),
                reason: None,
                stands_for: None,
            },
            index,
            at: 1_000,
            by: "admin".into(),
            delivery: Delivery::Delivered,
        }
    }

    fn made(what: What, name: Option<&str>) -> RevocationMade {
        RevocationMade { number: 1, what, name: name.map(str::to_owned), cut_off: 940, reason: None }
    }

    #[test]
    fn each_kind_touches_what_it_names_and_nothing_else() {
        let token = token("j", &["reader", "writer"], 5).issued;
        for (what, hit, miss) in [
            (What::Token, "j", "J"),
            (What::Subject, "ann", "anna"),
            (What::Role, "api/writer", "api/admin"),
            (What::Role, "api/reader", "apireader"),
            (What::Role, "api/reader", "ap/reader"),
            (What::Service, "api", "ap"),
            (What::Key, "k", "l"),
        ] {
            assert!(made(what, Some(hit)).touches(&token), "{what} {hit}");
            assert!(!made(what, Some(miss)).touches(&token), "{what} {miss}");
        }
        assert!(made(What::Everything, None).touches(&token));
    }

    #[test]
    fn a_token_issued_after_a_revocation_is_not_taken_back() {
        let record = RevocationRecord {
            made: made(What::Subject, Some("ann")),
            cut_off: 940,
            index: 6,
            at: 1_000,
            by: "admin".into(),
        };
        assert!(record.covers(&token("j", &["reader"], 5)));
        assert!(!record.covers(&token("j", &["reader"], 7)));
        assert_eq!(record.words(), "subject ann");
    }
}
