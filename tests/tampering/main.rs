//! The attacker's regime: whoever writes a store's files gets nothing signed that they chose.
//!
//! Every file × everything that can be put in its place × every act: refused, or harmless and named.
//! `cargo test` tries a sample, `just tampering` all of it (`TAMPERING=all`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was tried is a report")]

mod acts;
mod ahead;
mod changes;
mod forge;
mod forged;
mod ground;
mod judge;
mod matrix;
mod pen;
mod removed;
mod tree;
