//! How long a token is, and what makes it so.

use super::denied::Denied;
use super::draft::{Draft, member};

/// From here on a token is likely to be cut on its way: many proxies allow 4 to 8 KiB of headers.
pub const LARGE: usize = 2_048;

/// What takes a token's space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeReport {
    /// The token's length.
    pub bytes: usize,
    /// The service's limit.
    pub limit: usize,
    /// Claims, and `header and signature`, with their share of the token; the largest first.
    pub parts: Vec<(String, usize)>,
}

impl SizeReport {
    /// Whether the service takes it.
    pub fn fits(&self) -> bool {
        self.bytes <= self.limit
    }

    /// A warning for a token over [`LARGE`], a sentence without a full stop.
    pub fn warning(&self) -> Option<String> {
        let (largest, bytes) = self.parts.first()?;
        (self.bytes > LARGE).then(|| {
            format!("the token has {} bytes ({largest}: {bytes}): some proxies cut headers from 4 KiB on", self.bytes)
        })
    }
}

/// Measures a token of `token_len` bytes that was made from the draft.
pub fn size_report(draft: &Draft, token_len: usize) -> SizeReport {
    // Base64 writes three bytes as four characters; a comma or brace goes with each member.
    let share = |bytes: usize| bytes.saturating_add(1).saturating_mul(4).div_ceil(3);
    let mut parts: Vec<(String, usize)> =
        draft.claims.iter().map(|(name, value)| (name.clone(), share(member(name, value).len()))).collect();
    let claims: usize = draft.claims_json.len().saturating_mul(4).div_ceil(3);
    parts.push(("header and signature".to_owned(), token_len.saturating_sub(claims)));
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    SizeReport { bytes: token_len, limit: draft.max_token_bytes.0, parts }
}

/// Refuses a token that its service wouldn't take; otherwise its measures.
pub fn check(draft: &Draft, token_len: usize) -> Result<SizeReport, Denied> {
    let report = size_report(draft, token_len);
    if report.fits() {
        return Ok(report);
    }
    let (limit, line) = draft.max_token_bytes;
    Err(Denied::Size { asked: draft.asked.clone().into(), bytes: token_len, limit, parts: report.parts, line })
}
