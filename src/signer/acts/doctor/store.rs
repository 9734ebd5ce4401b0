//! The store itself, as far as it can be read without a passphrase: can it be, and is it cared for?

use super::Finding;
use crate::acts::{Store, root, status};
use std::path::Path;

const DAY: u64 = 86_400;
/// A store that nobody used for so long may lie on a machine whose clock has jumped.
const LONG_UNUSED: u64 = 400 * DAY;

const WHY_AHEAD: &str = "the clock is wrong, or was wrong then: acts are refused until it is settled";
const WHY_UNUSED: &str = "if it was used since, the clock is wrong";
const WHY_UNPUBLISHED: &str = "no service can check a token yet";
const WHY_ROOT: &str = "without a root that lasts nothing can be published";
const WHY_OVERDUE: &str = "services learn of new keys by publications only";
const WHY_NO_BACKUP: &str = "a dead disk would end every key";
const WHY_UNREADABLE: &str = "no act is done on a store that does not hold together";

pub(super) fn findings(place: &Path, now: u64) -> Vec<Finding> {
    if !Store::is_at(place) {
        return vec![Finding::ok("store", format!("none at {} yet", place.display())).try_this("coldsign init")];
    }
    let store = match Store::open(place) {
        Ok(store) => store,
        Err(refusal) => {
            let finding = Finding::bad("store", refusal.to_string(), WHY_UNREADABLE);
            let command = refusal.reason().hint();
            return vec![Finding { command, ..finding }];
        }
    };
    let lines = store.journal().entries().len();
    let sound = Finding::ok("store", format!("its journal of {lines} lines holds together"));
    let newest_act = newest_act(store.journal().newest_time(), now);
    vec![sound, newest_act, roots(&store, now), publication(&store, now), backup(&store, now)]
}

fn newest_act(newest: u64, now: u64) -> Finding {
    let topic = "newest-act";
    if newest > now {
        return Finding::bad(topic, format!("{} after the clock", days(newest - now)), WHY_AHEAD).try_this("date -u");
    }
    let fact = format!("{} ago", days(now - newest));
    if now - newest > LONG_UNUSED {
        return Finding::look(topic, fact, WHY_UNUSED).try_this("date -u");
    }
    Finding::ok(topic, fact)
}

fn roots(store: &Store, now: u64) -> Finding {
    let topic = "root";
    if let Err(refusal) = root::waiting(store).and_then(|_| root::newest(store)) {
        return Finding::bad(topic, refusal.to_string(), WHY_UNREADABLE);
    }
    match (status::todo_of_roots(store, now), store.ledger().roots.newest()) {
        (Some((fact, command)), _) => Finding::look(topic, fact, WHY_ROOT).try_this(&command),
        (None, newest) => {
            let (number, end) = newest.map_or((0, 0), |root| (root.root_version, root.exp));
            Finding::ok(topic, format!("number {number} is good for {}", days(end.saturating_sub(now))))
        }
    }
}

fn publication(store: &Store, now: u64) -> Finding {
    let topic = "publication";
    let Some(newest) = store.ledger().publications.newest() else {
        return Finding::look(topic, "none was made yet", WHY_UNPUBLISHED).try_this("coldsign publish --to DIR");
    };
    let fact = format!("number {} is {} old", newest.made.seq, days(now.saturating_sub(newest.at)));
    let due = store.policy().map(|(policy, _)| newest.at.saturating_add(policy.distribution().publish_every));
    match due {
        Ok(due) if now >= due => Finding::look(topic, fact, WHY_OVERDUE).try_this("coldsign publish --renew --to DIR"),
        _ => Finding::ok(topic, fact),
    }
}

fn backup(store: &Store, now: u64) -> Finding {
    let topic = "backup";
    let age = store.ledger().backups.newest().map_or(0, |newest| now.saturating_sub(newest.at));
    match status::backup_due(store, now) {
        Some(due) => Finding::look(topic, due, WHY_NO_BACKUP).try_this("coldsign backup create --to DIR"),
        None => Finding::ok(topic, format!("the newest is {} old", days(age))),
    }
}

fn days(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::doctor::Verdict;

    #[test]
    fn a_clock_behind_the_journal_is_bad_and_one_far_ahead_is_told() {
        let verdict = |newest, now| newest_act(newest, now).verdict;
        assert_eq!(verdict(1_000, 999), Verdict::Bad);
        assert_eq!(verdict(1_000, 1_000 + LONG_UNUSED), Verdict::Ok);
        assert_eq!(verdict(1_000, 1_001 + LONG_UNUSED), Verdict::Look);
        assert_eq!(newest_act(0, 3 * DAY).fact, "3 days ago");
    }
}
