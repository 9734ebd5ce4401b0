//! What an operator does, one file an act.
//!
//! An act gathers nothing, prints nothing and reads no clock: it is given a request and the time,
//! does one thing to the store, and says what it did. Reading acts take a [`Store`]; acts that
//! change something take a [`Session`], which holds the lock and the opened secrets. Between the two
//! is [`Unlocked`]: opened, and vouched for by the unlock's own file, without the lock.

pub mod backup;
pub mod check;
pub mod clock;
pub mod cutover;
mod denied;
pub mod doctor;
pub mod emergency;
pub mod files;
pub mod foreign;
pub mod found;
pub mod history;
pub mod init;
pub mod inspect;
pub mod issue;
pub mod journal;
pub mod keys;
mod ledger;
pub mod lookalikes;
pub mod policy;
pub mod publications;
pub mod publish;
mod replacements;
pub mod revocations;
pub mod root;
pub mod rotate;
mod series;
mod session;
mod sheet;
pub mod status;
mod store;
mod sweep;
pub mod tokens;
pub mod told;
pub mod unlock;
pub mod verifiers;
pub mod verify;

pub use clock::{ClockDenied, RELEASED};
pub use denied::{Denied, path_word, shell_word};
pub use ledger::Ledger;
pub use series::series;
pub use session::{Session, Unlocked};
pub use sheet::StoreSheet;
pub use store::Store;
pub use sweep::{QUARANTINE, Swept};
