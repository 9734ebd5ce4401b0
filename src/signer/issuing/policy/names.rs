//! Names: keysets, services, verifiers, roles, scopes and claims.

use coldsign_verify::receipt::is_verifier_name;

pub(super) use crate::journal::names::{is_plain, is_role};

use super::fault::Rule;
use super::section::{Report, Section};

/// The longest claim name, in bytes.
const LONGEST_CLAIM: usize = 128;

/// The longest scope token, in bytes: as long as a text may be.
const LONGEST_SCOPE: usize = 255;

/// Claims that coldsign fills itself, whatever the profile: a policy can't fix them.
pub const RESERVED: [&str; 18] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "cnf",
    "status",
    "act",
    "may_act",
    "token_type",
    "type",
    "role",
    "user_claims",
    "authorization_details",
];

/// A scope token (RFC 6749 §3.3): printable ASCII without blank, quote and backslash, at most 255 bytes.
pub(super) fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope.len() <= LONGEST_SCOPE
        && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// A claim's name: a scope token's characters, at most 128 bytes.
pub(super) fn is_claim(name: &str) -> bool {
    name.len() <= LONGEST_CLAIM && is_scope(name)
}

/// A list of verifiers' names, each once.
pub(super) fn verifiers(section: &Section<'_>, field: &str, report: &mut Report) -> Vec<String> {
    let mut names = Vec::new();
    for (name, line) in section.strings(field, report).unwrap_or_default() {
        if !is_verifier_name(name) {
            let fact = format!("{name:?} can't name a verifier: a-z, 0-9 and ._-, at most 64, a letter or digit first");
            report.fault(line, Rule::Name, fact);
        }
        names.push(name.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars() {
        assert!(
            is_plain("api-2") && !is_plain("-api") && !is_plain("Api") && !is_plain("") && !is_plain(&"a".repeat(65))
        );
        assert!(is_role("Universal_role.v1:x") && !is_role("_x") && !is_role("a,b") && !is_role("a/b"));
        for flowkit in
            ["get_result&daily_location.aggregation_unit.admin3", "admin0:daily_location", "run,get_result&x"]
        {
            assert!(is_scope(flowkit));
        }
        assert!(!is_scope("a b") && !is_scope("a\"") && !is_scope("a\\") && !is_scope("") && !is_scope("é"));
        assert!(is_scope(&"a".repeat(255)) && !is_scope(&"a".repeat(256)));
    }
}
