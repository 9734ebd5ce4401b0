//! FlowKit's `user_claims`: padded standard base64 of gzip of JSON.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use serde_json::Value;

/// RFC 1952 §2.3.1: operating system unknown.
const UNKNOWN_SYSTEM: u8 = 255;

/// Why `user_claims` can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not padded standard base64.
    #[error("user_claims is not padded standard base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Not gzip, or cut off.
    #[error("user_claims is not gzip: {0}")]
    Gzip(#[from] std::io::Error),
    /// More than the limit.
    #[error("user_claims unpacks to more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Not JSON.
    #[error("user_claims does not hold JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Compresses claims; the same claims always give the same text.
pub fn compress(claims: &Value) -> String {
    let json = claims.to_string();
    let mut gzip = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::best());
    // Writing into memory has no failure of its own.
    let packed = gzip.write_all(json.as_bytes()).and_then(|()| gzip.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

/// Reads compressed claims back; never unpacks more than `limit` bytes.
pub fn decompress(text: &str, limit: u64) -> Result<Value, Unreadable> {
    // Python's base64.encodebytes, which FlowAuth uses, breaks lines.
    let joined: String = text.split(['\n', '\r']).collect();
    let packed = STANDARD.decode(joined)?;
    let mut json = Vec::new();
    MultiGzDecoder::new(packed.as_slice()).take(limit.saturating_add(1)).read_to_end(&mut json)?;
    if u64::try_from(json.len()).map_or(true, |length| length > limit) {
        return Err(Unreadable::TooLarge { limit });
    }
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_header_names_no_time_and_no_system() {
        let packed = STANDARD.decode(compress(&json!({ "analyst": ["run"] }))).unwrap();
        assert_eq!(packed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = compress(&json!("0".repeat(1 << 24)));
        assert!(bomb.len() < 1 << 16);
        // Without its end: whoever unpacked it all would find it cut off instead.
        let mut packed = STANDARD.decode(bomb).unwrap();
        packed.truncate(packed.len() - 8);
        let endless = STANDARD.encode(packed);
        assert!(matches!(decompress(&endless, 65_536), Err(Unreadable::TooLarge { limit: 65_536 })));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_refused() {
        let whole = compress(&json!({ "a": ["b"] }));
        assert!(matches!(decompress("***", 100), Err(Unreadable::Base64(_))));
        assert!(matches!(decompress("AAAA", 100), Err(Unreadable::Gzip(_))));
        assert!(matches!(decompress(&whole[..16], 100), Err(Unreadable::Gzip(_))));
        assert!(matches!(decompress(&STANDARD.encode(gzip(b"{")), 100), Err(Unreadable::Json(_))));
    }

    #[test]
    fn broken_lines_are_joined() {
        let whole = compress(&json!({ "a": ["b"] }));
        let broken = format!("{}\n{}\n", &whole[..8], &whole[8..]);
        assert_eq!(decompress(&broken, 100).unwrap(), json!({ "a": ["b"] }));
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    proptest! {
        #[test]
        fn round_trip(roles in prop::collection::btree_map("[a-z_]{1,12}", prop::collection::btree_set("[!-~]{1,40}", 0..20), 0..5)) {
            let claims = json!(roles);
            prop_assert_eq!(decompress(&compress(&claims), 1 << 20).unwrap(), claims);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = decompress(&text, 1000);
        }
    }
}
