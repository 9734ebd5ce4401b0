//! The store's state: every noun's fold over the journal.

use super::backup::record::Backups;
use super::verifiers::record::Verifiers;
use crate::issuing::record::{Policies, Tokens};
use crate::issuing::revoked::Revocations;
use crate::journal::{Entry, JournalFault};
use crate::keystore::{Keys, Unlocks};
use crate::publishing::record::Publications;
use crate::publishing::roots::Roots;
use crate::rotation::record::Cutovers;

/// What the journal adds up to.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Ways to open the store.
    pub unlocks: Unlocks,
    /// Keys and their states.
    pub keys: Keys,
    /// Policies applied.
    pub policies: Policies,
    /// Tokens issued.
    pub tokens: Tokens,
    /// Tokens taken back.
    pub revocations: Revocations,
    /// Publications and certificates.
    pub publications: Publications,
    /// Roots of trust.
    pub roots: Roots,
    /// Backups, and restores from them.
    pub backups: Backups,
    /// Cutovers of single-key services.
    pub cutovers: Cutovers,
    /// Verifiers and their receipts.
    pub verifiers: Verifiers,
}

impl Ledger {
    /// Takes in entries in order. Each must be some noun's.
    ///
    /// # Errors
    /// [`JournalFault::UnknownType`] or [`JournalFault::Malformed`].
    pub fn apply(&mut self, entries: &[Entry]) -> Result<(), JournalFault> {
        for entry in entries {
            let known = entry.is_bookkeeping()
                || self.tokens.apply(entry)?
                || self.backups.apply(entry)?
                || self.revocations.apply(entry)?
                || self.keys.apply(entry)?
                || self.policies.apply(entry)?
                || self.publications.apply(entry)?
                || self.cutovers.apply(entry)?
                || self.roots.apply(entry)?
                || self.verifiers.apply(entry)?
                || self.unlocks.apply(entry)?;
            if !known {
                return Err(JournalFault::UnknownType { line: entry.index + 1, kind: entry.kind.to_string() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
