//! Looking into a token without believing it: every part is shown as far as it can be.

use serde_json::Value;

use super::compact::{self, LONGEST_TOKEN, Malformed};
use crate::base64url;
use crate::json::{self, JsonError};

/// Beyond this many bytes no part is decoded.
pub const LONGEST_INSPECTED: usize = 64 * LONGEST_TOKEN;

/// Why one part cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartFault {
    /// The token ends before it.
    #[error("absent")]
    Absent,
    /// Longer than anything worth decoding.
    #[error("not decoded: the token is {length} bytes long")]
    TooLong {
        /// The token's length.
        length: usize,
    },
    /// Not canonical unpadded base64url.
    #[error("not canonical unpadded base64url")]
    Base64Url,
    /// Decoded, but not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// What a token says, verified by nobody. Strings in it may hold anything: show them
/// through [`escape`](crate::escape).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The token's length in bytes, without blanks around it.
    pub length: usize,
    /// How many parts the dots make; a signed token has three, an encrypted one five.
    pub parts: usize,
    /// The first part as JSON.
    pub header: Result<Value, PartFault>,
    /// The second part as JSON.
    pub payload: Result<Value, PartFault>,
    /// The third part's bytes.
    pub signature: Result<Vec<u8>, PartFault>,
    /// The first reason for which [`parse`](super::parse) refuses it, if it does.
    pub malformed: Option<Malformed>,
}

/// Takes any bytes apart at the dots, blanks around them aside, and decodes what can be decoded.
pub fn inspect(token: &[u8]) -> Inspection {
    let token = token.trim_ascii();
    let malformed = match std::str::from_utf8(token) {
        Ok(text) => compact::parse(text).err(),
        Err(error) => Some(Malformed::Character { at: error.valid_up_to() }),
    };
    let mut parts = token.split(|byte| *byte == b'.').map(|part| decode(token.len(), part));
    let mut next = || parts.next().unwrap_or(Err(PartFault::Absent));
    Inspection {
        length: token.len(),
        parts: 1 + token.iter().filter(|byte| **byte == b'.').count(),
        header: next().and_then(|bytes| Ok(json::parse(&bytes)?)),
        payload: next().and_then(|bytes| Ok(json::parse(&bytes)?)),
        signature: next(),
        malformed,
    }
}

fn decode(length: usize, part: &[u8]) -> Result<Vec<u8>, PartFault> {
    if length > LONGEST_INSPECTED {
        return Err(PartFault::TooLong { length });
    }
    let text = std::str::from_utf8(part).map_err(|_| PartFault::Base64Url)?;
    base64url::decode(text).map_err(|_| PartFault::Base64Url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_token_is_shown_part_by_part() {
        let seen = inspect(b" eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.\n");
        assert_eq!(seen.header, Ok(json!({"alg": "none"})));
        assert_eq!(seen.payload, Ok(json!({"sub": "a"})));
        assert_eq!(seen.signature, Ok(Vec::new()));
        assert_eq!((seen.parts, seen.length), (3, 36));
        assert_eq!(seen.malformed, Some(Malformed::Algorithm { name: "none".into() }));
    }

    #[test]
    fn each_part_names_its_own_fault() {
        let seen = inspect(b"eyJhIjoxLCJhIjoyfQ.e30=.AA.x.y");
        assert_eq!(seen.header, Err(PartFault::Json(JsonError::Duplicate { name: "a".into() })));
        assert_eq!(seen.payload, Err(PartFault::Base64Url));
        assert_eq!(seen.signature, Ok(vec![0]));
        assert_eq!(seen.parts, 5);
        let seen = inspect(b"\xff");
        assert_eq!(seen.malformed, Some(Malformed::Character { at: 0 }));
        assert_eq!((seen.header, seen.payload), (Err(PartFault::Base64Url), Err(PartFault::Absent)));
        let seen = inspect(&vec![b'.'; LONGEST_INSPECTED + 1]);
        assert_eq!(seen.header, Err(PartFault::TooLong { length: LONGEST_INSPECTED + 1 }));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = inspect(&bytes);
        }

        #[test]
        fn whatever_parses_shows_no_fault(payload in prop::collection::vec(any::<u8>(), 0..50)) {
            let token = format!("eyJhbGciOiJFZERTQSJ9.{}.AA", base64url::encode(&payload));
            let seen = inspect(token.as_bytes());
            prop_assert_eq!(seen.malformed, None);
            prop_assert_eq!(seen.payload.is_ok(), json::parse(&payload).is_ok());
        }
    }
}
