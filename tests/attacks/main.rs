//! Attacks on the command and the store, each beside a well-formed twin that passes.
//! Those on tokens and key sets are the verifier's: `src/verify/tests/`. All of them stand on one page,
//! `docs/auditor/attacks.md`, which [`page`] holds against the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod anchor;
mod display;
mod display_of_journals;
mod exchanged;
mod files;
mod inventory;
mod page;
mod place;
mod store;
mod threats;
