//! The policy that `init` writes: commented, and working as it stands.

use coldsign_verify::Algorithm;

/// What a new store begins with.
#[derive(Debug, Clone)]
pub struct StarterPlan {
    /// The issuer (`iss`), named in a comment only: it belongs to the store.
    pub issuer: String,
    /// Its keysets.
    pub keysets: Vec<StarterKeyset>,
    /// Its services.
    pub services: Vec<StarterService>,
}

/// A keyset to begin with.
#[derive(Debug, Clone)]
pub struct StarterKeyset {
    /// Its name.
    pub name: String,
    /// What its keys sign with.
    pub algorithm: Algorithm,
    /// RS256 only: 2048, 3072 or 4096.
    pub bits: Option<u32>,
}

/// A service to begin with.
#[derive(Debug, Clone)]
pub struct StarterService {
    /// Its name.
    pub name: String,
    /// The keyset that signs for it.
    pub keyset: String,
    /// What it is.
    pub kind: StarterKind,
}

/// What a service to begin with is.
#[derive(Debug, Clone)]
pub enum StarterKind {
    /// An HTTP API, RFC 9068-shaped.
    Api {
        /// Its `aud`.
        audience: String,
    },
    /// A FEDn network: roles client, combiner and admin.
    Fedn {
        /// Where its clients find it.
        discover_host: Option<String>,
        /// The port there.
        discover_port: Option<u16>,
    },
    /// A FlowAPI server: the role analyst.
    FlowKit {
        /// Its identifier.
        audience: String,
    },
    /// A proxy or anything else that checks registered claims.
    Plain {
        /// Its `aud`; without one the keyset serves it alone.
        audience: Option<String>,
    },
}

impl StarterPlan {
    /// A plan for these services, with the keysets they need: `default` (EdDSA) where an audience
    /// tells services apart, one of its own where not, RS256 for FlowKit.
    pub fn with(issuer: &str, services: Vec<(String, StarterKind)>) -> Self {
        let mut plan = Self { issuer: issuer.to_owned(), keysets: Vec::new(), services: Vec::new() };
        for (name, kind) in services {
            let (keyset, algorithm, bits) = match &kind {
                StarterKind::Api { .. } | StarterKind::Plain { audience: Some(_) } => {
                    ("default".to_owned(), Algorithm::EdDsa, None)
                }
                StarterKind::FlowKit { .. } => (name.clone(), Algorithm::Rs256, Some(2048)),
                StarterKind::Fedn { .. } | StarterKind::Plain { audience: None } => {
                    (name.clone(), Algorithm::EdDsa, None)
                }
            };
            if !plan.keysets.iter().any(|known| known.name == keyset) {
                plan.keysets.push(StarterKeyset { name: keyset.clone(), algorithm, bits });
            }
            plan.services.push(StarterService { name, keyset, kind });
        }
        plan
    }
}

/// Writes the policy.
pub fn starter(plan: &StarterPlan) -> String {
    let mut text = String::from(HEAD);
    text.push_str(&format!("# Tokens carry the issuer {} where their profile has one.\n", comment(&plan.issuer)));
    text.push_str(PREAMBLE);
    text.push_str(KEYSETS);
    for keyset in &plan.keysets {
        text.push_str(&format!(
            "\n[keysets.{}]\nalgorithm = {}\n",
            key(&keyset.name),
            quoted(&keyset.algorithm.to_string())
        ));
        if let (Algorithm::Rs256, Some(bits)) = (keyset.algorithm, keyset.bits) {
            text.push_str(&format!("bits = {bits}\n"));
        }
    }
    text.push_str(SERVICES);
    for service in &plan.services {
        text.push_str(&section(service));
    }
    text
}

fn section(service: &StarterService) -> String {
    let name = key(&service.name);
    let keyset = quoted(&service.keyset);
    match &service.kind {
        StarterKind::Api { audience } => format!(
            "\n[services.{name}]                  # an HTTP API that checks RFC 9068-shaped tokens\nkeyset = {keyset}\n\
             audience = {}\n\n[services.{name}.roles.reader]\ndescription = \"Read data\"\nscopes = [\"data:read\"]\n\n\
             [services.{name}.roles.writer]\ndescription = \"Read and change data\"\n\
             scopes = [\"data:read\", \"data:write\"]\ndefault_lifetime = \"8h\"\nlongest_lifetime = \"7d\"\n",
            quoted(audience)
        ),
        StarterKind::Fedn { discover_host, discover_port } => {
            let host = discover_host.as_deref().map_or_else(
                || "# discover_host = \"fedn.example.org\"   # written into client.yaml\n".to_owned(),
                |host| format!("discover_host = {}\n", quoted(host)),
            );
            let port = discover_port
                .map_or_else(|| "# discover_port = 8092\n".to_owned(), |port| format!("discover_port = {port}\n"));
            format!(
                "\n[services.{name}]                  # a FEDn network; its keyset serves nothing else\n\
                 profile = \"fedn\"\nkeyset = {keyset}\n{host}{port}\
                 # custom_claim = {{ name = \"project\", value = \"my-study\" }}   # if FEDN_JWT_CUSTOM_CLAIM_KEY is set\n\n\
                 [services.{name}.roles.client]     # holders get a client.yaml\n\
                 description = \"A federated client\"\ndefault_lifetime = \"30d\"\nlongest_lifetime = \"90d\"\n\n\
                 [services.{name}.roles.combiner]\ndescription = \"A combiner that announces itself\"\n\
                 default_lifetime = \"30d\"\nlongest_lifetime = \"90d\"\n\n\
                 [services.{name}.roles.admin]\ndescription = \"Manages the network by APIClient\"\n\
                 default_lifetime = \"12h\"\nlongest_lifetime = \"7d\"\n"
            )
        }
        StarterKind::FlowKit { audience } => format!(
            "\n[services.{name}]                  # a FlowAPI server; audience is its FLOWAPI_IDENTIFIER\n\
             profile = \"flowkit\"\nkeyset = {keyset}\naudience = {}\n\n\
             [services.{name}.roles.analyst]    # all scopes of one query have to stand in one role\n\
             description = \"Runs queries and reads results\"\n\
             scopes = [\"run\", \"get_result\", \"available_dates\", \"daily_location\", \"daily_location:admin3\"]\n\
             default_lifetime = \"12h\"\nlongest_lifetime = \"30d\"\n",
            quoted(audience)
        ),
        StarterKind::Plain { audience } => {
            let audience =
                audience.as_deref().map_or_else(String::new, |audience| format!("audience = {}\n", quoted(audience)));
            format!(
                "\n[services.{name}]                  # a proxy that checks registered claims\n\
                 profile = \"plain\"\nkeyset = {keyset}\n{audience}\n\
                 [services.{name}.roles.user]\ndescription = \"May pass\"\n\
                 # claims = {{ tenant = \"north\", login = {{ from = \"subject\" }} }}   # typed, no templates\n"
            )
        }
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A bare TOML key, or a quoted one.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A text that can't leave a comment.
fn comment(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

const HEAD: &str = "\
# What coldsign may sign. Nothing that this file doesn't name is ever issued.
# After an edit: coldsign policy check, coldsign policy diff, coldsign policy apply.
";

const PREAMBLE: &str = "
format = \"coldsign-policy\"
version = 1

[timing]
skew = \"60s\"               # the largest difference between this clock and a service's
backdate = \"60s\"           # how far tokens are dated back for it; at least skew

[distribution]             # when a new key may sign: see coldsign key activate
publish_every = \"30d\"      # the longest interval between two publications
delivery = \"14d\"           # from publishing to the file on the last machine
reload = \"1d\"              # from the file to the running service
lost_sticks = 1            # sticks that may get lost in a row
# bundle_lifetime = \"120d\"  # how long what verifiers hold stays valid; keysets have rotate_every = \"180d\"
";

const KEYSETS: &str = "
# Keysets: algorithm is EdDSA, ES256 or RS256 (bits 2048, 3072, 4096), or Ed25519 for the few
# libraries that know EdDSA by its newer name only.
";

const SERVICES: &str = "
# Services and their roles. A role may also have scopes, groups, claims, a token_form …
# Lifetimes: default_lifetime without --lifetime (12h), longest_lifetime at the most (30d).
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuing::Policy;
    use proptest::prelude::*;

    fn everything() -> StarterPlan {
        StarterPlan::with(
            "https://signer.example.org",
            vec![
                ("api".into(), StarterKind::Api { audience: "https://api.example.org".into() }),
                (
                    "fedn".into(),
                    StarterKind::Fedn { discover_host: Some("fedn.example.org".into()), discover_port: Some(8092) },
                ),
                ("fedn-two".into(), StarterKind::Fedn { discover_host: None, discover_port: None }),
                ("flowapi".into(), StarterKind::FlowKit { audience: "flowapi.example.org".into() }),
                ("proxy".into(), StarterKind::Plain { audience: Some("proxy".into()) }),
                ("lone".into(), StarterKind::Plain { audience: None }),
            ],
        )
    }

    #[test]
    fn the_starter_works_as_it_stands() {
        let policy = Policy::parse(&starter(&everything())).unwrap();
        assert_eq!(policy.keysets().count(), 5);
        assert_eq!(policy.services().count(), 6);
        assert_eq!(policy.service("fedn").unwrap().discover_port, Some(8092));
        assert_eq!(policy.keyset("flowapi").unwrap().bits, Some(2048));
    }

    proptest! {
        #[test]
        fn what_is_typed_at_init_stays_inside_its_field(issuer in ".*", audience in "\\PC{1,40}") {
            let plan = StarterPlan::with(&issuer, vec![("api".into(), StarterKind::Api { audience: audience.clone() })]);
            if let Ok(policy) = Policy::parse(&starter(&plan)) {
                prop_assert_eq!(policy.services().count(), 1);
                prop_assert_eq!(policy.service("api").unwrap().audience.as_deref(), Some(audience.as_str()));
            } else {
                let unseen = coldsign_verify::escape::first_deceptive(&format!("{issuer}{audience}")).is_some();
                prop_assert!(unseen || crate::issuing::text::check(&audience).is_err());
            }
        }
    }
}
