//! What a bundle says, apart from who signed it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{FILE_NAME, Fault};
use crate::digest::Digest;
use crate::expectations::{Expectations, Profile};
use crate::jwks::Jwks;
use crate::key::PublicKey;
use crate::members::{MemberFault, Members};
use crate::revocation::{Revocations, shows_role};
use crate::root::Root;
use crate::time::UnixTime;

const VERSION: u64 = 1;

/// The manifest that lists the bundle, and so can't be listed by it.
const MANIFEST: &str = "SHA256SUMS";

/// More than a day's difference of clocks is no clock.
const LONGEST_SKEW: u64 = 86_400;

/// A bundle's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The issuer: `iss` and `sub`.
    pub issuer: String,
    /// The store's id.
    pub store: String,
    /// The publication's number, from 1.
    pub seq: u64,
    /// The SHA-256 of the bundle before; absent in the first alone.
    pub previous: Option<Digest>,
    /// The root under which it was made.
    pub root_version: u64,
    /// When it was made.
    pub issued_at: UnixTime,
    /// From when on everything is refused.
    pub expires_at: UnixTime,
    /// How far clocks may differ, in seconds, at most a day.
    pub skew_seconds: u64,
    /// Service → what it expects of tokens.
    pub services: BTreeMap<String, Service>,
    /// The keys of all services, in the order of the file.
    pub keys: Vec<Key>,
    /// What is withdrawn.
    pub revoked: Revocations,
    /// Path → digest of every file of the publication but the bundle itself and `SHA256SUMS`.
    pub files: BTreeMap<String, Digest>,
    /// A signed checkpoint of the journal from before this publication's own entry (C2SP signed note).
    pub checkpoint: String,
}

/// What one service expects of the tokens it accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The claims' layout.
    pub profile: Profile,
    /// The exact `aud`; required for `rfc9068` and `flowkit`, never for `fedn`.
    pub audience: Option<String>,
    /// Clock leeway, in seconds.
    pub leeway_seconds: u64,
    /// The most seconds between `iat` and `exp`.
    pub longest_validity_seconds: u64,
    /// Claims that every token carries, exactly.
    pub claims: BTreeMap<String, String>,
}

/// One key as tokens name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The `kid` in the headers of its tokens.
    pub kid: String,
    /// The key.
    pub key: PublicKey,
    /// The services that accept it: at least one, each of them in [`Contents::services`].
    pub services: BTreeSet<String>,
}

/// Whether a path stays below a publication's folder and can stand on a FAT stick.
pub fn is_publication_path(path: &str) -> bool {
    path.len() <= 255
        && path.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        })
}

impl Contents {
    /// The claims to sign.
    ///
    /// # Errors
    /// When no verifier would accept them.
    pub fn to_payload(&self) -> Result<Vec<u8>, Fault> {
        let mut claims = json!({
            "checkpoint": self.checkpoint,
            "exp": self.expires_at.0,
            "files": self.files.iter().map(|(path, digest)| (path.clone(), digest.to_string().into())).collect::<Map<_, _>>(),
            "iat": self.issued_at.0,
            "iss": self.issuer,
            "keys": self.keys.iter().map(Key::to_json).collect::<Vec<_>>(),
        });
        // In the order of names to the end, so that no build's map changes the bytes.
        if let (Some(previous), Some(members)) = (&self.previous, claims.as_object_mut()) {
            members.insert("prev".to_owned(), previous.to_string().into());
        }
        let more = json!({
            "revoked": self.revoked.to_json(),
            "root_version": self.root_version,
            "seq": self.seq,
            "services": self.services.iter().map(|(name, it)| (name.clone(), it.to_json())).collect::<Map<_, _>>(),
            "skew_seconds": self.skew_seconds,
            "store": self.store,
            "sub": self.issuer,
            "version": VERSION,
        });
        if let (Some(members), Value::Object(more)) = (claims.as_object_mut(), more) {
            members.extend(more);
        }
        let payload = claims.to_string().into_bytes();
        let read = Self::from_payload(&payload)?;
        // Keys of kinds that this build can't verify are skipped on reading, and nothing else may differ.
        let built_in = |key: &&Key| key.key.algorithm().is_built_in();
        let same_keys = read.keys.iter().eq(self.keys.iter().filter(built_in));
        if same_keys && (Self { keys: Vec::new(), ..read }) == (Self { keys: Vec::new(), ..self.clone() }) {
            Ok(payload)
        } else {
            Err(MemberFault::new("keys", "not what would be read back").into())
        }
    }

    /// Reads claims strictly. Members unknown here are ignored unless `critical` names them, but
    /// in `services` and `revoked`, where ignoring one would accept more.
    ///
    /// # Errors
    /// [`Fault::Json`], [`Fault::Version`], [`Fault::Member`], [`Fault::Keys`].
    pub fn from_payload(payload: &[u8]) -> Result<Self, Fault> {
        let mut members = Members::of(crate::json::parse_object(payload)?);
        let version = members.integer("version", 0)?;
        if version != VERSION {
            return Err(Fault::Version { version });
        }
        let services = read_services(members.object("services")?)?;
        let keys = read_keys(&members.array("keys", 1_000)?, &services)?;
        let revoked = Revocations::read(members.object("revoked")?)?;
        check_roles(&revoked, &services)?;
        let contents = Self {
            issuer: members.text("iss")?,
            store: members.text("store")?,
            seq: members.integer("seq", 1)?,
            previous: members.optional_digest("prev")?,
            root_version: members.integer("root_version", 1)?,
            issued_at: members.time("iat")?,
            expires_at: members.time("exp")?,
            skew_seconds: members.integer("skew_seconds", 0)?,
            services,
            keys,
            revoked,
            files: members.table("files", "not a SHA-256 digest in lower-case hex", |it| it.as_str()?.parse().ok())?,
            checkpoint: members.text("checkpoint")?,
        };
        contents.check(&mut members)?;
        members.end_unless_critical()?;
        Ok(contents)
    }

    fn check(&self, members: &mut Members) -> Result<(), MemberFault> {
        if members.text("sub")? != self.issuer {
            return Err(members.fault("sub", "not its \"iss\""));
        }
        if self.previous.is_some() != (self.seq > 1) {
            return Err(members.fault("prev", "missing, or there in the first bundle"));
        }
        if self.expires_at <= self.issued_at {
            return Err(members.fault("exp", "not after its \"iat\""));
        }
        if self.skew_seconds > LONGEST_SKEW {
            return Err(members.fault("skew_seconds", "more than a day"));
        }
        let listable = |path: &String| is_publication_path(path) && path != FILE_NAME && path != MANIFEST;
        match self.files.keys().find(|path| !listable(path)) {
            None => Ok(()),
            Some(path) => Err(MemberFault::new(format!("files.{path}"), "no path of a publication's file")),
        }
    }

    pub(super) fn check_against(&self, root: &Root) -> Result<(), Fault> {
        let terms = root.terms();
        if (&self.issuer, &self.store) != (&terms.issuer, &terms.store) {
            let expected = format!("{} ({})", terms.issuer, terms.store);
            return Err(Fault::Foreign { expected, found: format!("{} ({})", self.issuer, self.store) });
        }
        if self.root_version > terms.root_version {
            return Err(Fault::Root { wanted: self.root_version, newest: terms.root_version });
        }
        if self.expires_at > terms.expires_at {
            return Err(Fault::OutlivesRoot {
                expires_at: self.expires_at,
                root_version: terms.root_version,
                root_expires_at: terms.expires_at,
            });
        }
        Ok(())
    }

    /// The keys of one service, by the `kid` of its tokens.
    pub fn jwks(&self, service: &str) -> Result<Jwks, Fault> {
        let keys = self.keys.iter().filter(|key| key.services.contains(service));
        Ok(Jwks::new(keys.map(|key| (key.kid.clone(), key.key.clone())))?)
    }

    /// What one service expects, if it is here. FEDn's role stays open: a caller narrows it.
    pub fn expectations(&self, service: &str) -> Option<Expectations> {
        let service = self.services.get(service)?;
        let audience = || service.audience.clone().unwrap_or_default();
        let expected = match service.profile {
            Profile::Rfc9068 => Expectations::rfc9068(&self.issuer, audience()),
            Profile::FlowKit => Expectations::flowkit(audience()),
            Profile::Fedn => Expectations::fedn(None),
            Profile::Plain => Expectations::plain(Some(&self.issuer), service.audience.as_deref()),
        };
        let expected = expected.leeway(service.leeway_seconds).longest_validity(service.longest_validity_seconds);
        Some(service.claims.iter().fold(expected, |all, (name, value)| all.claim(name, value.as_str())))
    }
}

impl Key {
    fn to_json(&self) -> Value {
        let mut jwk = self.key.to_jwk(&self.kid);
        if let Some(members) = jwk.as_object_mut() {
            members.insert("services".to_owned(), json!(self.services));
        }
        jwk
    }
}

impl Service {
    fn to_json(&self) -> Value {
        let mut members = Map::new();
        if let Some(audience) = &self.audience {
            members.insert("audience".to_owned(), audience.as_str().into());
        }
        if !self.claims.is_empty() {
            members.insert("claims".to_owned(), json!(self.claims));
        }
        members.insert("leeway_seconds".to_owned(), self.leeway_seconds.into());
        members.insert("longest_validity_seconds".to_owned(), self.longest_validity_seconds.into());
        members.insert("profile".to_owned(), self.profile.name().into());
        members.into()
    }

    fn read(mut members: Members) -> Result<Self, MemberFault> {
        let profile = members.text("profile")?;
        let profile = profile.parse().map_err(|_| members.fault("profile", "not a profile of this version"))?;
        let service = Self {
            profile,
            audience: members.optional_text("audience")?,
            leeway_seconds: members.integer("leeway_seconds", 0)?,
            longest_validity_seconds: members.integer("longest_validity_seconds", 0)?,
            claims: members.optional_table("claims", "not a string", |value| value.as_str().map(str::to_owned))?,
        };
        let fits = match profile {
            Profile::Rfc9068 | Profile::FlowKit => service.audience.is_some(),
            Profile::Fedn => service.audience.is_none(),
            Profile::Plain => true,
        };
        if !fits {
            return Err(members.fault("audience", "missing, or there for a profile that has none"));
        }
        members.end()?;
        Ok(service)
    }
}

fn read_services(mut members: Members) -> Result<BTreeMap<String, Service>, MemberFault> {
    let mut services = BTreeMap::new();
    for name in members.names() {
        let service = Service::read(members.object(&name)?)?;
        let safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(safe) {
            return Err(members.fault(&name, "no name of a service"));
        }
        services.insert(name, service);
    }
    Ok(services)
}

/// Takes the keys in as any key set is (kinds unknown here are skipped), and the services of each.
fn read_keys(items: &[Value], services: &BTreeMap<String, Service>) -> Result<Vec<Key>, Fault> {
    let set = Jwks::from_items(items)?;
    let mut keys = Vec::new();
    for entry in set.keys() {
        let named = |item: &&Value| item.get("kid").and_then(Value::as_str) == Some(&entry.kid);
        let members = items.iter().find(named).and_then(Value::as_object).cloned().unwrap_or_default();
        let wrong = |what: &str| MemberFault::new(format!("keys.{}.services", entry.kid), what);
        let of = Members::of(members).texts("services", 1_000).map_err(|fault| wrong(&fault.what))?;
        if of.is_empty() || of.iter().any(|name| !services.contains_key(name)) {
            return Err(wrong("empty, or names a service that is not here").into());
        }
        keys.push(Key { kid: entry.kid.clone(), key: entry.key.clone(), services: of.into_iter().collect() });
    }
    Ok(keys)
}

/// A cut-off that no verifier could see would be a promise nobody keeps.
fn check_roles(revoked: &Revocations, services: &BTreeMap<String, Service>) -> Result<(), MemberFault> {
    let seen = |name: &String| {
        let service = name.split_once('/').and_then(|(service, _)| services.get(service));
        service.is_some_and(|service| shows_role(service.profile))
    };
    match revoked.roles.keys().find(|name| !seen(name)) {
        None => Ok(()),
        Some(name) => Err(MemberFault::new(format!("revoked.roles.{name}"), "a role that its tokens don't say")),
    }
}
