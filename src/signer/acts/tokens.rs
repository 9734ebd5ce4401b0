//! `token list`: who can reach what, from the journal. Needs no passphrase.

use super::Store;
use crate::issuing::record::TokenRecord;

/// Which tokens are asked for; `None` or `false` means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// For this service.
    pub service: Option<String>,
    /// With this role among theirs.
    pub role: Option<String>,
    /// About this subject.
    pub subject: Option<String>,
    /// Valid at this time, in seconds since the epoch.
    pub live_at: Option<u64>,
}

/// The tokens that match, oldest first.
pub fn list<'a>(store: &'a Store, filter: &'a Filter) -> impl Iterator<Item = &'a TokenRecord> {
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    store.ledger().tokens.all().iter().filter(move |token| {
        is(&filter.service, &token.issued.service)
            && is(&filter.subject, &token.issued.sub)
            && filter.role.as_ref().is_none_or(|role| token.issued.roles.contains(role))
            && filter.live_at.is_none_or(|time| token.live_at(time))
    })
}
