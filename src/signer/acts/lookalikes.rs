//! Subjects of the journal that people take for one another.

use super::Store;
use crate::issuing::lookalike;
use std::collections::HashSet;

/// For each subject that has any: others, of the journal or named beside it, that differ only by case
/// or by letters that look alike.
pub fn lookalikes(store: &Store, subjects: &[String]) -> Vec<(String, Vec<String>)> {
    let mut seen = HashSet::new();
    let tokens = store.ledger().tokens.all().iter().map(|token| token.issued.sub.as_str());
    let known = tokens.chain(subjects.iter().map(String::as_str)).filter(|subject| seen.insert(*subject));
    let found = lookalike::lookalikes(subjects, known);
    let owned = |others: Vec<&str>| others.into_iter().map(str::to_owned).collect();
    found.into_iter().map(|(subject, others)| (subject.to_owned(), owned(others))).collect()
}
