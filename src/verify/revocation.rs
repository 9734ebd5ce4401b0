//! What has been withdrawn although it has not expired: cut-offs and single tokens.
//!
//! A cut-off takes back every token of a kind that was issued up to a time: revoked if `iat` ≤ it,
//! whatever the time is now, so that a token issued after it is good at once. Normative page:
//! `docs/formats/bundle-v1.md`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::escape::escaped;
use crate::expectations::Profile;
use crate::json;
use crate::members::{MemberFault, Members};
use crate::time::UnixTime;

/// Everything withdrawn, as a bundle carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Every token issued up to then.
    pub all: Option<UnixTime>,
    /// Service → its tokens issued up to then.
    pub services: BTreeMap<String, UnixTime>,
    /// `service/role` → tokens of that role issued up to then. Only for services whose tokens say
    /// their role ([`shows_role`]); of others the tokens are listed one by one.
    pub roles: BTreeMap<String, UnixTime>,
    /// Subject → tokens about it, of any service, issued up to then.
    pub subjects: BTreeMap<String, UnixTime>,
    /// Key (`kid` as tokens carry it) → tokens signed by it and issued up to then.
    pub kids: BTreeMap<String, UnixTime>,
    /// Single tokens: `jti` → `exp`, which says how long it has to be kept.
    pub tokens: BTreeMap<String, UnixTime>,
}

/// What takes a token back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revoked {
    /// Everything up to then.
    All(UnixTime),
    /// The service's tokens up to then.
    Service(UnixTime),
    /// The role's tokens up to then: `service/role`.
    Role(String, UnixTime),
    /// The subject's tokens up to then.
    Subject(String, UnixTime),
    /// The key's tokens up to then.
    Kid(String, UnixTime),
    /// This token, by its `jti`.
    Token(String),
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(at) => write!(f, "everything issued up to {at}"),
            Self::Service(at) => write!(f, "the service's tokens issued up to {at}"),
            Self::Role(role, at) => write!(f, "tokens of role {} issued up to {at}", escaped(role)),
            Self::Subject(subject, at) => write!(f, "tokens about {} issued up to {at}", escaped(subject)),
            Self::Kid(kid, at) => write!(f, "tokens of key {} issued up to {at}", escaped(kid)),
            Self::Token(jti) => write!(f, "token {}", escaped(jti)),
        }
    }
}

/// Whether tokens of this profile name the role they were issued for, so that a role's cut-off can be seen.
pub fn shows_role(profile: Profile) -> bool {
    profile == Profile::Fedn
}

impl Revocations {
    /// What takes back a token of `service` with these claims under `kid`, if anything does.
    /// A token without `iat` counts as issued at the beginning of time.
    pub fn of_token(&self, service: &str, profile: Profile, kid: &str, claims: &Map<String, Value>) -> Option<Revoked> {
        let issued_at = UnixTime(claims.get("iat").and_then(json::integer).unwrap_or(0));
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let reached = |at: &UnixTime| issued_at <= *at;
        let cut = |table: &BTreeMap<String, UnixTime>, name: &str| table.get(name).copied().filter(|at| reached(at));
        if let Some(at) = self.all.filter(|at| reached(at)) {
            return Some(Revoked::All(at));
        }
        if let Some(at) = cut(&self.services, service) {
            return Some(Revoked::Service(at));
        }
        if let Some(role) = text("role").filter(|_| shows_role(profile)).map(|role| format!("{service}/{role}"))
            && let Some(at) = cut(&self.roles, &role)
        {
            return Some(Revoked::Role(role, at));
        }
        if let Some(at) = cut(&self.kids, kid) {
            return Some(Revoked::Kid(kid.to_owned(), at));
        }
        if let Some(subject) = text("sub")
            && let Some(at) = cut(&self.subjects, subject)
        {
            return Some(Revoked::Subject(subject.to_owned(), at));
        }
        text("jti").filter(|jti| self.tokens.contains_key(*jti)).map(|jti| Revoked::Token(jti.to_owned()))
    }

    /// The latest cut-off that touches a token to be issued: its `iat` must lie after it.
    pub fn cutoff(&self, service: &str, roles: &[&str], subject: &str, kid: &str) -> Option<UnixTime> {
        let named = [self.services.get(service), self.subjects.get(subject), self.kids.get(kid)];
        let roles = roles.iter().filter_map(|role| self.roles.get(&format!("{service}/{role}")));
        named.into_iter().flatten().chain(roles).copied().chain(self.all).max()
    }

    /// Without what no token can meet any more: single tokens that expired more than `margin`
    /// seconds before `now`, and cut-offs older than the longest validity and `margin`.
    pub fn pruned(&self, now: UnixTime, longest_validity: u64, margin: u64) -> Self {
        let oldest = UnixTime(now.0.saturating_sub(margin));
        let oldest_cut = UnixTime(oldest.0.saturating_sub(longest_validity));
        let keep = |table: &BTreeMap<String, UnixTime>, from: UnixTime| {
            table.iter().filter(|(_, at)| **at >= from).map(|(name, at)| (name.clone(), *at)).collect()
        };
        Self {
            all: self.all.filter(|at| *at >= oldest_cut),
            services: keep(&self.services, oldest_cut),
            roles: keep(&self.roles, oldest_cut),
            subjects: keep(&self.subjects, oldest_cut),
            kids: keep(&self.kids, oldest_cut),
            tokens: keep(&self.tokens, oldest),
        }
    }

    /// Whether nothing is withdrawn.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As the member `revoked` of a bundle; empty tables are left out.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        if let Some(at) = self.all {
            members.insert("all".to_owned(), at.0.into());
        }
        let tables = [
            ("kids", &self.kids),
            ("roles", &self.roles),
            ("services", &self.services),
            ("subjects", &self.subjects),
            ("tokens", &self.tokens),
        ];
        for (name, table) in tables.into_iter().filter(|(_, table)| !table.is_empty()) {
            let times: Map<String, Value> = table.iter().map(|(name, at)| (name.clone(), json!(at.0))).collect();
            members.insert(name.to_owned(), times.into());
        }
        members.into()
    }

    /// An unknown member is refused: ignoring it would accept what somebody withdrew.
    pub(crate) fn read(mut members: Members) -> Result<Self, MemberFault> {
        let mut table = |name| members.optional_table(name, "not a time", |value| json::integer(value).map(UnixTime));
        let (services, roles, subjects) = (table("services")?, table("roles")?, table("subjects")?);
        let (kids, tokens) = (table("kids")?, table("tokens")?);
        let revocations = Self { all: members.optional_time("all")?, services, roles, subjects, kids, tokens };
        members.end()?;
        Ok(revocations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: UnixTime = UnixTime(1_000);

    fn of(revocations: &Revocations, claims: Value) -> Option<Revoked> {
        revocations.of_token("fed", Profile::Fedn, "k", claims.as_object().unwrap())
    }

    fn one(name: &str) -> BTreeMap<String, UnixTime> {
        BTreeMap::from([(name.to_owned(), AT)])
    }

    #[test]
    fn each_cut_off_reaches_what_it_names_up_to_its_time_and_no_further() {
        let none = Revocations::default();
        for (revocations, expected) in [
            (Revocations { all: Some(AT), ..none.clone() }, Revoked::All(AT)),
            (Revocations { services: one("fed"), ..none.clone() }, Revoked::Service(AT)),
            (Revocations { roles: one("fed/client"), ..none.clone() }, Revoked::Role("fed/client".into(), AT)),
            (Revocations { subjects: one("ward7"), ..none.clone() }, Revoked::Subject("ward7".into(), AT)),
            (Revocations { kids: one("k"), ..none.clone() }, Revoked::Kid("k".into(), AT)),
        ] {
            let claims = |iat: u64| json!({"iat": iat, "sub": "ward7", "role": "client", "jti": "j"});
            assert_eq!(of(&revocations, claims(1_000)), Some(expected.clone()));
            assert_eq!(of(&revocations, claims(0)), Some(expected.clone()));
            assert_eq!(of(&revocations, claims(1_001)), None);
            let without = json!({"sub": "ward7", "role": "client"});
            assert_eq!(of(&revocations, without), Some(expected), "without iat nothing says that it came after");
            let others = json!({"iat": 1_000, "sub": "ward8", "role": "admin"});
            let found = revocations.of_token("fed2", Profile::Fedn, "k2", others.as_object().unwrap());
            assert_eq!(found, revocations.all.map(Revoked::All));
        }
    }

    #[test]
    fn a_single_token_is_taken_back_by_its_jti() {
        let revocations = Revocations { tokens: one("j"), ..Revocations::default() };
        assert_eq!(of(&revocations, json!({"jti": "j", "iat": 5_000})), Some(Revoked::Token("j".into())));
        assert_eq!(of(&revocations, json!({"jti": "J", "iat": 0})), None);
        assert_eq!(of(&revocations, json!({"iat": 0})), None);
    }

    #[test]
    fn a_role_is_judged_only_where_tokens_say_theirs() {
        let revocations = Revocations { roles: one("fed/client"), ..Revocations::default() };
        let claims = json!({"iat": 0, "role": "client"});
        let of = |profile| revocations.of_token("fed", profile, "k", claims.as_object().unwrap());
        assert!(of(Profile::Fedn).is_some());
        assert_eq!([Profile::Rfc9068, Profile::FlowKit, Profile::Plain].map(of), [None, None, None]);
    }

    #[test]
    fn the_latest_cut_off_bounds_what_is_issued_next() {
        let revocations = Revocations {
            all: Some(UnixTime(1)),
            services: BTreeMap::from([("fed".into(), UnixTime(2))]),
            roles: BTreeMap::from([("fed/client".into(), UnixTime(3))]),
            subjects: BTreeMap::from([("ward7".into(), UnixTime(4))]),
            kids: BTreeMap::from([("k".into(), UnixTime(5))]),
            tokens: one("j"),
        };
        for (service, roles, subject, kid, expected) in [
            ("fed", &["client"][..], "ward7", "k", 5),
            ("fed", &["client"], "ward7", "l", 4),
            ("fed", &["admin", "client"], "ward8", "l", 3),
            ("fed", &["admin"], "ward8", "l", 2),
            ("api", &["client"], "ward8", "l", 1),
        ] {
            assert_eq!(revocations.cutoff(service, roles, subject, kid), Some(UnixTime(expected)));
        }
        assert_eq!(Revocations::default().cutoff("fed", &["client"], "ward7", "k"), None);
    }

    #[test]
    fn pruning_drops_only_what_no_token_can_meet() {
        let revocations = Revocations { all: Some(AT), kids: one("k"), tokens: one("j"), ..Revocations::default() };
        assert_eq!(revocations.pruned(UnixTime(1_060), 100, 60), revocations);
        let later = revocations.pruned(UnixTime(1_061), 100, 60);
        assert_eq!(later, Revocations { tokens: BTreeMap::new(), ..revocations.clone() });
        assert_eq!(revocations.pruned(UnixTime(1_160), 100, 60), later);
        assert!(revocations.pruned(UnixTime(1_161), 100, 60).is_empty());
    }

    #[test]
    fn what_is_unknown_is_not_ignored() {
        let read = |value: Value| {
            let Value::Object(members) = value else { panic!("an object") };
            Revocations::read(Members::of(members)).map_err(|fault| fault.member)
        };
        assert_eq!(read(json!({})), Ok(Revocations::default()));
        for (value, member) in [
            (json!({"devices": {}}), "devices"),
            (json!({"all": "1"}), "all"),
            (json!({"all": null}), "all"),
            (json!({"kids": []}), "kids"),
            (json!({"kids": {"k": -1}}), "kids.k"),
            (json!({"kids": {"k": 1.5}}), "kids.k"),
            (json!({"kids": {"": 1}}), "kids"),
        ] {
            assert_eq!(read(value), Err(member.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn round_trip(all: Option<u32>, table in prop::collection::btree_map("\\PC{1,9}", any::<u32>(), 0..5)) {
            let table: BTreeMap<String, UnixTime> =
                table.into_iter().map(|(name, at)| (name, UnixTime(at.into()))).collect();
            let revocations = Revocations {
                all: all.map(|at| UnixTime(at.into())),
                services: table.clone(), roles: table.clone(), subjects: table.clone(), kids: table.clone(), tokens: table,
            };
            let Value::Object(members) = revocations.to_json() else { panic!("an object") };
            prop_assert_eq!(Revocations::read(Members::of(members)), Ok(revocations));
        }
    }
}
