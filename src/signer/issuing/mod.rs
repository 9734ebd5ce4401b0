//! What may be signed, and the claims that say it: policy, drafts of tokens, the files holders get.
//!
//! Owns `policy.toml` (normative page: `docs/formats/policy-v1.md`) and the claim layouts of the four
//! profiles. It signs nothing and reads no file, clock, terminal or random source: bytes in, bytes
//! out, so that every rule can be tested and shown by a dry run.

pub mod delivery;
pub mod denied;
pub mod draft;
pub mod explained;
pub mod flowkit;
pub mod lookalike;
pub mod policy;
mod profiles;
pub mod recall;
pub mod record;
pub mod revoked;
pub mod size;
pub mod text;

pub use denied::Denied;
pub use draft::{Draft, Request, draft};
pub use explained::Explained;
pub use policy::{Policy, PolicyFaults};
pub use size::{SizeReport, size_report};
