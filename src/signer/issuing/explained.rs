//! A token's claims in words people read: for inspection, never for a decision.

use coldsign_verify::UnixTime;
use serde_json::{Map, Value};

use super::flowkit;

/// The most that `user_claims` may unpack to when shown, in bytes.
const LONGEST_USER_CLAIMS: u64 = 1 << 20;

/// What each claim of a decoded payload says.
///
/// The payload may come from anybody: every value is shown as found, and who prints it escapes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Claims in words: name, meaning; in the payload's order.
    pub lines: Vec<(String, String)>,
    /// `user_claims`, unpacked.
    pub user_claims: Option<Value>,
}

impl Explained {
    /// Explains the claims as seen at `now`.
    pub fn claims(claims: &Map<String, Value>, now: UnixTime) -> Self {
        let mut user_claims = None;
        let mut lines = Vec::new();
        for (name, value) in claims {
            let words = match name.as_str() {
                "user_claims" => {
                    let (words, unpacked) = unpacked(value);
                    user_claims = unpacked;
                    words
                }
                "exp" => time(value, now, "expires", "expired"),
                "nbf" => time(value, now, "valid from", "valid since"),
                "iat" => time(value, now, "issued (in the future)", "issued"),
                _ => shown(value),
            };
            lines.push((name.clone(), words));
        }
        Self { lines, user_claims }
    }
}

fn time(value: &Value, now: UnixTime, ahead: &str, behind: &str) -> String {
    match value.as_u64() {
        Some(at) if at > now.0 => format!("{ahead} {}", UnixTime(at)),
        Some(at) => format!("{behind} {}", UnixTime(at)),
        None => format!("{} (not a time: a whole number of seconds is needed)", shown(value)),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn unpacked(value: &Value) -> (String, Option<Value>) {
    let Some(text) = value.as_str() else {
        return ("not compressed: FlowAPI answers 500 to it".to_owned(), Some(value.clone()));
    };
    match flowkit::decompress(text, LONGEST_USER_CLAIMS) {
        Ok(Value::Object(roles)) => (
            format!("roles of FlowKit: {}", roles.keys().cloned().collect::<Vec<_>>().join(", ")),
            Some(Value::Object(roles)),
        ),
        Ok(other) => ("unpacks to something else than roles".to_owned(), Some(other)),
        Err(fault) => (format!("unreadable: {fault}"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_roles_and_oddities_are_told() {
        let claims = json!({
            "exp": 2_000_000_000_u64, "iat": 1_000_000_000, "nbf": "soon", "sub": "ward7",
            "user_claims": flowkit::compress(&json!({ "analyst": ["run"] })),
        });
        let explained = Explained::claims(claims.as_object().unwrap(), UnixTime(1_800_000_000));
        let words = |name: &str| explained.lines.iter().find(|(known, _)| known == name).unwrap().1.clone();
        assert_eq!(words("exp"), "expires 2033-05-18T03:33:20Z");
        assert_eq!(words("iat"), "issued 2001-09-09T01:46:40Z");
        assert_eq!(words("nbf"), "soon (not a time: a whole number of seconds is needed)");
        assert_eq!(words("sub"), "ward7");
        assert_eq!(words("user_claims"), "roles of FlowKit: analyst");
        assert_eq!(explained.user_claims, Some(json!({ "analyst": ["run"] })));
    }
}
