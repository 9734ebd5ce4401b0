//! What a token of the journal says, worked out anew from the policy under which it was issued.

use super::denied::{Asked, Denied};
use super::draft::{Claims, Grant, Request, Times, find};
use super::flowkit;
use super::policy::Policy;
use super::profiles;
use super::record::TokenIssued;
use coldsign_verify::Profile;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The most that a token's compressed claims may unpack to, in bytes.
const LARGEST_USER_CLAIMS: u64 = 1 << 20;

/// The scopes of a token: its roles', or those it was narrowed to; sorted.
///
/// # Errors
/// [`Denied`] where that policy has no such service or role: it can't be the one of the issue.
pub fn scopes(policy: &Policy, issued: &TokenIssued) -> Result<BTreeSet<String>, Denied> {
    let (_, roles) = find(policy, &Asked::from(&request(issued)))?;
    let narrowed = narrowed(issued);
    let all = roles.iter().flat_map(|role| role.scopes.iter());
    Ok(all.filter(|scope| narrowed.is_empty() || narrowed.contains(scope)).cloned().collect())
}

/// The claims of a token, FlowKit's `user_claims` unpacked.
///
/// # Errors
/// As [`scopes`].
pub fn claims(policy: &Policy, issuer: &str, issued: &TokenIssued) -> Result<Map<String, Value>, Denied> {
    let request = self::request(issued);
    let asked = Asked::from(&request);
    let (service, roles) = find(policy, &asked)?;
    let times = Times { issued_at: issued.iat, not_before: issued.nbf, expires_at: issued.exp };
    let grant = Grant { service, roles: &roles, request: &request, asked: &asked, issuer, jti: &issued.jti, times };
    let mut claims = Claims::default();
    profiles::lay_out(&grant, &mut claims)?;
    let mut claims = claims.into_draft(&grant).claims_map();
    if service.profile == Profile::FlowKit
        && let Some(packed) = claims.get("user_claims").and_then(Value::as_str)
        && let Ok(readable) = flowkit::decompress(packed, LARGEST_USER_CLAIMS)
    {
        claims.insert("user_claims".to_owned(), readable);
    }
    // What the journal says itself outranks what is worked out.
    claims.extend(issued.claims.clone());
    Ok(claims)
}

/// The request that would have led to that token, its times aside.
pub fn request(issued: &TokenIssued) -> Request {
    let cnf_jkt = issued.claims.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
    Request {
        known_subject: true,
        service: issued.service.clone(),
        roles: issued.roles.clone(),
        subject: issued.sub.clone(),
        lifetime: None,
        not_before: None,
        scopes: narrowed(issued),
        details: issued.claims.get("authorization_details").cloned(),
        cut_off: None,
        cnf_jkt: cnf_jkt.map(str::to_owned),
    }
}

/// The scopes that were asked for; none where the roles' stood as they were.
fn narrowed(issued: &TokenIssued) -> Vec<String> {
    let words = |value: &Value| value.as_str().map(|text| text.split(' ').map(str::to_owned).collect());
    let of_roles = |value: &Value| {
        let lists = value.as_object()?.values().filter_map(Value::as_array).flatten();
        Some(lists.filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let scope = issued.claims.get("scope").and_then(words);
    scope.or_else(|| issued.claims.get("user_claims").and_then(of_roles)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuing::draft;
    use coldsign_verify::UnixTime;
    use serde_json::json;

    const POLICY: &str = include_str!("../../../tests/scenarios/policy.toml");
    const ISSUER: &str = "https://tokens.example";

    /// As `token issue` drafts and journals it.
    fn issued(policy: &Policy, service: &str, role: &str, scopes: &[&str]) -> (TokenIssued, Map<String, Value>) {
        let request = Request {
            service: service.to_owned(),
            roles: vec![role.to_owned()],
            subject: "ann".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..Request::default()
        };
        let draft = draft(policy, ISSUER, &request, UnixTime(1_800_000_000), "some-jti").unwrap();
        let issued = TokenIssued {
            jti: draft.jti.clone(),
            service: service.to_owned(),
            roles: vec![role.to_owned()],
            sub: "ann".to_owned(),
            kid: "k".to_owned(),
            policy: String::new(),
            iat: draft.issued_at.0,
            nbf: draft.not_before.0,
            exp: draft.expires_at.0,
            token_sha256: String::new(),
            claims: draft.undetermined.clone(),
            form: "raw".to_owned(),
            reason: None,
            stands_for: None,
        };
        (issued, draft.claims_map())
    }

    #[test]
    fn each_token_is_recalled_as_it_was_drafted() {
        let policy = Policy::parse(POLICY).unwrap();
        for (service, role, scopes) in [
            ("api", "reader", &[][..]),
            ("api", "writer", &["data:read"]),
            ("flowkit", "analyst", &[]),
            ("flowkit", "analyst", &["run"]),
            ("study", "client", &[]),
            ("registry", "pull", &[]),
        ] {
            let (issued, mut drafted) = issued(&policy, service, role, scopes);
            if let Some(packed) = drafted.get("user_claims").and_then(Value::as_str) {
                let readable = flowkit::decompress(packed, 1 << 20).unwrap();
                drafted.insert("user_claims".to_owned(), readable);
            }
            assert_eq!(claims(&policy, ISSUER, &issued).unwrap(), drafted, "{service}/{role} {scopes:?}");
        }
    }

    #[test]
    fn a_narrowed_token_has_no_more_than_it_was_narrowed_to() {
        let policy = Policy::parse(POLICY).unwrap();
        let scopes = |service, role, asked: &[&str]| {
            scopes(&policy, &issued(&policy, service, role, asked).0).unwrap().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(scopes("api", "writer", &[]), ["data:read", "data:write"]);
        assert_eq!(scopes("api", "writer", &["data:read"]), ["data:read"]);
        assert_eq!(scopes("flowkit", "analyst", &["run"]), ["run"]);
        assert_eq!(scopes("study", "client", &[]), [""; 0]);
        let (mut foreign, _) = issued(&policy, "api", "reader", &[]);
        foreign.roles = vec!["gone".to_owned()];
        assert!(super::scopes(&policy, &foreign).is_err());
        assert_eq!(issued(&policy, "api", "reader", &[]).1["scope"], json!("data:read"));
    }
}
