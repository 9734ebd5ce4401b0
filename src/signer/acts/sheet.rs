//! `store.json`: what a directory is.

use super::Denied;
use crate::refusal::Refusal;
use crate::storage::{Directory, StorageFault};
use coldsign_verify::json;
use serde::{Deserialize, Serialize};

/// `store.json`, version 1 (store-v1.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSheet {
    /// `coldsign-store`.
    pub format: String,
    /// 1.
    pub version: u64,
    /// 16 random bytes, base64url.
    pub store_id: String,
    /// The `iss` of every token.
    pub issuer: String,
}

impl StoreSheet {
    /// The file's name.
    pub const FILE: &'static str = "store.json";
    /// Its `format`.
    pub const FORMAT: &'static str = "coldsign-store";
    const LARGEST: u64 = 16 << 10;

    /// Reads the sheet of a store.
    ///
    /// # Errors
    /// [`Denied::NoStore`], [`Denied::StoreVersion`], [`Denied::Damaged`].
    pub fn read(store: &Directory) -> Result<Self, Refusal> {
        let bytes = match store.read(Self::FILE, Self::LARGEST) {
            Err(StorageFault::Missing(_)) if store.has("journal") => {
                let what = "it is gone, the rest of a store is there".to_owned();
                return Err(Denied::Damaged { file: Self::FILE.to_owned(), what }.into());
            }
            Err(StorageFault::Missing(_)) => {
                return Err(Denied::NoStore(store.path().to_owned()).into());
            }
            read => read?,
        };
        let damaged = |what: String| Denied::Damaged { file: Self::FILE.to_owned(), what };
        let value = json::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        let format = value.get("format").and_then(|format| format.as_str());
        let version = value.get("version").and_then(|version| version.as_u64());
        match (format, version) {
            (Some(Self::FORMAT), Some(1)) => {}
            (Some(Self::FORMAT), Some(version)) => {
                return Err(Denied::StoreVersion(version).into());
            }
            _ => return Err(damaged("it is no store's sheet".to_owned()).into()),
        }
        serde_json::from_value(value).map_err(|error| damaged(error.to_string()).into())
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}
