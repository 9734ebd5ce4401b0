//! Receipts, from a stick into the journal.

use super::record::{ReceiptTaken, VerifierRecord, Verifiers};
use super::{ReceiptDenied, Session, Store};
use crate::acts::denied::nearest;
use crate::acts::foreign::known_as;
use crate::journal::Event;
use crate::refusal::Refusal;
use coldsign_verify::receipt::{Fault, Receipt};
use std::collections::BTreeMap;

/// Each receipt judged, in the order given; nothing is changed. Those of one verifier are judged by
/// their numbers, as if each before had been taken.
pub fn examine(store: &Store, receipts: &[Vec<u8>], now: u64) -> Vec<Result<ReceiptTaken, ReceiptDenied>> {
    let mut known = store.ledger().verifiers.clone();
    let mut read: Vec<(usize, Result<Receipt, ReceiptDenied>)> =
        receipts.iter().map(|bytes| read(store, bytes)).enumerate().collect();
    // By number, whatever a shell made of the names of files.
    read.sort_by_key(|(_, read)| read.as_ref().map_or(0, |receipt| receipt.contents().counter));
    let mut judged: Vec<(usize, Result<ReceiptTaken, ReceiptDenied>)> = read
        .into_iter()
        .map(|(at, read)| {
            let taken = read.and_then(|receipt| judge(store, &known, &receipt, now));
            if let Ok(taken) = &taken {
                known.take(taken.clone(), now);
            }
            (at, taken)
        })
        .collect();
    judged.sort_by_key(|(at, _)| *at);
    judged.into_iter().map(|(_, taken)| taken).collect()
}

/// Records those that hold, in the order of their numbers; each in the order given, as [`examine`].
///
/// # Errors
/// As the store refuses; then none is recorded.
pub fn take(session: &mut Session, receipts: &[Vec<u8>]) -> Result<Vec<Result<ReceiptTaken, ReceiptDenied>>, Refusal> {
    let judged = examine(session.store(), receipts, session.now());
    let mut taken: Vec<&ReceiptTaken> = judged.iter().flatten().collect();
    taken.sort_by_key(|one| one.counter);
    if !taken.is_empty() {
        session.record(&taken.into_iter().map(Event::line).collect::<Vec<_>>())?;
    }
    Ok(judged)
}

/// A receipt for this store, signed by the key of an enrolled verifier.
fn read(store: &Store, bytes: &[u8]) -> Result<Receipt, ReceiptDenied> {
    let token = text(bytes)?;
    let (receipt, _) = Receipt::introduce(token)?;
    let contents = receipt.contents();
    if contents.store != store.sheet().store_id {
        return Err(ReceiptDenied::Store { found: contents.store.clone() });
    }
    let verifiers = &store.ledger().verifiers;
    let Some(known) = verifiers.find(&contents.verifier) else {
        let enrolled = verifiers.enrolled();
        let nearest = nearest(&contents.verifier, enrolled.iter().map(|known| known.name.as_str()));
        return Err(ReceiptDenied::Verifier { name: contents.verifier.clone(), nearest });
    };
    Ok(Receipt::verify(token, &known.key)?)
}

/// A receipt as it stands in a file: one that came through standard output ends in a line end.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ReceiptDenied> {
    let text = std::str::from_utf8(bytes).map_err(|_| ReceiptDenied::NotText)?;
    Ok(text.strip_suffix('\n').unwrap_or(text))
}

fn judge(store: &Store, known: &Verifiers, receipt: &Receipt, now: u64) -> Result<ReceiptTaken, ReceiptDenied> {
    let contents = receipt.contents();
    let verifier = &contents.verifier;
    if let Some(known) = known.find(verifier) {
        goes_on(known, receipt)?;
    }
    let seq = contents.seq;
    let Some(publication) = store.ledger().publications.by_seq(seq) else {
        return Err(ReceiptDenied::Publication { verifier: verifier.clone(), seq });
    };
    if publication.made.bundle.as_ref().is_none_or(|made| made.sha256 != contents.bundle.to_string()) {
        return Err(ReceiptDenied::Bundle { verifier: verifier.clone(), seq });
    }
    let (clock, skew) = (contents.issued_at.0, store.skew());
    if clock > now.saturating_add(skew) {
        return Err(ReceiptDenied::Clock { verifier: verifier.clone(), clock, skew });
    }
    // A verifier knows a key by its kid in tokens, and may know it by two.
    let mut used: BTreeMap<String, u64> = BTreeMap::new();
    for (kid, at) in &contents.kids {
        if let (Some(key), Some(at)) = (known_as(store, kid), at) {
            let newest = used.entry(key.kid.clone()).or_insert(at.0);
            *newest = (*newest).max(at.0);
        }
    }
    Ok(ReceiptTaken {
        verifier: verifier.clone(),
        counter: contents.counter,
        sha256: receipt.digest().to_string(),
        previous: contents.previous.map(|previous| previous.to_string()),
        root_version: contents.root_version,
        seq,
        installed_at: contents.installed_at.0,
        loaded_at: contents.loaded_at.map(|at| at.0),
        clock,
        used,
    })
}

/// Whether a receipt goes on from those taken. What does not is a copy of one, one that was late on
/// its way, or the word of a machine that has forgotten what it said.
fn goes_on(known: &VerifierRecord, receipt: &Receipt) -> Result<(), ReceiptDenied> {
    let Some(last) = known.last().map(|last| &last.taken) else { return Ok(()) };
    let contents = receipt.contents();
    let (verifier, counter) = (known.name.clone(), contents.counter);
    let fork = ReceiptDenied::Fork { verifier: verifier.clone(), counter, last: last.counter };
    let Ok(digest) = last.sha256.parse() else { return Err(fork) };
    match receipt.check_after(last.counter, &digest) {
        Ok(()) if contents.seq < last.seq => return Err(fork),
        Ok(()) => return Ok(()),
        Err(Fault::Counter { .. }) => {}
        Err(Fault::Fork { .. }) => return Err(fork),
        Err(fault) => return Err(fault.into()),
    }
    let own = receipt.digest().to_string();
    let numbered = |wanted: u64| known.receipts.iter().find(move |one| one.taken.counter == wanted);
    if let Some(same) = numbered(counter) {
        return Err(match same.taken.sha256 == own {
            true => ReceiptDenied::Replay { verifier, counter, at: same.at },
            false => fork,
        });
    }
    let previous = contents.previous.map(|previous| previous.to_string());
    let follows = numbered(counter.saturating_sub(1)).is_none_or(|one| Some(&one.taken.sha256) == previous.as_ref());
    let is_followed = numbered(counter.saturating_add(1)).is_none_or(|one| one.taken.previous.as_ref() == Some(&own));
    let next = known.receipts.iter().find(|one| one.taken.counter > counter);
    let is_earlier = next.is_none_or(|one| contents.issued_at.0 <= one.taken.clock && contents.seq <= one.taken.seq);
    if follows && is_followed && is_earlier {
        return Err(ReceiptDenied::Late { verifier, counter, last: last.counter });
    }
    Err(fork)
}
