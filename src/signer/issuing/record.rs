//! Policies and tokens as the journal tells them.

use crate::journal::{Entry, Event, JournalFault, member};
use crate::rotation::Out;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A policy came into force. Its text is `policies/<sha256>.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyApplied {
    /// SHA-256 of its text, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// Its length in bytes.
    #[serde(deserialize_with = "member::number")]
    pub bytes: u64,
}

impl Event for PolicyApplied {
    const TYPE: &'static str = "policy.applied";
}

/// A policy that was or is in force.
#[derive(Debug, Clone)]
pub struct PolicyRecord {
    /// As journalled.
    pub applied: PolicyApplied,
    /// The entry's place in the journal.
    pub index: u64,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// By which unlock.
    pub by: String,
}

/// All policies ever applied, oldest first.
#[derive(Debug, Default)]
pub struct Policies(Vec<PolicyRecord>);

impl Policies {
    /// Takes in an entry; `false` where it is not about policies.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        let Some(applied) = entry.event::<PolicyApplied>()? else {
            return Ok(false);
        };
        self.0.push(PolicyRecord { applied, index: entry.index, at: entry.time, by: entry.by.to_string() });
        Ok(true)
    }

    /// The one in force now.
    pub fn newest(&self) -> Option<&PolicyRecord> {
        self.0.last()
    }

    /// One by the SHA-256 of its text, lower-case hex.
    pub fn by_sha256(&self, sha256: &str) -> Option<&PolicyRecord> {
        self.0.iter().find(|policy| policy.applied.sha256 == sha256)
    }

    /// The one in force at a time, in seconds since the epoch.
    pub fn as_of(&self, time: u64) -> Option<&PolicyRecord> {
        self.0.iter().rev().find(|policy| policy.at <= time)
    }

    /// All of them.
    pub fn all(&self) -> &[PolicyRecord] {
        &self.0
    }
}

/// A token was signed. Everything in it that its roles and the policy don't determine stands here;
/// the token does not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenIssued {
    /// Its `jti`.
    #[serde(deserialize_with = "member::random")]
    pub jti: String,
    /// For which service.
    #[serde(deserialize_with = "member::service")]
    pub service: String,
    /// As which of its roles.
    #[serde(deserialize_with = "member::role")]
    pub roles: Vec<String>,
    /// Its `sub`.
    #[serde(deserialize_with = "member::subject")]
    pub sub: String,
    /// The key that signed it: RFC 7638 thumbprint.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kid: String,
    /// SHA-256 of the policy in force.
    #[serde(deserialize_with = "member::digest")]
    pub policy: String,
    /// Its `iat`, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub iat: u64,
    /// Its `nbf`.
    #[serde(deserialize_with = "member::number")]
    pub nbf: u64,
    /// Its `exp`.
    #[serde(deserialize_with = "member::number")]
    pub exp: u64,
    /// SHA-256 of the token, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub token_sha256: String,
    /// What neither role nor policy determines.
    pub claims: Map<String, Value>,
    /// The form it left in.
    #[serde(deserialize_with = "member::form")]
    pub form: String,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The `jti` of the token whose place this one takes: at a cutover from the swap on, or because
    /// its key was lost.
    #[serde(default, deserialize_with = "member::random", skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<String>,
}

impl Event for TokenIssued {
    const TYPE: &'static str = "token.issued";
}

/// The output of these tokens is durable.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDelivered {
    /// Their `jti`s.
    #[serde(deserialize_with = "member::random")]
    pub jtis: Vec<String>,
}

impl Event for TokenDelivered {
    const TYPE: &'static str = "token.delivered";
}

/// The output of these tokens failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenUndelivered {
    /// Their `jti`s.
    #[serde(deserialize_with = "member::random")]
    pub jtis: Vec<String>,
}

impl Event for TokenUndelivered {
    const TYPE: &'static str = "token.undelivered";
}

/// What is known of a token's way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Written and synchronised, or taken by the reader.
    Delivered,
    /// Writing it failed; it may be partly out all the same.
    Undelivered,
    /// The act ended between signing and writing.
    Unconfirmed,
}

impl Delivery {
    /// In plain words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Undelivered => "not delivered",
            Self::Unconfirmed => "delivery unconfirmed",
        }
    }
}

/// A token and what became of it.
#[derive(Debug, Clone)]
pub struct TokenRecord {
    /// As journalled.
    pub issued: TokenIssued,
    /// The entry's place in the journal.
    pub index: u64,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// By which unlock.
    pub by: Arc<str>,
    /// Whether it got out.
    pub delivery: Delivery,
}

impl TokenRecord {
    /// Whether a verifier without leeway would take it at that time.
    pub fn live_at(&self, time: u64) -> bool {
        self.issued.nbf <= time && time < self.issued.exp
    }

    /// Until when it is out, and how long its validity is.
    pub fn out(&self) -> Out {
        Out { until: self.issued.exp, validity: self.issued.exp.saturating_sub(self.issued.iat) }
    }

    /// Whether it was or will be live at any time from `from` on and before `until`.
    pub fn live_between(&self, from: u64, until: u64) -> bool {
        self.issued.nbf < until && from < self.issued.exp
    }
}

/// Every token ever issued, oldest first.
#[derive(Debug, Default)]
pub struct Tokens {
    records: Vec<TokenRecord>,
    /// The one after the last that was marked: deliveries follow in the order of issuing.
    next: usize,
    /// Places by `jti`, made up when the order doesn't help.
    by_jti: HashMap<String, usize>,
    /// How many of the records are in it.
    mapped: usize,
}

impl Tokens {
    /// Takes in an entry; `false` where it is not about tokens.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        if let Some(issued) = entry.event::<TokenIssued>()? {
            self.records.push(TokenRecord {
                issued,
                index: entry.index,
                at: entry.time,
                by: entry.by.clone(),
                delivery: Delivery::Unconfirmed,
            });
        } else if let Some(event) = entry.event::<TokenDelivered>()? {
            self.mark(&event.jtis, Delivery::Delivered);
        } else if let Some(event) = entry.event::<TokenUndelivered>()? {
            self.mark(&event.jtis, Delivery::Undelivered);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All of them.
    pub fn all(&self) -> &[TokenRecord] {
        &self.records
    }

    /// The one with that SHA-256, lower-case hex.
    pub fn by_sha256(&self, sha256: &str) -> Option<&TokenRecord> {
        self.records.iter().find(|token| token.issued.token_sha256 == sha256)
    }

    /// A token and all that stand or stood for it, oldest first.
    pub fn family(&self, jti: &str) -> Vec<&TokenRecord> {
        let mut oldest = jti;
        for issued in self.records.iter().rev().map(|token| &token.issued) {
            if issued.jti == oldest {
                oldest = issued.stands_for.as_deref().unwrap_or(oldest);
            }
        }
        let mut known = HashSet::from([oldest]);
        let mut family = Vec::new();
        for token in &self.records {
            let issued = &token.issued;
            if known.contains(issued.jti.as_str())
                || issued.stands_for.as_deref().is_some_and(|old| known.contains(old))
            {
                known.insert(&issued.jti);
                family.push(token);
            }
        }
        family
    }

    /// The latest `exp` of all tokens of a key, delivered or not.
    pub fn last_expiry_of_key(&self, kid: &str) -> Option<u64> {
        self.records.iter().filter(|token| token.issued.kid == kid).map(|token| token.issued.exp).max()
    }

    fn mark(&mut self, jtis: &[String], delivery: Delivery) {
        for jti in jtis {
            let Some(at) = self.place(jti) else { continue };
            if let Some(token) = self.records.get_mut(at) {
                token.delivery = delivery;
                self.next = at + 1;
            }
        }
    }

    fn place(&mut self, jti: &str) -> Option<usize> {
        if self.records.get(self.next).is_some_and(|token| token.issued.jti == jti) {
            return Some(self.next);
        }
        for (at, token) in self.records.iter().enumerate().skip(self.mapped) {
            self.by_jti.insert(token.issued.jti.clone(), at);
        }
        self.mapped = self.records.len();
        self.by_jti.get(jti).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(number: usize) -> TokenRecord {
        let text = String::new;
        let issued = TokenIssued {
            jti: number.to_string(),
            service: text(),
            roles: Vec::new(),
            sub: text(),
            kid: text(),
            policy: text(),
            iat: 0,
            nbf: 0,
            exp: 0,
            token_sha256: text(),
            claims: Map::new(),
            form: text(),
            reason: None,
            stands_for: None,
        };
        TokenRecord { issued, index: 0, at: 0, by: "admin".into(), delivery: Delivery::Unconfirmed }
    }

    proptest! {
        #[test]
        fn each_delivery_meets_its_token_in_whatever_order(
            acts in proptest::collection::vec((0..4_usize, proptest::collection::vec(0..30_usize, 0..5)), 0..12),
        ) {
            let mut tokens = Tokens::default();
            let mut wanted = Vec::new();
            for (issued, delivered) in acts {
                for _ in 0..issued {
                    tokens.records.push(token(wanted.len()));
                    wanted.push(Delivery::Unconfirmed);
                }
                let jtis: Vec<String> = delivered.iter().map(usize::to_string).collect();
                tokens.mark(&jtis, Delivery::Delivered);
                for at in delivered {
                    if let Some(one) = wanted.get_mut(at) {
                        *one = Delivery::Delivered;
                    }
                }
                let found: Vec<Delivery> = tokens.records.iter().map(|token| token.delivery).collect();
                prop_assert_eq!(&found, &wanted);
            }
        }
    }
}
