//! What takes months or years, with the time as a parameter: a store's life, its clocks, keys and
//! roots, and what verifiers make of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod clock;
mod imported;
mod life;
mod office;
mod policies;
mod receipts;
mod revocation;
mod roots;
mod rotation;
mod trust;
