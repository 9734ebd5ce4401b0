//! `service.json`: what a verifier of one service must expect, and the keys it checks by.

use coldsign_verify::{Algorithm, Expectations, Jwks, Profile, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::material::{Consumer, PublishedKey, ServiceMaterial};
use crate::refusal::Refuse;

const FORMAT: &str = "coldsign-service";
const VERSION: u64 = 1;

/// The expectations of one service, as published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSheet {
    /// The service's name.
    pub service: String,
    /// The claim layout.
    pub profile: Profile,
    /// The store's issuer; only profiles with `iss` put it into tokens.
    pub issuer: String,
    /// The `aud` of its tokens, where the profile has one.
    pub audience: Option<String>,
    /// The one algorithm of its keys.
    pub algorithm: Algorithm,
    /// How the service reads keys.
    pub consumer: Consumer,
    /// Clock leeway in seconds.
    pub leeway_seconds: u64,
    /// The longest `exp` − `iat`, in seconds.
    pub longest_validity_seconds: u64,
    /// An exact further claim that every token carries.
    pub custom_claim: Option<(String, String)>,
    /// The names of its roles.
    pub roles: Vec<String>,
    /// `kid` and key, as the service installs them.
    pub keys: Vec<(String, PublicKey)>,
}

impl ServiceSheet {
    /// The sheet of a service that installs these keys, all for `algorithm`.
    pub(super) fn new(service: &ServiceMaterial, algorithm: Algorithm, installed: &[&PublishedKey]) -> Self {
        Self {
            service: service.service.clone(),
            profile: service.profile,
            issuer: service.issuer.clone(),
            audience: service.audience.clone(),
            algorithm,
            consumer: service.consumer,
            leeway_seconds: service.leeway_seconds,
            longest_validity_seconds: service.longest_validity_seconds,
            custom_claim: service.custom_claim.clone(),
            roles: service.roles.clone(),
            keys: installed.iter().flat_map(|key| key.kids().map(|kid| (kid.to_owned(), key.key.clone()))).collect(),
        }
    }

    /// Reads a `service.json`.
    ///
    /// Nothing unknown, duplicate, `null` or differently spelled passes: the bytes must say exactly what
    /// [`Self::to_bytes`] says, blanks and the order of members aside.
    ///
    /// # Errors
    /// When the bytes are not such a file of version 1, or its keys contradict it.
    pub fn parse(bytes: &[u8]) -> Result<Self, SheetFault> {
        let value = coldsign_verify::json::parse(bytes).map_err(|fault| SheetFault::Members(fault.to_string()))?;
        let format = value.get("format").and_then(Value::as_str).unwrap_or_default();
        let version = value.get("version").and_then(Value::as_u64);
        if format != FORMAT || version != Some(VERSION) {
            return Err(SheetFault::Format { format: format.to_owned(), version });
        }
        let members: Members =
            serde_json::from_value(value.clone()).map_err(|fault| SheetFault::Members(fault.to_string()))?;
        let sheet = Self::from_members(members)?;
        if serde_json::to_value(sheet.members()).ok() != Some(value) {
            return Err(SheetFault::Members("a member is null or a key has members of its own".to_owned()));
        }
        Ok(sheet)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings, numbers and string-keyed maps: there is nothing here that JSON could refuse.
        let json = serde_json::to_string_pretty(&self.members()).unwrap_or_default();
        (json + "\n").into_bytes()
    }

    /// What a [`coldsign_verify::Verifier`] for this service must expect.
    ///
    /// # Errors
    /// When the profile needs an audience and the sheet has none.
    pub fn expectations(&self) -> Result<Expectations, SheetFault> {
        let audience = || self.audience.as_deref().ok_or(SheetFault::NoAudience { profile: self.profile });
        let expectations = match self.profile {
            Profile::Rfc9068 => Expectations::rfc9068(&self.issuer, audience()?),
            Profile::FlowKit => Expectations::flowkit(audience()?),
            Profile::Fedn => Expectations::fedn(None),
            Profile::Plain => Expectations::plain(Some(&self.issuer), self.audience.as_deref()),
        };
        let expectations = expectations.leeway(self.leeway_seconds).longest_validity(self.longest_validity_seconds);
        Ok(match &self.custom_claim {
            Some((name, value)) => expectations.claim(name, value.as_str()),
            None => expectations,
        })
    }

    /// The keys as the verifier takes them.
    ///
    /// # Errors
    /// When a `kid` stands twice.
    pub fn jwks(&self) -> Result<Jwks, SheetFault> {
        Jwks::new(self.keys.iter().cloned()).map_err(|fault| SheetFault::Keys(fault.to_string()))
    }

    fn members(&self) -> Members {
        let claims = self.custom_claim.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Members {
            format: FORMAT.to_owned(),
            version: VERSION,
            service: self.service.clone(),
            profile: self.profile.to_string(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithm: self.algorithm.to_string(),
            consumer: self.consumer.name().to_owned(),
            leeway_seconds: self.leeway_seconds,
            longest_validity_seconds: self.longest_validity_seconds,
            claims: claims.collect(),
            roles: self.roles.clone(),
            keys: self.keys.iter().map(|(kid, key)| key.to_jwk(kid)).collect(),
        }
    }

    fn from_members(members: Members) -> Result<Self, SheetFault> {
        let unknown = |member: &str, value: &str| SheetFault::Members(format!("unknown {member} {value:?}"));
        let algorithm: Algorithm = members.algorithm.parse().map_err(|_| unknown("algorithm", &members.algorithm))?;
        let sheet = Self {
            profile: members.profile.parse().map_err(|_| unknown("profile", &members.profile))?,
            consumer: Consumer::from_name(&members.consumer).ok_or_else(|| unknown("consumer", &members.consumer))?,
            keys: keys(&members.keys, algorithm)?,
            custom_claim: single_claim(members.claims)?,
            service: members.service,
            issuer: members.issuer,
            audience: members.audience,
            algorithm,
            leeway_seconds: members.leeway_seconds,
            longest_validity_seconds: members.longest_validity_seconds,
            roles: members.roles,
        };
        sheet.expectations()?;
        Ok(sheet)
    }
}

/// A refusal to take a `service.json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetFault {
    /// Another format, or a version that this program does not know.
    #[error("service.json has format {format:?} and version {}, not coldsign-service 1", version.map_or("none".to_owned(), |v| v.to_string()))]
    Format {
        /// Its `format`, or nothing.
        format: String,
        /// Its `version`, where it is a number.
        version: Option<u64>,
    },
    /// Not JSON, or a member is missing, unknown, twice there or of another type.
    #[error("service.json can't be read: {0}")]
    Members(String),
    /// The profile's tokens carry an audience and the file names none.
    #[error("service.json has no audience, which profile {profile} needs")]
    NoAudience {
        /// The profile.
        profile: Profile,
    },
    /// The keys are no key set, or not all for the algorithm it names.
    #[error("the keys of service.json can't be used: {0}")]
    Keys(String),
}

impl Refuse for SheetFault {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Format { .. } => "PUBLISH-SHEET-FORMAT",
            Self::Members(_) | Self::NoAudience { .. } => "PUBLISH-SHEET-MEMBERS",
            Self::Keys(_) => "PUBLISH-SHEET-KEYS",
        })
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Format { .. } => None,
            _ => Some("sha256sum -c SHA256SUMS".to_owned()),
        }
    }
}

fn single_claim(claims: Map<String, Value>) -> Result<Option<(String, String)>, SheetFault> {
    let mut claims = claims.into_iter();
    match (claims.next(), claims.next()) {
        (None, _) => Ok(None),
        (Some((name, Value::String(value))), None) => Ok(Some((name, value))),
        _ => Err(SheetFault::Members("`claims` has more than one member, or one that is no string".to_owned())),
    }
}

fn keys(keys: &[Value], algorithm: Algorithm) -> Result<Vec<(String, PublicKey)>, SheetFault> {
    let set = serde_json::json!({ "keys": keys }).to_string();
    let set = Jwks::parse(set.as_bytes()).map_err(|fault| SheetFault::Keys(fault.to_string()))?;
    let known: Vec<_> = set.keys().map(|key| (key.kid.clone(), key.key.clone())).collect();
    if known.is_empty() || known.len() != keys.len() {
        return Err(SheetFault::Keys("none is there, or one is of a kind unknown here".to_owned()));
    }
    match known.iter().find(|(_, key)| key.algorithm() != algorithm) {
        Some((kid, key)) => Err(SheetFault::Keys(format!("{kid} is for {}, not {algorithm}", key.algorithm()))),
        None => Ok(known),
    }
}

/// The JSON shape.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    format: String,
    version: u64,
    service: String,
    profile: String,
    issuer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    algorithm: String,
    consumer: String,
    leeway_seconds: u64,
    longest_validity_seconds: u64,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    claims: Map<String, Value>,
    roles: Vec<String>,
    keys: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::publishing::test_keys::{self, api, fedn};

    fn sheet(service: &ServiceMaterial) -> ServiceSheet {
        let keys: Vec<_> = service.keys.iter().collect();
        ServiceSheet::new(service, keys[0].key.algorithm(), &keys)
    }

    /// The refusal of a sheet after one change of its JSON.
    fn fault(change: impl FnOnce(&mut Value)) -> SheetFault {
        let mut value = serde_json::to_value(sheet(&fedn()).members()).unwrap();
        change(&mut value);
        ServiceSheet::parse(value.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn a_sheet_is_read_back_as_it_was_written() {
        for service in [api(), fedn(), test_keys::flowapi(), test_keys::registry()] {
            let sheet = sheet(&service);
            assert_eq!(ServiceSheet::parse(&sheet.to_bytes()), Ok(sheet));
        }
    }

    #[test]
    fn expectations_are_those_of_the_profile() {
        let expected = Expectations::rfc9068("https://signer.example.org", "https://api.example.org");
        assert_eq!(sheet(&api()).expectations(), Ok(expected.leeway(0).longest_validity(2_592_060)));
        let expected = Expectations::fedn(None).leeway(0).longest_validity(2_592_060).claim("project", "ward7");
        assert_eq!(sheet(&fedn()).expectations(), Ok(expected));
    }

    #[test]
    fn other_formats_and_versions_are_refused() {
        assert_eq!(fault(|sheet| sheet["version"] = json!(2)).rule(), Some("PUBLISH-SHEET-FORMAT"));
        assert_eq!(fault(|sheet| sheet["format"] = json!("coldsign-policy")).rule(), Some("PUBLISH-SHEET-FORMAT"));
        assert_eq!(ServiceSheet::parse(b"{}").unwrap_err().rule(), Some("PUBLISH-SHEET-FORMAT"));
    }

    #[test]
    fn nothing_unknown_absent_null_or_mistyped_passes() {
        let changes: [fn(&mut Value); 9] = [
            |sheet| sheet["extra"] = json!(1),
            |sheet| sheet["audience"] = Value::Null,
            |sheet| sheet["leeway_seconds"] = json!("0"),
            |sheet| sheet["leeway_seconds"] = json!(-1),
            |sheet| sheet["profile"] = json!("FEDn"),
            |sheet| sheet["consumer"] = json!("both"),
            |sheet| sheet["algorithm"] = json!("eddsa"),
            |sheet| sheet["claims"] = json!({ "a": "b", "c": "d" }),
            |sheet| drop(sheet.as_object_mut().unwrap().remove("issuer")),
        ];
        for change in changes {
            assert_eq!(fault(change).rule(), Some("PUBLISH-SHEET-MEMBERS"));
        }
        assert_eq!(
            fault(|sheet| sheet["profile"] = json!("rfc9068")),
            SheetFault::NoAudience { profile: Profile::Rfc9068 }
        );
        let twice = String::from_utf8(sheet(&fedn()).to_bytes()).unwrap().replacen('{', "{\"issuer\":\"x\",", 1);
        assert_eq!(ServiceSheet::parse(twice.as_bytes()).unwrap_err().rule(), Some("PUBLISH-SHEET-MEMBERS"));
    }

    #[test]
    fn keys_must_be_public_whole_and_of_the_one_algorithm() {
        let changes: [fn(&mut Value); 5] = [
            |sheet| sheet["keys"] = json!([]),
            |sheet| sheet["keys"][0]["d"] = json!("AAAA"),
            |sheet| sheet["algorithm"] = json!("ES256"),
            |sheet| sheet["keys"] = json!([sheet["keys"][0], sheet["keys"][0]]),
            |sheet| {
                sheet["keys"] = json!([sheet["keys"][0], { "kty": "AKP", "kid": "x", "alg": "ML-DSA-65", "pub": "AA" }])
            },
        ];
        for change in changes {
            assert_eq!(fault(change).rule(), Some("PUBLISH-SHEET-KEYS"));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = ServiceSheet::parse(&bytes);
        }
    }
}
