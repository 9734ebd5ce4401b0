//! Tokens checked by what is installed.

use super::*;
use crate::jws;
use crate::revocation::Revocations;
use crate::vectors::{ISSUER, Key};
use crate::{Expectations, Profile, bundle};
use serde_json::{Value, json};

const TOKEN_KEY: u8 = 7;

fn api_token(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "iss": ISSUER, "aud": "https://api.example.org", "sub": "ward7", "client_id": "ward7", "jti": "j1",
        "iat": NOW.0, "exp": NOW.0 + 3_600,
    });
    change(&mut claims);
    jws::assemble(&Key::new(TOKEN_KEY), "at+jwt", claims.to_string().as_bytes()).unwrap()
}

fn fed_token(role: &str) -> String {
    let claims =
        json!({"sub": "ward7", "jti": "j1", "role": role, "project": "ward7", "iat": NOW.0, "exp": NOW.0 + 60});
    jws::assemble(&Key::new(TOKEN_KEY), "JWT", claims.to_string().as_bytes()).unwrap()
}

fn with(revoked: Revocations) -> Machine {
    let mut machine = Machine::new();
    machine.bring(&Stick::under_1(&Contents { revoked, ..contents_1() }));
    assert_eq!(machine.install(), "installed");
    machine
}

fn says(machine: &Machine, service: &str, token: &str, now: UnixTime) -> &'static str {
    let verifier = machine.trust.verifier(service).unwrap();
    verifier.verify(token, now).map(|_| "accepted").unwrap_or_else(|refusal| refusal.code())
}

#[test]
fn a_service_is_verified_for_by_name() {
    let machine = with(Revocations::default());
    let token = api_token(|_| ());
    assert_eq!(says(&machine, "api", &token, NOW), "accepted");
    assert_eq!(says(&machine, "fed", &token, NOW), "TOKEN-TYPE");
    assert_eq!(says(&machine, "fed", &fed_token("client"), NOW), "accepted");
    let other = machine.trust.verifier("other").unwrap_err();
    assert_eq!(other.code(), "TRUST-SERVICE");
    assert!(matches!(other, Fault::Service { known, .. } if known == ["api", "fed"]));
    let narrowed = machine.trust.verifier("fed").unwrap().expecting(|it| it.role("admin"));
    assert_eq!(narrowed.verify(&fed_token("client"), NOW).unwrap_err().code(), "TOKEN-ROLE");
    assert!(narrowed.verify(&fed_token("admin"), NOW).is_ok());
    assert_eq!(Machine::new().trust.verifier("api").unwrap_err().code(), "TRUST-EMPTY");
}

#[test]
fn the_last_good_bundle_serves_until_it_expires_and_then_nothing_passes() {
    let machine = with(Revocations::default());
    let end = contents_1().expires_at.0;
    let token = api_token(|claims| {
        claims["iat"] = (end - 60).into();
        claims["exp"] = (end + 60).into();
    });
    assert_eq!(says(&machine, "api", &token, UnixTime(end - 1)), "accepted");
    assert_eq!(says(&machine, "api", &token, UnixTime(end)), "TRUST-EXPIRED");
    assert_eq!(says(&machine, "api", "rubbish", UnixTime(end)), "TRUST-EXPIRED");
    // A clock that went back would take expired tokens for good ones.
    let old = api_token(|claims| {
        claims["iat"] = (MADE - 200).into();
        claims["exp"] = (MADE + 10).into();
    });
    assert_eq!(says(&machine, "api", &old, UnixTime(MADE - 60)), "accepted", "clocks differ by S");
    assert_eq!(says(&machine, "api", &old, UnixTime(MADE - 61)), "TRUST-CLOCK");
}

#[test]
fn what_is_withdrawn_is_refused_by_iat_and_after_everything_else() {
    let at = |name: &str| BTreeMap::from([(name.to_owned(), NOW)]);
    let kid = Key::new(TOKEN_KEY).public.thumbprint();
    let none = Revocations::default();
    for revoked in [
        Revocations { all: Some(NOW), ..none.clone() },
        Revocations { services: at("api"), ..none.clone() },
        Revocations { subjects: at("ward7"), ..none.clone() },
        Revocations { kids: at(&kid), ..none.clone() },
    ] {
        let machine = with(revoked);
        let later = UnixTime(NOW.0 + 2);
        assert_eq!(says(&machine, "api", &api_token(|_| ()), later), "TOKEN-REVOKED");
        let after = api_token(|claims| claims["iat"] = (NOW.0 + 1).into());
        assert_eq!(says(&machine, "api", &after, later), "accepted", "issued after the cut-off, used after it");
        assert_eq!(says(&machine, "api", &api_token(|it| it["aud"] = "x".into()), later), "TOKEN-AUDIENCE");
        let mut forged = api_token(|_| ());
        forged.truncate(forged.len() - 4);
        forged.push_str("AAAA");
        assert_eq!(says(&machine, "api", &forged, later), "TOKEN-SIGNATURE");
    }
    let machine = with(Revocations { tokens: at("j1"), ..none.clone() });
    assert_eq!(says(&machine, "api", &api_token(|_| ()), NOW), "TOKEN-REVOKED");
    assert_eq!(says(&machine, "api", &api_token(|claims| claims["jti"] = "j2".into()), NOW), "accepted");
    let machine = with(Revocations { roles: at("fed/client"), ..none });
    assert_eq!(says(&machine, "fed", &fed_token("client"), NOW), "TOKEN-REVOKED");
    assert_eq!(says(&machine, "fed", &fed_token("admin"), NOW), "accepted");
    assert_eq!(says(&machine, "api", &api_token(|_| ()), NOW), "accepted");
}

#[test]
fn a_service_without_a_key_is_said_so() {
    let mut machine = Machine::new();
    let mut contents = contents_1();
    contents.keys[0].services.remove("api");
    machine.bring(&Stick::under_1(&contents));
    assert_eq!(machine.install(), "installed");
    assert_eq!(machine.trust.verifier("api").unwrap_err().code(), "TRUST-NO-KEYS");
    assert!(machine.trust.verifier("fed").is_ok());
}

#[test]
fn a_key_is_good_for_its_own_services_alone() {
    let mut contents = contents_1();
    let other = Key::new(8);
    contents.keys[0].services.remove("fed");
    contents.keys.push(bundle::Key {
        kid: other.public.thumbprint(),
        key: other.public.clone(),
        services: ["fed".to_owned()].into(),
    });
    let service = bundle::Service { profile: Profile::Plain, ..contents.services["api"].clone() };
    contents.services.insert("api".into(), service);
    let mut machine = Machine::new();
    machine.bring(&Stick::under_1(&contents));
    assert_eq!(machine.install(), "installed");
    let claims = json!({"iss": ISSUER, "aud": "https://api.example.org", "iat": NOW.0, "exp": NOW.0 + 60});
    let by = |seed| jws::assemble(&Key::new(seed), "JWT", claims.to_string().as_bytes()).unwrap();
    assert_eq!(says(&machine, "api", &by(TOKEN_KEY), NOW), "accepted");
    assert_eq!(says(&machine, "api", &by(8), NOW), "TOKEN-KEY-UNKNOWN");
    let expected = Expectations::plain(Some(ISSUER), Some("https://api.example.org"));
    let bare = Verifier::new(machine.trust.bundle().unwrap().contents().jwks("api").unwrap(), expected);
    assert!(bare.has_keys() && bare.verify(&by(TOKEN_KEY), NOW).is_ok());
}
