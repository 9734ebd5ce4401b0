//! What is withdrawn, as the next bundle says it.

use super::Store;
use coldsign_verify::revocation::Revocations;

/// Everything withdrawn at that time.
pub fn current(_store: &Store, _now: u64) -> Revocations {
    Revocations::default()
}
