//! When keys change hands: the arithmetic of rotation (`docs/operator/rotation.md`).
//!
//! Numbers in, dates out: no clock, no files, no printing. Everything above that decides by time
//! (the policy's own rules, `key …`, `rotate …`, publications) asks here, so that there is one
//! place to be right and one to simulate (`tests/simulation`). It lies below `issuing` and
//! `publishing`, for both of them ask it.

mod calendar;
mod confirmation;
mod cutover;
mod denied;
mod exposure;
mod plan;
pub mod record;
mod rules;
mod series;
mod timing;

pub use calendar::calendar;
pub use confirmation::{Confirmed, Installed, Verifier};
pub use cutover::Swap;
pub use denied::RotationDenied;
pub use exposure::{Bound, Reader, Withdrawn, exposure, until_expired};
pub use plan::{Act, Step, plan, publishing};
pub use rules::{Known, Out, RootTooShort, Rules, Table};
pub use series::{Key, Series};
pub use timing::Timing;

#[cfg(test)]
mod tests;
