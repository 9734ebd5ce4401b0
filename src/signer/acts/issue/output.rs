//! Tokens leave: their files, and the journal's word on which got out.

use super::Issued;
use crate::acts::Session;
use crate::issuing::record::{TokenDelivered, TokenUndelivered};
use crate::journal::Event;
use crate::refusal::Refusal;
use crate::storage::{Outbox, StorageFault};

/// Writes the tokens' files; records which got out. A file that fails ends it.
///
/// # Errors
/// The first file's fault, after it and those behind it are recorded as undelivered.
pub fn deliver(session: &mut Session, issued: &[Issued], outbox: &Outbox) -> Result<(), Refusal> {
    deliver_or(session, issued, outbox, None)
}

/// As [`deliver`]; `again` is the command that goes on where a file failed.
pub(in crate::acts) fn deliver_or(
    session: &mut Session,
    issued: &[Issued],
    outbox: &Outbox,
    again: Option<String>,
) -> Result<(), Refusal> {
    let mut fault: Option<StorageFault> = None;
    let mut delivered = 0;
    for token in issued {
        match outbox.create_file(&token.file.name, token.file.contents.as_bytes()) {
            Ok(()) => delivered += 1,
            Err(failed) => {
                fault = Some(failed);
                break;
            }
        }
    }
    settle(session, issued, delivered, fault, again)
}

/// Records that the first so many tokens got out, and the others did not where something failed; then
/// `again` is the command that goes on.
///
/// # Errors
/// [`Undelivered`] with the fault, or as the store refuses.
pub(in crate::acts) fn settle(
    session: &mut Session,
    issued: &[Issued],
    delivered: usize,
    fault: Option<StorageFault>,
    again: Option<String>,
) -> Result<(), Refusal> {
    let (out, held) = issued.split_at(delivered);
    confirm(session, out, held)?;
    let Some(fault) = fault else { return Ok(()) };
    let held = held.iter().map(|token| token.subject.clone()).collect();
    Err(Undelivered { fault, out: out.len(), held, again }.into())
}

/// Records which tokens got out and which did not.
///
/// # Errors
/// As the store refuses: their delivery then stays unconfirmed.
pub fn confirm(session: &mut Session, out: &[Issued], held: &[Issued]) -> Result<(), Refusal> {
    let jtis = |tokens: &[Issued]| tokens.iter().map(|token| token.jti.clone()).collect();
    // A line of the journal has an end: a thousand ids are 25 KiB.
    const AT_ONCE: usize = 1_000;
    let mut lines = Vec::new();
    lines.extend(out.chunks(AT_ONCE).map(|some| TokenDelivered { jtis: jtis(some) }.line()));
    lines.extend(held.chunks(AT_ONCE).map(|some| TokenUndelivered { jtis: jtis(some) }.line()));
    session.record(&lines)
}

/// Tokens that are signed and recorded, but whose file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Undelivered {
    /// What the system said.
    pub fault: StorageFault,
    /// How many got out before.
    pub out: usize,
    /// Whose did not.
    pub held: Vec<String>,
    /// The command that goes on, where one does.
    pub again: Option<String>,
}

impl crate::refusal::Refuse for Undelivered {
    fn rule(&self) -> Option<&'static str> {
        Some("TOKEN-UNDELIVERED")
    }

    fn why(&self) -> Vec<String> {
        vec![
            format!("written: {}", self.out),
            format!("not written, and recorded so: {}", self.held.join(", ")),
            "nobody has them, but a part of a file may be out: they count as issued until they expire".to_owned(),
            "issue them again when there is room".to_owned(),
        ]
    }

    fn hint(&self) -> Option<String> {
        self.again.clone()
    }
}
