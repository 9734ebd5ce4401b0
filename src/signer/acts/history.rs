//! What the journal's entries are, in words: every type that this version writes or reads.

use crate::journal::Entry;

/// Every type of entry, and what an act with it did.
pub const TYPES: [(&str, &str); 36] = [
    ("store.created", "made the store"),
    ("checkpoint", "signed a checkpoint"),
    ("journal.truncated", "cut off what an interrupted act had left"),
    ("journal.rekeyed", "gave the journal a new key"),
    ("clock.corrected", "corrected the clock"),
    ("policy.applied", "applied a policy"),
    ("token.issued", "issued tokens"),
    ("token.delivered", "delivered tokens"),
    ("token.undelivered", "could not deliver tokens"),
    ("revocation.made", "revoked tokens"),
    ("publication.made", "made a publication"),
    ("certificate.made", "made a certificate"),
    ("cutover.issued", "began a cutover"),
    ("cutover.confirmed", "confirmed a cutover"),
    ("key.generated", "made a key"),
    ("key.imported", "imported a key"),
    ("key.activated", "activated a key"),
    ("key.suspended", "paused a key"),
    ("key.resumed", "resumed a key"),
    ("key.deactivated", "retired a key"),
    ("key.compromised", "declared a key compromised"),
    ("key.destroyed", "destroyed a key"),
    ("root.made", "made a root"),
    ("root.drafted", "signed a root that waits for more signatures"),
    ("root.discarded", "discarded a root that waited"),
    ("unlock.added", "added an unlock"),
    ("unlock.changed", "changed an unlock"),
    ("unlock.rewrapped", "changed a passphrase without a new sealing"),
    ("unlock.anchored", "brought an unlock's file up to date"),
    ("unlock.removed", "removed an unlock"),
    ("seal.generation", "sealed every key anew"),
    ("verifier.added", "enrolled a verifier"),
    ("verifier.removed", "removed a verifier"),
    ("receipt.taken", "took a receipt"),
    ("backup.made", "made a backup"),
    ("epoch.started", "restored the store from a backup"),
];

/// Types that an act adds besides what it is done for.
const BESIDES: [&str; 5] =
    ["token.delivered", "token.undelivered", "unlock.anchored", "journal.truncated", "checkpoint"];

/// What somebody did: one group of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When, in seconds since the epoch.
    pub time: u64,
    /// The unlock that was used.
    pub by: String,
    /// In words.
    pub what: String,
}

/// Every type's name.
pub fn types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(kind, _)| *kind)
}

/// What an entry of that type did, in words.
pub fn words(kind: &str) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == kind).map_or("did something", |(_, words)| words)
}

/// The acts in some entries, oldest first; what only follows from another act is left out.
pub fn acts(entries: &[Entry]) -> Vec<Act> {
    let groups = entries.split_inclusive(Entry::is_checkpoint);
    groups.filter_map(of_group).collect()
}

/// The newest act.
pub fn last(entries: &[Entry]) -> Option<Act> {
    let mut end = entries.len();
    while end > 0 {
        let before = entries.get(..end - 1)?;
        let begin = before.iter().rposition(Entry::is_checkpoint).map_or(0, |at| at + 1);
        if let Some(act) = of_group(entries.get(begin..end)?) {
            return Some(act);
        }
        end = begin;
    }
    None
}

fn of_group(group: &[Entry]) -> Option<Act> {
    let told = group.iter().find(|entry| !BESIDES.contains(&&*entry.kind))?;
    Some(Act { time: told.time, by: told.by.to_string(), what: words(&told.kind).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_page_knows_the_same_types() {
        let page = include_str!("../../../docs/formats/journal-v1.md");
        let table = page.split("## Entry types").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        for kind in types() {
            assert!(table.contains(&format!("`{kind}`")), "{kind} is not in the page");
        }
        let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let named = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        for kind in named.filter(|kind| kind.contains('.') || *kind == "checkpoint") {
            assert!(types().any(|known| known == kind), "{kind} is not in the table");
        }
    }
}
