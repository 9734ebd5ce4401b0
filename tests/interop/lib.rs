//! What the interop tests share: the real `coldsign` binary, a store of it, and stock verifiers to put its product before.
//!
//! The promise under test is that verifiers nobody changed for us accept our tokens with our published
//! files, and refuse each tampered twin. So nothing here verifies anything itself, and nothing of
//! coldsign is linked in, save in `tests/differential`, where our verifier is one of two judges.
//! `tests/` holds one file a world, `python/` and `node/` what has to run there.
//! Every server is bound to 127.0.0.1 and ends with its script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test harness: a panic is a failed test")]

mod appliance;
mod binary;
mod gate;
mod libraries;
mod packages;
mod skipped;
mod token;
mod trial;

pub use appliance::{Appliance, Publication, only_file};
pub use binary::target_folder;
pub use gate::Gate;
pub use libraries::{ALGORITHMS, Specimens, Twin};
pub use packages::{Node, OwnFolder, Python, folder_of_its_own, node_modules, on_path};
pub use skipped::skip;
pub use token::Token;
pub use trial::{Trial, Verdict, run};
