//! Strict parsing of a compact JWS into parts that nobody has verified yet.

use std::borrow::Cow;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::escape::escaped;
use crate::json::{self, JsonError};
use crate::jwk::LONGEST_KID;

/// The longest token parsed, in bytes.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// All that a header may have.
const MEMBERS: [&str; 3] = ["alg", "kid", "typ"];

/// Why a text is not a compact JWS as accepted here; nothing of it was believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Longer than [`LONGEST_TOKEN`].
    #[error("token is {length} bytes long, over {LONGEST_TOKEN}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A character outside `A-Z a-z 0-9 _ - .`
    #[error("token has a foreign character at byte {at}")]
    Character {
        /// Where.
        at: usize,
    },
    /// Not three parts: five would be encryption, which is never accepted.
    #[error("token has {found} parts, not 3")]
    Parts {
        /// How many there are.
        found: usize,
    },
    /// A part is not canonical base64url.
    #[error("token's {part} is not canonical unpadded base64url")]
    Base64Url {
        /// `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// The header is not a strict JSON object.
    #[error("token's header: {0}")]
    HeaderJson(JsonError),
    /// A header member other than alg, kid and typ: `crit`, `jwk`, `jku`, `b64`, `zip` and all others.
    #[error("token's header has the member \"{}\"", escaped(.name))]
    HeaderMember {
        /// Its name.
        name: String,
    },
    /// A header member that is not a string.
    #[error("token's header has an \"{name}\" that is no string")]
    HeaderType {
        /// Its name.
        name: &'static str,
    },
    /// The header names no algorithm.
    #[error("token's header lacks \"alg\"")]
    NoAlgorithm,
    /// The header's algorithm is none of [`Algorithm::ALL`].
    #[error("token's algorithm \"{}\" is not accepted", escaped(.name))]
    Algorithm {
        /// Its name.
        name: String,
    },
    /// The header's `kid` is empty or longer than 64 characters.
    #[error("token's \"kid\" has {characters} characters, not 1 to {LONGEST_KID}")]
    KidLength {
        /// Its length.
        characters: usize,
    },
}

impl Malformed {
    /// The rule's stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "TOKEN-LENGTH",
            Self::Character { .. } => "TOKEN-CHARACTER",
            Self::Parts { .. } => "TOKEN-PARTS",
            Self::Base64Url { .. } => "TOKEN-BASE64URL",
            Self::HeaderJson(_) => "TOKEN-HEADER-JSON",
            Self::HeaderMember { .. } => "TOKEN-HEADER-MEMBER",
            Self::HeaderType { .. } => "TOKEN-HEADER-TYPE",
            Self::NoAlgorithm | Self::Algorithm { .. } => "TOKEN-ALGORITHM",
            Self::KidLength { .. } => "TOKEN-KID-LENGTH",
        }
    }
}

/// The parts of a compact JWS. None of them is verified: only
/// [`Verifier::verify`](crate::Verifier::verify) leads to claims that may be believed.
#[derive(Clone, Debug)]
pub struct Compact<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    payload: Vec<u8>,
    signing_input: &'a [u8],
    signature: Vec<u8>,
}

impl Compact<'_> {
    /// The header's `alg`: what the token says, while the key decides.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The header's `kid`, 1 to 64 characters of any kind.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The header's `typ`.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// The payload's bytes, not parsed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What the signature is over: header and payload as they stand in the token.
    pub fn signing_input(&self) -> &[u8] {
        self.signing_input
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// Parses in this order: length, characters, three parts, canonical base64url, the header's
/// strict JSON, its three allowed members. The payload stays bytes, so that no JSON of a
/// token is read before its signature held.
pub fn parse(token: &str) -> Result<Compact<'_>, Malformed> {
    if token.len() > LONGEST_TOKEN {
        return Err(Malformed::TooLong { length: token.len() });
    }
    parse_of_any_length(token)
}

/// As [`parse`], for documents whose length their reader has checked.
pub(crate) fn parse_of_any_length(token: &str) -> Result<Compact<'_>, Malformed> {
    let foreign = |byte: u8| !(byte.is_ascii_alphanumeric() | matches!(byte, b'_' | b'-' | b'.'));
    // Without an early end many bytes are looked at in one step; only a bad token is asked where.
    if token.bytes().fold(false, |found, byte| found | foreign(byte)) {
        return Err(Malformed::Character { at: token.bytes().position(foreign).unwrap_or_default() });
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Malformed::Parts { found: token.split('.').count() });
    };
    let signing_input = token.as_bytes().get(..header.len() + 1 + payload.len()).unwrap_or_default();
    let decode = |part, text| base64url::decode(text).map_err(|_| Malformed::Base64Url { part });
    let header = decode("header", header)?;
    let payload = decode("payload", payload)?;
    let signature = decode("signature", signature)?;
    let (algorithm, kid, typ) = read_header(&header)?;
    Ok(Compact { algorithm, kid, typ, payload, signing_input, signature })
}

fn read_header(header: &[u8]) -> Result<(Algorithm, Option<String>, Option<String>), Malformed> {
    let members = json::members(header).map_err(Malformed::HeaderJson)?;
    // Of several foreign members the first by name is told, in whatever order they stand.
    let foreign = members.iter().map(|member| &member.name).filter(|name| !MEMBERS.contains(&name.as_ref())).min();
    if let Some(name) = foreign {
        return Err(Malformed::HeaderMember { name: name.clone().into_owned() });
    }
    let [algorithm, kid, typ] = MEMBERS.map(|name| match members.iter().find(|member| member.name == name) {
        None => Ok(None),
        Some(member) => member.string().map(Some).ok_or(Malformed::HeaderType { name }),
    });
    let (algorithm, kid, typ) = (algorithm?, kid?, typ?);
    let name = algorithm.ok_or(Malformed::NoAlgorithm)?;
    let algorithm = name.parse().map_err(|_| Malformed::Algorithm { name: name.into_owned() })?;
    if let Some(kid) = &kid {
        let characters = kid.chars().count();
        if characters == 0 || characters > LONGEST_KID {
            return Err(Malformed::KidLength { characters });
        }
    }
    Ok((algorithm, kid.map(Cow::into_owned), typ.map(Cow::into_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_header(header: &str) -> String {
        format!("{}.e30.AA", base64url::encode(header.as_bytes()))
    }

    fn refusal(token: &str) -> Malformed {
        parse(token).map(|_| ()).unwrap_err()
    }

    #[test]
    fn shape_comes_first() {
        assert_eq!(refusal(&".".repeat(1_000_000)), Malformed::TooLong { length: 1_000_000 });
        assert_eq!(refusal(&".".repeat(LONGEST_TOKEN)), Malformed::Parts { found: LONGEST_TOKEN + 1 });
        assert_eq!(refusal(""), Malformed::Parts { found: 1 });
        assert_eq!(refusal("a.b"), Malformed::Parts { found: 2 });
        assert_eq!(refusal("a.b.c.d.e"), Malformed::Parts { found: 5 });
        assert_eq!(refusal("a.b.c\n"), Malformed::Character { at: 5 });
        assert_eq!(refusal(" a.b.c"), Malformed::Character { at: 0 });
        assert_eq!(refusal("a=.b.c"), Malformed::Character { at: 1 });
        assert_eq!(refusal("{\"payload\":\"\"}"), Malformed::Character { at: 0 });
        assert_eq!(refusal("é.b.c"), Malformed::Character { at: 0 });
    }

    #[test]
    fn each_part_is_canonical() {
        let good = with_header(r#"{"alg":"EdDSA"}"#);
        assert!(parse(&good).is_ok());
        assert_eq!(refusal("e30A.e30.A"), Malformed::Base64Url { part: "signature" });
        assert_eq!(refusal(&good.replace(".AA", ".AB")), Malformed::Base64Url { part: "signature" });
        assert_eq!(refusal(&good.replace(".e30.", ".e31.")), Malformed::Base64Url { part: "payload" });
        assert_eq!(refusal("A.e30.AA"), Malformed::Base64Url { part: "header" });
    }

    #[test]
    fn the_header_is_held_to_three_strings() {
        for (header, expected) in [
            (r#"{"alg":"none"}"#, Malformed::Algorithm { name: "none".into() }),
            (r#"{"alg":"eddsa"}"#, Malformed::Algorithm { name: "eddsa".into() }),
            (r#"{"alg":""}"#, Malformed::Algorithm { name: String::new() }),
            (r#"{"alg":null}"#, Malformed::HeaderType { name: "alg" }),
            (r#"{"alg":["EdDSA"]}"#, Malformed::HeaderType { name: "alg" }),
            (r#"{"alg":"EdDSA","kid":null}"#, Malformed::HeaderType { name: "kid" }),
            (r#"{"alg":"EdDSA","kid":1}"#, Malformed::HeaderType { name: "kid" }),
            (r#"{"alg":"EdDSA","typ":null}"#, Malformed::HeaderType { name: "typ" }),
            (r#"{"alg":"EdDSA","kid":""}"#, Malformed::KidLength { characters: 0 }),
            (r#"{"kid":"a"}"#, Malformed::NoAlgorithm),
            (r#"{"alg":"EdDSA","crit":["bork"]}"#, Malformed::HeaderMember { name: "crit".into() }),
            // Of several the first by name is told, wherever it stands.
            (r#"{"zip":1,"alg":1,"b64":2}"#, Malformed::HeaderMember { name: "b64".into() }),
            (r#"{"\u0061lg":"\u006eone"}"#, Malformed::Algorithm { name: "none".into() }),
            (r#"{"alg":"EdDSA","ALG":"none"}"#, Malformed::HeaderMember { name: "ALG".into() }),
            (r#"{"alg":"EdDSA","alg":"none"}"#, Malformed::HeaderJson(JsonError::Duplicate { name: "alg".into() })),
            ("[]", Malformed::HeaderJson(JsonError::NotAnObject)),
            ("", Malformed::HeaderJson(JsonError::Syntax { at: 0 })),
        ] {
            assert_eq!(refusal(&with_header(header)), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn no_token_like_text_panics(header: Vec<u8>, rest in "[A-Za-z0-9_.-]{0,40}") {
            let _ = parse(&format!("{}.{rest}", base64url::encode(&header)));
        }
    }
}
