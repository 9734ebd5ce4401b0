//! coldsign: an offline signing appliance for access tokens.
//!
//! The house, each floor using only those below it (kept so by `tests/house.rs`):
//!
//! | floor | owns |
//! | --- | --- |
//! | `bin` (in the binary) | commands: gather, one act, print; alone reads clock, terminal, environment |
//! | [`acts`] | what an operator does, one file an act |
//! | [`issuing`], [`publishing`] | policy, profiles, claims · JWKS, certificates, pages; neither sees the other |
//! | [`rotation`] | when keys change hands: rules, schedule, bounds |
//! | [`keystore`] | private keys, their sealing, their states |
//! | [`journal`] | the append-only record: lines, tree, checkpoints, the commit protocol |
//! | [`storage`] | files: atomic, bounded, locked |
//!
//! [`refusal`] is the word every floor speaks. The formats are in `docs/formats/`.

pub mod acts;
pub mod issuing;
pub mod journal;
pub mod keystore;
pub mod publishing;
pub mod refusal;
pub mod rotation;
pub mod storage;
