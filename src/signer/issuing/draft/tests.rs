//! Layouts exactly as the format page has them, and each refusal.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::issuing::{flowkit, size};
use crate::refusal::Refuse;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

const POLICY: &str = r#"format = "coldsign-policy"
version = 1
[keysets.k]
algorithm = "EdDSA"
[keysets.f]
algorithm = "ES256"
[keysets.r]
algorithm = "RS256"

[services.api]
keyset = "k"
audience = "https://api.example.org"
[services.api.roles.reader]
scopes = ["data:read", "data:list"]
longest_lifetime = "7d"
longest_horizon = "30d"
groups = ["analysts"]
claims = { tenant = "north", level = 3, me = { from = "subject" } }
[services.api.roles.writer]
scopes = ["data:write", "data:read"]
groups = ["editors"]
permissions = ["p"]
claims = { tenant = "north" }
[services.api.roles.southern]
claims = { tenant = "south" }
[services.api.roles.picker]
details = [
  { type = "result", actions = ["read", "list"], identifier = { from = "request" } },
  { type = "table", rows = 5 },
]
[services.api.roles.table]
details = [{ type = "table", rows = 5 }]

[services.fed]
profile = "fedn"
keyset = "f"
custom_claim = { name = "project", value = "x" }
[services.fed.roles.client]
claims = { sites = ["a"] }
[services.fed.roles.admin]

[services.flow]
profile = "flowkit"
keyset = "r"
audience = "flowapi"
[services.flow.roles.analyst]
scopes = ["run", "daily_location:admin3"]
[services.flow.roles.viewer]
scopes = ["get_result"]
longest_lifetime = "1d"

[services.proxy]
profile = "plain"
keyset = "k"
audience = "proxy"
max_token_bytes = 512
[services.proxy.roles.pull]
claims = { access = [{ type = "repository", name = "base", actions = ["pull"] }] }
"#;

fn policy() -> Policy {
    Policy::parse(POLICY).unwrap()
}

fn request(service: &str, roles: &[&str]) -> Request {
    Request {
        service: service.into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        subject: "ward7".into(),
        ..Request::default()
    }
}

fn drafted(request: &Request) -> Result<Draft, Denied> {
    draft(&policy(), "https://signer.example.org", request, UnixTime(NOW), "jti-1")
}

fn refused(request: &Request) -> (&'static str, String, Option<String>) {
    let denied = drafted(request).unwrap_err();
    (denied.rule().unwrap(), denied.why().join("; "), denied.hint())
}

fn line_of(text: &str) -> usize {
    POLICY.lines().position(|line| line.starts_with(text)).unwrap() + 1
}

#[test]
fn rfc9068_union_of_roles() {
    let draft = drafted(&request("api", &["reader", "writer"])).unwrap();
    assert_eq!(
        String::from_utf8(draft.claims_json.clone()).unwrap(),
        "{\"iss\":\"https://signer.example.org\",\"sub\":\"ward7\",\"aud\":\"https://api.example.org\",\
         \"exp\":1800043200,\"nbf\":1799999940,\"iat\":1799999940,\"jti\":\"jti-1\",\"client_id\":\"ward7\",\
         \"scope\":\"data:list data:read data:write\",\"groups\":[\"analysts\",\"editors\"],\"permissions\":[\"p\"],\
         \"level\":3,\"me\":\"ward7\",\"tenant\":\"north\"}"
    );
    assert_eq!((draft.typ, draft.keyset.as_str()), ("at+jwt", "k"));
    let free: Vec<&String> = draft.undetermined.keys().collect();
    assert_eq!(free, ["exp", "iat", "jti", "nbf", "sub"]);
    assert_eq!(draft.reasons.len(), draft.claims.len());
    assert!(
        draft.reasons.iter().any(|r| r.claim == "aud" && r.why.ends_with(&format!("line {}", line_of("audience"))))
    );
    assert_eq!(Value::Object(draft.claims_map()), serde_json::from_slice::<Value>(&draft.claims_json).unwrap());
}

#[test]
fn the_claims_drafted_are_told_from_all_others() {
    let draft = drafted(&request("api", &["reader"])).unwrap();
    assert!(draft.is_of(&draft.claims_map()));
    for (name, _) in &draft.claims {
        let mut claims = draft.claims_map();
        claims[name] = Value::Null;
        assert!(!draft.is_of(&claims), "{name} is another");
        claims.remove(name);
        assert!(!draft.is_of(&claims), "{name} is missing");
        claims.insert("more".to_owned(), Value::Null);
        assert!(!draft.is_of(&claims), "one stands for {name}");
    }
    let mut claims = draft.claims_map();
    claims.insert("more".to_owned(), Value::Null);
    assert!(!draft.is_of(&claims));
}

#[test]
fn claims_are_written_as_serde_json_writes_them() {
    for text in ["", "plain", "a\"b", "a\\b", "\u{0}\u{1f}\u{7f}\n", "é\u{2028}🙂", "</"] {
        let value = Value::from(text);
        let members = [(text.to_owned(), value.clone()), ("list".to_owned(), json!([value, 1, null]))];
        let theirs = format!("{{{value}:{value},\"list\":{}}}", members[1].1);
        assert_eq!(object(&members), theirs);
    }
    assert_eq!(object(&[]), "{}");
}

#[test]
fn fedn_one_role_no_audience() {
    let draft = drafted(&request("fed", &["client"])).unwrap();
    assert_eq!(
        String::from_utf8(draft.claims_json).unwrap(),
        "{\"role\":\"client\",\"sub\":\"ward7\",\"exp\":1800043200,\"nbf\":1799999940,\"iat\":1799999940,\
         \"jti\":\"jti-1\",\"project\":\"x\",\"sites\":[\"a\"]}"
    );
    assert_eq!(draft.typ, "JWT");
}

#[test]
fn flowkit_roles_are_compressed() {
    let draft = drafted(&request("flow", &["viewer", "analyst"])).unwrap();
    let names: Vec<&str> = draft.claims.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sub", "aud", "exp", "nbf", "iat", "jti", "user_claims"]);
    let claims = draft.claims_map();
    assert_eq!(
        flowkit::decompress(claims["user_claims"].as_str().unwrap(), 1000).unwrap(),
        json!({ "analyst": ["daily_location:admin3", "run"], "viewer": ["get_result"] })
    );
    assert!(!draft.undetermined.contains_key("user_claims"));
}

#[test]
fn plain_carries_typed_claims() {
    let draft = drafted(&request("proxy", &["pull"])).unwrap();
    assert_eq!(draft.claims_map()["access"], json!([{ "type": "repository", "name": "base", "actions": ["pull"] }]));
    assert_eq!(draft.typ, "JWT");
}

#[test]
fn scopes_narrow_and_are_remembered() {
    let mut asked = request("api", &["reader"]);
    asked.scopes = vec!["data:list".into()];
    let draft = drafted(&asked).unwrap();
    assert_eq!(draft.claims_map()["scope"], "data:list");
    assert_eq!(draft.undetermined["scope"], "data:list");
    let mut asked = request("flow", &["analyst"]);
    asked.scopes = vec!["run".into()];
    assert_eq!(drafted(&asked).unwrap().undetermined["user_claims"], json!({ "analyst": ["run"] }));
}

#[test]
fn scopes_never_widen() {
    let mut asked = request("api", &["reader"]);
    asked.scopes = vec!["data:rea".into()];
    let (rule, why, hint) = refused(&asked);
    assert_eq!(rule, "POLICY-SCOPE");
    assert!(why.contains(&format!("line {}", line_of("scopes"))), "{why}");
    assert_eq!(hint.unwrap(), "coldsign token issue api/reader ward7 --scope data:read --to .");
    asked.scopes = vec!["data:write".into()];
    assert_eq!(refused(&asked).0, "POLICY-SCOPE");
    let mut asked = request("flow", &["analyst", "viewer"]);
    asked.scopes = vec!["run".into()];
    assert_eq!(refused(&asked).0, "POLICY-SCOPE");
    let mut asked = request("fed", &["client"]);
    asked.scopes = vec!["run".into()];
    assert_eq!(refused(&asked).0, "POLICY-SCOPE");
}

#[test]
fn unknown_names_offer_the_nearest() {
    let (rule, _, hint) = refused(&request("apy", &["reader"]));
    assert_eq!(
        (rule, hint.as_deref()),
        ("POLICY-SERVICE-UNKNOWN", Some("coldsign token issue api/reader ward7 --to ."))
    );
    let (rule, why, hint) = refused(&request("api", &["writer", "raeder"]));
    assert_eq!(
        (rule, hint.as_deref()),
        ("POLICY-ROLE-UNKNOWN", Some("coldsign token issue api/writer,reader ward7 --to ."))
    );
    assert!(why.contains(&format!("line {}", line_of("[services.api]"))));
    assert_eq!(refused(&request("zzzz", &["reader"])).2.as_deref(), Some("coldsign policy show"));
}

#[test]
fn roles_are_counted_and_must_agree() {
    assert_eq!(refused(&request("fed", &["client", "admin"])).0, "POLICY-ROLE-COUNT");
    assert_eq!(refused(&request("api", &[])).0, "POLICY-ROLE-COUNT");
    assert_eq!(refused(&request("api", &["reader", "reader"])).0, "POLICY-ROLE-COUNT");
    assert_eq!(refused(&request("api", &["reader", "southern"])).0, "POLICY-ROLE-CONFLICT");
}

#[test]
fn subjects_are_readable_texts() {
    for subject in ["", " a", "a\u{202e}b", "a\nOK signed by root", &"x".repeat(10_000)] {
        let mut asked = request("api", &["reader"]);
        asked.subject = subject.into();
        assert_eq!(refused(&asked).0, "POLICY-SUBJECT");
    }
}

#[test]
fn lifetimes_end_at_the_roles_bound() {
    let mut asked = request("api", &["reader", "writer"]);
    asked.lifetime = Some(7 * DAY);
    assert_eq!(drafted(&asked).unwrap().expires_at, UnixTime(NOW + 7 * DAY));
    asked.lifetime = Some(7 * DAY + 1);
    let (rule, why, hint) = refused(&asked);
    assert_eq!(rule, "POLICY-LIFETIME");
    assert!(why.contains(&format!("line {}", line_of("longest_lifetime = \"7d\""))), "{why}");
    assert_eq!(hint.unwrap(), "coldsign token issue api/reader,writer ward7 --lifetime 7d --to .");
    asked.lifetime = Some(0);
    assert_eq!(refused(&asked).0, "POLICY-LIFETIME");
    asked.lifetime = Some(u64::MAX);
    assert_eq!(
        drafted(&asked).unwrap_err().to_string().split(':').next().unwrap(),
        "api/reader,writer for ward7 not issued"
    );
}

#[test]
fn tokens_for_later_stay_within_the_horizon() {
    let mut asked = request("api", &["reader"]);
    asked.lifetime = Some(DAY);
    asked.not_before = Some(UnixTime(NOW + 29 * DAY));
    let draft = drafted(&asked).unwrap();
    assert_eq!((draft.issued_at.0, draft.not_before.0, draft.expires_at.0), (NOW - 60, NOW + 29 * DAY, NOW + 30 * DAY));
    asked.not_before = Some(UnixTime(NOW + 29 * DAY + 1));
    let (rule, why, _) = refused(&asked);
    assert_eq!(rule, "POLICY-HORIZON");
    assert!(why.contains(&format!("line {}", line_of("longest_horizon"))));
    asked.not_before = Some(UnixTime(NOW - 61));
    assert_eq!(refused(&asked).0, "POLICY-NOT-BEFORE");
    asked.not_before = Some(UnixTime(NOW - 60));
    asked.lifetime = Some(60);
    assert_eq!(refused(&asked).0, "POLICY-NOT-BEFORE");
    asked.not_before = Some(UnixTime(u64::MAX));
    assert_eq!(refused(&asked).0, "POLICY-TIME");
    let early = draft_at(&request("api", &["reader"]), 59);
    assert_eq!(early.unwrap_err().rule(), Some("POLICY-TIME"));
    let late = draft_at(&request("api", &["reader"]), (1 << 53) - 43_200);
    assert_eq!(late.unwrap_err().rule(), Some("POLICY-TIME"));
    assert!(draft_at(&request("api", &["reader"]), (1 << 53) - 43_201).is_ok());
}

fn draft_at(request: &Request, now: u64) -> Result<Draft, Denied> {
    draft(&policy(), "i", request, UnixTime(now), "j")
}

#[test]
fn details_are_those_of_the_roles() {
    let whole = drafted(&request("api", &["table"])).unwrap();
    assert_eq!(whole.claims_map()["authorization_details"], json!([{ "type": "table", "rows": 5 }]));
    let mut asked = request("api", &["picker"]);
    let (rule, why, _) = refused(&asked);
    assert_eq!(rule, "POLICY-DETAIL");
    assert!(why.contains("identifier of one's choice"), "{why}");
    let good = json!([{ "type": "result", "actions": ["read"], "identifier": "r-17" }]);
    asked.details = Some(good.clone());
    let draft = drafted(&asked).unwrap();
    assert_eq!(draft.undetermined["authorization_details"], good);
    for bad in [
        json!([]),
        json!({}),
        json!([{ "type": "result", "actions": ["read"] }]),
        json!([{ "type": "result", "actions": [], "identifier": "r" }]),
        json!([{ "type": "result", "actions": ["write"], "identifier": "r" }]),
        json!([{ "type": "result", "actions": "read", "identifier": "r" }]),
        json!([{ "type": "result", "actions": ["read"], "identifier": "r\u{202e}" }]),
        json!([{ "type": "result", "actions": ["read"], "identifier": "r", "more": 1 }]),
        json!([{ "type": "table", "rows": 6 }]),
        json!([{ "type": "Table", "rows": 5 }]),
        json!([good[0], "x"]),
    ] {
        asked.details = Some(bad.clone());
        assert_eq!(refused(&asked).0, "POLICY-DETAIL", "{bad}");
    }
    let mut asked = request("fed", &["client"]);
    asked.details = Some(good);
    assert_eq!(refused(&asked).0, "POLICY-DETAIL");
}

#[test]
fn key_binding_is_a_thumbprint_of_rfc9068() {
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let mut asked = request("api", &["reader"]);
    asked.cnf_jkt = Some(thumbprint.into());
    assert_eq!(drafted(&asked).unwrap().claims_map()["cnf"], json!({ "jkt": thumbprint }));
    asked.cnf_jkt = Some("short".into());
    assert_eq!(refused(&asked).0, "POLICY-CNF");
    let mut asked = request("fed", &["client"]);
    asked.cnf_jkt = Some(thumbprint.into());
    assert_eq!(refused(&asked).0, "POLICY-CNF");
}

#[test]
fn a_long_token_is_refused_by_what_makes_it_long() {
    let draft = drafted(&request("proxy", &["pull"])).unwrap();
    assert!(size::check(&draft, 512).is_ok());
    let denied = size::check(&draft, 513).unwrap_err();
    assert_eq!(denied.rule(), Some("POLICY-SIZE"));
    let why = denied.why().join("; ");
    assert!(why.contains(&format!("line {}", line_of("max_token_bytes"))) && why.contains("access"), "{why}");
    let report = size::size_report(&draft, 513);
    assert!(report.warning().is_none());
    assert!(size::size_report(&draft, 2_049).warning().is_some());
    let sum: usize = report.parts.iter().map(|(_, bytes)| bytes).sum();
    assert!(sum.abs_diff(513) < 24, "{report:?}");
}

#[test]
fn a_hint_never_asks_for_more() {
    let mut asked = request("api", &["reader"]);
    asked.scopes = vec!["data:list".into()];
    asked.not_before = Some(UnixTime(NOW + DAY));
    asked.lifetime = Some(8 * DAY);
    assert_eq!(
        refused(&asked).2.unwrap(),
        "coldsign token issue api/reader ward7 --lifetime 7d --not-before 2027-01-16T08:00:00Z --scope data:list --to ."
    );
    asked.cnf_jkt = Some("x".repeat(43));
    assert_eq!(refused(&asked).2, None);
}

#[test]
fn hints_survive_a_shell() {
    let mut asked = request("api", &["reader"]);
    asked.subject = "it's $(id)".into();
    asked.lifetime = Some(8 * DAY);
    assert_eq!(refused(&asked).2.unwrap(), "coldsign token issue api/reader 'it'\\''s $(id)' --lifetime 7d --to .");
}

proptest! {
    #[test]
    fn drafts_never_exceed_the_policy(
        roles in prop::sample::subsequence(vec!["reader", "writer", "table"], 1..=3),
        lifetime in prop::option::of(0..40 * DAY),
        later in prop::option::of(-120_i64..60 * 86_400),
        scopes in prop::sample::subsequence(vec!["data:read", "data:list", "data:write", "admin"], 0..=2),
        backdate in 60_u64..600,
    ) {
        let policy = Policy::parse(&format!("{POLICY}\n[timing]\nbackdate = \"{backdate}s\"\n")).unwrap();
        let mut asked = request("api", &roles);
        asked.lifetime = lifetime;
        asked.not_before = later.map(|later| UnixTime(NOW.checked_add_signed(later).unwrap()));
        asked.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let service = policy.service("api").unwrap();
        let granted: Vec<&Role> = roles.iter().map(|role| service.role(role).unwrap()).collect();
        if let Ok(draft) = draft(&policy, "i", &asked, UnixTime(NOW), "j") {
            let longest = granted.iter().map(|role| role.longest_lifetime).min().unwrap();
            let horizon = granted.iter().map(|role| role.longest_horizon).min().unwrap();
            let (iat, nbf, exp) = (draft.issued_at.0, draft.not_before.0, draft.expires_at.0);
            prop_assert_eq!(iat, NOW - backdate);
            prop_assert!(nbf >= iat && exp > NOW && exp > nbf);
            prop_assert!(exp - iat.max(nbf) <= longest + backdate);
            prop_assert!(exp - iat <= horizon + backdate);
            let claims = draft.claims_map();
            for scope in claims.get("scope").and_then(Value::as_str).unwrap_or_default().split_terminator(' ') {
                prop_assert!(granted.iter().any(|role| role.scopes.iter().any(|known| known == scope)));
                prop_assert!(asked.scopes.is_empty() || asked.scopes.iter().any(|known| known == scope));
            }
        }
    }

    #[test]
    fn no_request_panics(
        service in "(api|fed|flow|proxy|.{0,5})", role in "(reader|client|analyst|pull|.{0,5})", subject in ".{0,300}",
        lifetime in any::<Option<u64>>(), later in any::<Option<u64>>(), now in any::<u64>(), scope in ".{0,5}", cnf in prop::option::of(".{0,50}"),
    ) {
        let asked = Request {
            known_subject: false,
            service, roles: vec![role], subject, lifetime, not_before: later.map(UnixTime), scopes: vec![scope],
            details: None, cut_off: None, cnf_jkt: cnf,
        };
        if let Err(denied) = draft_at(&asked, now) {
            let _ = (denied.to_string(), denied.why(), denied.hint());
        }
    }
}
