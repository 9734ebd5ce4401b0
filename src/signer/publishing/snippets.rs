//! Code that checks a token by the files of one service's folder: shown on its page, run by tests as it stands.

use coldsign_verify::{Algorithm, Profile};

use super::fault::PublishFault;
use super::material::ServiceMaterial;
use super::page;

/// One program: reads a token from stdin in the service's folder, prints its claims, exits 1 on a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// `python`, `javascript` or `rust`.
    pub language: &'static str,
    /// A name to save it under; where the language needs one, also its module kind.
    pub file_name: &'static str,
    /// What must be there to run it: a shell command.
    pub install: &'static str,
    /// The program.
    pub source: String,
}

/// The programs for a service, in the languages whose usual library knows its algorithm.
///
/// # Errors
/// When the service has no key or no audience though its profile has one.
pub fn snippets(service: &ServiceMaterial) -> Result<Vec<Snippet>, PublishFault> {
    let facts = Facts::of(service)?;
    let mut snippets = Vec::new();
    // PyJWT does not know RFC 9864's name `Ed25519`.
    if facts.algorithm != Algorithm::Ed25519 {
        snippets.push(Snippet {
            language: "python",
            file_name: "check_token.py",
            install: "pip install 'pyjwt[crypto]>=2.10'",
            source: facts.python(),
        });
    }
    snippets.push(Snippet {
        language: "javascript",
        file_name: "check_token.mjs",
        install: "npm install jose",
        source: facts.javascript(),
    });
    snippets.push(Snippet {
        language: "rust",
        file_name: "main.rs",
        install: "cargo add serde_json && cargo add --path ../coldsign/src/verify",
        source: facts.rust(),
    });
    Ok(snippets)
}

/// One `<pre data-language="…">` of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageBlock {
    /// `python`, `javascript`, `rust`, `sh` or `yaml`.
    pub language: String,
    /// The name to save a program under (`data-file`); shell lines and settings have none.
    pub file_name: Option<String>,
    /// The text, entities resolved.
    pub source: String,
}

/// Every block of code on a page, in order.
#[must_use]
pub fn snippets_in(html: &str) -> Vec<PageBlock> {
    html.split("<pre ")
        .skip(1)
        .filter_map(|rest| {
            let (attributes, rest) = rest.split_once('>')?;
            let (source, _) = rest.split_once("</pre>")?;
            let attribute = |name: &str| {
                let (_, value) = attributes.split_once(&format!("{name}=\""))?;
                value.split_once('"').map(|(value, _)| value.to_owned())
            };
            Some(PageBlock {
                language: attribute("data-language")?,
                file_name: attribute("data-file"),
                source: page::unescaped(source),
            })
        })
        .collect()
}

/// What a program has to enforce.
struct Facts<'a> {
    keys_file: &'static str,
    algorithm: Algorithm,
    profile: Profile,
    issuer: Option<&'a str>,
    audience: Option<&'a str>,
    claim: Option<(&'a str, &'a str)>,
    leeway: u64,
    longest: u64,
    /// Whether what was withdrawn lies beside the keys.
    revoked: bool,
}

impl<'a> Facts<'a> {
    fn of(service: &'a ServiceMaterial) -> Result<Self, PublishFault> {
        let first = service.installed()?.into_iter().next();
        let first = first.ok_or_else(|| PublishFault::NoKeys { service: service.service.clone() })?;
        Ok(Self {
            keys_file: service.keys_file(),
            algorithm: first.key.algorithm(),
            profile: service.profile,
            issuer: service.issuer_in_tokens(),
            audience: service.audience_in_tokens()?,
            claim: service.custom_claim.as_ref().map(|(name, value)| (name.as_str(), value.as_str())),
            leeway: service.leeway_seconds,
            longest: service.longest_validity_seconds,
            revoked: service.revoked.is_some(),
        })
    }

    fn required(&self) -> Vec<&'static str> {
        let mut claims = vec!["exp", "iat", "sub", "jti"];
        match self.profile {
            Profile::Rfc9068 => claims.extend(["iss", "aud", "client_id"]),
            Profile::FlowKit => claims.extend(["aud", "user_claims"]),
            Profile::Fedn => claims.push("role"),
            Profile::Plain => claims.push("iss"),
        }
        claims
    }

    fn python(&self) -> String {
        // RFC 7515 §4.1.9: compared without case, `application/` may be left out.
        let typ = self.profile.typ().to_lowercase();
        let mut checks = vec![format!("algorithms=[\"{}\"]", self.algorithm)];
        checks.extend(self.issuer.map(|issuer| format!("issuer={}", python_literal(issuer))));
        // Without `audience` PyJWT refuses a token that carries one, which is what we want then.
        checks.extend(self.audience.map(|audience| format!("audience={}", python_literal(audience))));
        checks.push(format!("leeway={}", self.leeway));
        checks.push(format!("options={{\"require\": {:?}}}", self.required()));
        let checks: String = checks.iter().map(|check| format!("        {check},\n")).collect();
        let claim = self.claim.map_or(String::new(), |(name, value)| {
            let (name, value) = (python_literal(name), python_literal(value));
            format!("    if claims.get({name}) != {value}:\n        raise jwt.InvalidTokenError(\"wrong claim \" + {name})\n")
        });
        let (read, lookup) = match self.revoked {
            true => (
                PYTHON_REVOKED,
                "    if is_revoked(header, claims):\n        raise jwt.InvalidTokenError(\"revoked\")\n",
            ),
            false => ("", ""),
        };
        format!(
            r#"import json
import sys

import jwt

with open("{keys_file}", encoding="utf-8") as file:
    KEYS = {{key.key_id: key for key in jwt.PyJWKSet.from_dict(json.load(file)).keys}}
{read}

def check(token):
    header = jwt.get_unverified_header(token)
    if set(header) != {{"alg", "kid", "typ"}}:
        raise jwt.InvalidTokenError("unexpected header")
    if str(header["typ"]).lower() not in ("{typ}", "application/{typ}"):
        raise jwt.InvalidTokenError("wrong typ")
    if header["kid"] not in KEYS:
        raise jwt.InvalidTokenError("unknown kid")
    claims = jwt.decode(
        token,
        KEYS[header["kid"]],
{checks}    )
    if claims["exp"] - claims["iat"] > {longest}:
        raise jwt.InvalidTokenError("valid for too long")
{claim}{lookup}    return claims


if __name__ == "__main__":
    try:
        print(json.dumps(check(sys.stdin.read().strip())))
    except jwt.PyJWTError as refusal:
        sys.exit(f"refused: {{refusal}}")
"#,
            keys_file = self.keys_file,
            longest = self.longest,
        )
    }

    fn javascript(&self) -> String {
        let mut checks =
            vec![format!("algorithms: [\"{}\"]", self.algorithm), format!("typ: \"{}\"", self.profile.typ())];
        checks.extend(self.issuer.map(|issuer| format!("issuer: {}", javascript_literal(issuer))));
        checks.extend(self.audience.map(|audience| format!("audience: {}", javascript_literal(audience))));
        checks.push(format!("clockTolerance: {}", self.leeway));
        checks.push(format!("requiredClaims: {:?}", self.required()));
        let checks: String = checks.iter().map(|check| format!("    {check},\n")).collect();
        let mut refusals = vec![("typeof protectedHeader.kid !== \"string\"".to_owned(), "\"no kid\"".to_owned())];
        // Without `audience` jose lets any audience pass.
        if self.audience.is_none() {
            refusals.push(("\"aud\" in payload".to_owned(), "\"unexpected audience\"".to_owned()));
        }
        refusals.push((format!("payload.exp - payload.iat > {}", self.longest), "\"valid for too long\"".to_owned()));
        refusals.extend(self.claim.map(|(name, value)| {
            let (name, value) = (javascript_literal(name), javascript_literal(value));
            (format!("payload[{name}] !== {value}"), format!("\"wrong claim \" + {name}"))
        }));
        if self.revoked {
            refusals.push(("isRevoked(protectedHeader, payload)".to_owned(), "\"revoked\"".to_owned()));
        }
        let read = if self.revoked { JAVASCRIPT_REVOKED } else { "" };
        let refusals: String =
            refusals.iter().map(|(when, why)| format!("  if ({when}) throw new Error({why});\n")).collect();
        format!(
            r#"import {{ readFileSync }} from "node:fs";
import {{ createLocalJWKSet, jwtVerify }} from "jose";

const keys = createLocalJWKSet(JSON.parse(readFileSync("{keys_file}", "utf8")));
{read}
export async function check(token) {{
  const {{ payload, protectedHeader }} = await jwtVerify(token, keys, {{
{checks}  }});
{refusals}  return payload;
}}

try {{
  console.log(JSON.stringify(await check(readFileSync(0, "utf8").trim())));
}} catch (refusal) {{
  console.error(`refused: ${{refusal.message}}`);
  process.exitCode = 1;
}}
"#,
            keys_file = self.keys_file,
        )
    }

    fn rust(&self) -> String {
        let literal = |text: Option<&str>| rust_literal(text.unwrap_or_default());
        let optional =
            |text: Option<&str>| text.map_or("None".to_owned(), |text| format!("Some({})", rust_literal(text)));
        let profile = match self.profile {
            Profile::Rfc9068 => format!("rfc9068({}, {})", literal(self.issuer), literal(self.audience)),
            Profile::FlowKit => format!("flowkit({})", literal(self.audience)),
            Profile::Fedn => "fedn(None)".to_owned(),
            Profile::Plain => format!("plain({}, {})", optional(self.issuer), optional(self.audience)),
        };
        let claim = self.claim.map_or(String::new(), |(name, value)| {
            format!("\n        .claim({}, {})", rust_literal(name), rust_literal(value))
        });
        let (read, arm, function) = match self.revoked {
            true => (RUST_READ, RUST_ARM, RUST_REVOKED),
            false => ("", "", ""),
        };
        format!(
            r#"use std::time::{{SystemTime, UNIX_EPOCH}};

use coldsign_verify::{{Expectations, Jwks, UnixTime, Verifier}};

fn main() -> Result<(), Box<dyn std::error::Error>> {{
    let keys = Jwks::parse(&std::fs::read("{keys_file}")?)?;
    let expectations = Expectations::{profile}
        .leeway({leeway})
        .longest_validity({longest}){claim};
    let verifier = Verifier::new(keys, expectations);
{read}
    let token = std::io::read_to_string(std::io::stdin())?;
    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    match verifier.verify(token.trim(), now) {{
{arm}        Ok(token) => println!("{{}}", serde_json::to_string(token.claims())?),
        Err(refusal) => {{
            eprintln!("refused: {{refusal}}");
            std::process::exit(1);
        }}
    }}
    Ok(())
}}
{function}"#,
            keys_file = self.keys_file,
            leeway = self.leeway,
            longest = self.longest,
        )
    }
}

// How a program reads `revoked.json`: docs/formats/revoked-v1.md.

const PYTHON_REVOKED: &str = r#"with open("revoked.json", encoding="utf-8") as file:
    REVOKED = json.load(file)
if (REVOKED["format"], REVOKED["version"]) != ("coldsign-revoked", 1):
    sys.exit("revoked.json is of another version")


def is_revoked(header, claims):
    latest = max(
        REVOKED["everything"],
        REVOKED["kids"].get(header["kid"], 0),
        REVOKED["subjects"].get(claims["sub"], 0),
        REVOKED["roles"].get(str(claims.get("role")), 0),
    )
    return claims["iat"] <= latest or claims["jti"] in REVOKED["tokens"]

"#;

const JAVASCRIPT_REVOKED: &str = r#"const revoked = JSON.parse(readFileSync("revoked.json", "utf8"));
if (revoked.format !== "coldsign-revoked" || revoked.version !== 1) throw new Error("revoked.json is of another version");

function isRevoked(header, claims) {
  const until = (table, name) => (Object.hasOwn(table, name) ? table[name] : 0);
  const latest = Math.max(
    revoked.everything,
    until(revoked.kids, header.kid),
    until(revoked.subjects, claims.sub),
    until(revoked.roles, claims.role ?? ""),
  );
  return claims.iat <= latest || Object.hasOwn(revoked.tokens, claims.jti);
}
"#;

const RUST_READ: &str = r#"    let revoked: serde_json::Value = serde_json::from_slice(&std::fs::read("revoked.json")?)?;
    if revoked["format"] != "coldsign-revoked" || revoked["version"] != 1 {
        return Err("revoked.json is of another version".into());
    }
"#;

const RUST_ARM: &str = r#"        Ok(token) if is_revoked(&revoked, &token) => {
            eprintln!("refused: revoked");
            std::process::exit(1);
        }
"#;

const RUST_REVOKED: &str = r#"
fn is_revoked(revoked: &serde_json::Value, token: &coldsign_verify::VerifiedToken) -> bool {
    let claims = token.claims();
    let text = |claim: &str| claims.get(claim).and_then(serde_json::Value::as_str).unwrap_or_default();
    let until = |table: &str, name: &str| revoked[table].get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let latest = [
        revoked["everything"].as_u64().unwrap_or(u64::MAX),
        until("kids", token.kid()),
        until("subjects", text("sub")),
        until("roles", text("role")),
    ];
    let issued = claims.get("iat").and_then(serde_json::Value::as_u64).unwrap_or(0);
    latest.into_iter().any(|at| issued <= at) || revoked["tokens"].get(text("jti")).is_some()
}
"#;

pub(super) fn python_literal(text: &str) -> String {
    literal(text, |c| match u32::from(c) {
        short @ 0..=0xffff => format!("\\u{short:04x}"),
        long => format!("\\U{long:08x}"),
    })
}

fn javascript_literal(text: &str) -> String {
    literal(text, |c| c.escape_unicode().to_string())
}

fn rust_literal(text: &str) -> String {
    literal(text, |c| c.escape_unicode().to_string())
}

/// A double-quoted literal in plain ASCII; everything that could end it or hide is a numbered escape.
fn literal(text: &str, numbered: impl Fn(char) -> String) -> String {
    let body: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            ' '..='~' => c.to_string(),
            _ => numbered(c),
        })
        .collect();
    format!("\"{body}\"")
}

#[cfg(test)]
mod tests {
    use coldsign_verify::PublicKey;

    use super::*;
    use crate::publishing::test_keys::{api, fedn, flowapi, registry};
    use crate::publishing::{Export, build};

    #[test]
    fn literals_can_not_be_left() {
        let hostile = "a\"); import os #\\\n\u{202e}é😀";
        assert_eq!(python_literal(hostile), r#""a\"); import os #\\\u000a\u202e\u00e9\U0001f600""#);
        assert_eq!(javascript_literal(hostile), r#""a\"); import os #\\\u{a}\u{202e}\u{e9}\u{1f600}""#);
    }

    #[test]
    fn the_programs_on_the_page_are_those_given_out() {
        for service in [api(), fedn(), flowapi(), registry()] {
            let certificates = std::collections::BTreeMap::new();
            let service = ServiceMaterial { exports: vec![Export::SpkiPem], ..service };
            let publication = build(1, "store", 0, std::slice::from_ref(&service), &certificates).unwrap();
            let page = &publication.files[&format!("for-{}/START-HERE.html", service.service)];
            let on_page: Vec<_> = snippets_in(std::str::from_utf8(page).unwrap())
                .into_iter()
                .filter_map(|block| Some((block.language, block.file_name?, block.source)))
                .collect();
            let given: Vec<_> = snippets(&service)
                .unwrap()
                .into_iter()
                .map(|snippet| (snippet.language.to_owned(), snippet.file_name.to_owned(), snippet.source))
                .collect();
            assert_eq!(on_page, given);
            assert_eq!(given.len(), 3);
        }
    }

    #[test]
    fn there_is_no_program_for_a_library_that_does_not_know_the_algorithm() {
        let mut service = api();
        service.keys.truncate(1);
        let der = service.keys[0].key.to_spki_der();
        service.keys[0].key = PublicKey::from_spki_der(Algorithm::Ed25519, &der).unwrap();
        assert!(snippets(&service).unwrap().iter().all(|snippet| snippet.language != "python"));
    }
}
