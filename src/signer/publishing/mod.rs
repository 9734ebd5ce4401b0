//! Public material: the numbered folders that services install from.
//!
//! Owns the publication folder (`docs/formats/publication-v1.md`): `service.json`, the key files in
//! every form a service may want, certificates over token keys, the pages for people, `SHA256SUMS`.
//! Bytes in, bytes out: no files, clock, randomness or environment here, and never a private key:
//! its inputs hold [`coldsign_verify::PublicKey`], which can't carry one.

mod bundle;
pub mod certificate;
mod der;
mod difference;
mod distribution;
mod environment;
mod fault;
mod fingerprint;
mod key_files;
mod manifest;
mod material;
mod page;
mod publication;
pub mod record;
mod revoked;
pub mod roots;
mod sheet;
mod snippets;
#[cfg(test)]
mod test_keys;

pub use bundle::{Draft, Head, draft};
pub use certificate::libtrust_kid;
pub use difference::{Change, Substance, difference};
pub use fault::PublishFault;
pub use fingerprint::{fingerprint, grouped_hex};
pub use manifest::{Difference, verify_folder};
pub use material::{Consumer, Export, PublishedKey, ServiceMaterial};
pub use publication::{Publication, build, folder_name, for_swap};
pub use sheet::{ServiceSheet, SheetFault};
pub use snippets::{PageBlock, Snippet, snippets, snippets_in};
