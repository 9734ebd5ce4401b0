//! `START-HERE.html`: one service's folder explained to whoever installs it.
//!
//! Self-contained: no script, nothing loaded. Every string that is not ours goes through [`text`].

use coldsign_verify::Algorithm;
use coldsign_verify::escape::escaped_up_to;

use super::fault::PublishFault;
use super::fingerprint::fingerprint;
use super::key_files::key_file;
use super::material::{Consumer, Export, PublishedKey, ServiceMaterial};
use super::snippets::{python_literal, snippets};

/// The page's name in a service's folder.
pub(super) const NAME: &str = "START-HERE.html";

const STYLE: &str = include_str!("page.css");
/// How the one line begins that differs between editions of the same substance.
pub(super) const EDITION: &str = "<p class=\"edition\">";

/// What a folder is.
#[derive(Clone, Copy)]
pub(super) enum Of {
    /// That of a service, in the publication of that number.
    Publication(u64),
    /// What the operator of a single-key service installs at a swap.
    Swap,
}

impl std::fmt::Display for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Publication(seq) => write!(f, "Publication {seq}"),
            Self::Swap => f.write_str("For the swap of a key"),
        }
    }
}

/// Which folder a page belongs to.
pub(super) struct Edition<'a> {
    pub(super) of: Of,
    pub(super) store_id: &'a str,
    /// For people: `2026-11-22 17:40 UTC`.
    pub(super) made: &'a str,
    /// The newest root, where the folder has a bundle that `coldsign-gate` installs.
    pub(super) root_version: Option<u64>,
}

/// The page of a service that installs these keys.
pub(super) fn page(
    edition: &Edition<'_>,
    service: &ServiceMaterial,
    installed: &[&PublishedKey],
) -> Result<String, PublishFault> {
    let algorithm = installed.first().map(|key| key.key.algorithm());
    let sections = [
        expectations(service, algorithm)?,
        edition.root_version.map(|root_version| with_gate(service, root_version)).unwrap_or_default(),
        installing(service, installed, algorithm)?,
        keys(edition.of, installed)?,
        comparing(edition.of, service, installed),
        code(service)?,
    ];
    let name = text(&service.service);
    let genuine = match edition.root_version {
        Some(_) => "let <code>coldsign-gate</code> check it, or",
        None => "so",
    };
    let body = format!(
        r##"<h1>Keys for {name}</h1>
{EDITION}{of} of store {store}, made {made}</p>
<p>This folder holds the public keys by which the service <strong>{name}</strong> checks its access tokens. Nothing in it is secret; that it is <em>genuine</em> is what matters: {genuine} <a href="#compare">compare the fingerprints</a> before installing.</p>
{sections}"##,
        of = edition.of,
        store = text(edition.store_id),
        made = text(edition.made),
        sections = sections.concat(),
    );
    Ok(document(&format!("Keys for {name}"), &body))
}

/// A page of ours: it loads nothing and has no script. Title and body are HTML already.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        r##"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
{body}</body>
</html>
"##
    )
}

/// How a machine with the gate installs: nobody compares anything there but the root, once.
fn with_gate(service: &ServiceMaterial, root_version: u64) -> String {
    let name = text(&service.service);
    format!(
        "<h2>With <code>coldsign-gate</code></h2>\n<p>It checks the signature over every file before it writes one, and refuses an older publication. In the folder above this one, once:</p>\n<pre data-language=\"sh\">coldsign-gate pin ./root.{root_version}.json --name {name}-1 \\\n    --fingerprint &#39;…&#39;\n</pre>\n<p>The fingerprint is 64 hex digits or 24 words. Your administrator reads it from the signing machine by telephone, or brings it on paper; never take it from the stick. Later roots are followed without it. Then, with each publication:</p>\n<pre data-language=\"sh\">coldsign-gate install . --export /etc/{name}/keys --service {name} \\\n    --reload &#39;systemctl restart {name}&#39;\n</pre>\n<p>The directory then holds the files below, exchanged all at once; point the service there. A refusal says why, and changes nothing. Without the gate, install by hand:</p>\n"
    )
}

/// A page's bytes without the line that names its edition.
pub(super) fn without_edition(page: &[u8]) -> Vec<u8> {
    let lines = page.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !line.starts_with(EDITION.as_bytes())).flatten().copied().collect()
}

/// Text from a page, entities resolved.
pub(super) fn unescaped(html: &str) -> String {
    html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

fn expectations(service: &ServiceMaterial, algorithm: Option<Algorithm>) -> Result<String, PublishFault> {
    let mut facts = vec![
        ("Profile", format!("<code>{}</code>", service.profile)),
        ("Algorithm", format!("<code>{}</code> and no other", algorithm.map(|a| a.to_string()).unwrap_or_default())),
        ("Type (typ)", format!("<code>{}</code>", service.profile.typ())),
        (
            "Issuer (iss)",
            match service.issuer_in_tokens() {
                Some(issuer) => format!("<code>{}</code>", text(issuer)),
                None => format!("not in these tokens (they come from <code>{}</code>)", text(&service.issuer)),
            },
        ),
        (
            "Audience (aud)",
            match service.audience_in_tokens()? {
                Some(audience) => format!("<code>{}</code>", text(audience)),
                None => "none: a token that carries one is not for this service".to_owned(),
            },
        ),
    ];
    if let Some((name, value)) = &service.custom_claim {
        facts.push(("Further claim", format!("<code>{}</code> = <code>{}</code>", text(name), text(value))));
    }
    facts.push(("Clock leeway", format!("{} s", service.leeway_seconds)));
    facts.push(("Longest validity", format!("{} (exp − iat)", duration(service.longest_validity_seconds))));
    if !service.roles.is_empty() {
        let roles: Vec<_> = service.roles.iter().map(|role| format!("<code>{}</code>", text(role))).collect();
        facts.push(("Roles", roles.join(", ")));
    }
    let facts: String = facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n")).collect();
    Ok(format!(
        "<h2>What a valid token looks like</h2>\n<dl>\n{facts}</dl>\n<p>The same for programs: <code>service.json</code>.</p>\n"
    ))
}

fn installing(
    service: &ServiceMaterial,
    installed: &[&PublishedKey],
    algorithm: Option<Algorithm>,
) -> Result<String, PublishFault> {
    let mut ways: Vec<_> = service.exports.clone();
    ways.sort();
    ways.dedup();
    let mut html = String::from("<h2>What goes where</h2>\n");
    for export in ways {
        html.push_str(&match export {
            Export::Jwks => jwks_way(service)?,
            Export::SpkiPem => each_key(installed, "pem", pem_users(algorithm)),
            Export::SpkiPemBase64 => each_key(installed, "pem.b64", "the PEM file in one line of base64: for settings that can't hold line ends."),
            Export::SingleJwks => each_key(installed, "jwks.json", "a key set of exactly one key: for software that takes no more, such as ejabberd (<code>jwt_key</code>)."),
            Export::X509 => certificate_way(service, algorithm)?,
            Export::FednEnv => fedn_way(service)?,
            Export::FlowapiEnv => flowapi_way(service)?,
        });
    }
    if service.revoked.is_some() {
        html.push_str("<h3><code>revoked.json</code></h3>\n<p>What was withdrawn before its time. A program that checks tokens reads it beside the keys, as those below do; replace it together with them.</p>\n");
    }
    html.push_str(match service.consumer {
        Consumer::Overlap => "<p>Replace the old file as a whole: a key that is no longer in it must no longer be accepted. Most services read keys only when they start, so restart them.</p>\n",
        Consumer::SingleKey => "<p>This service holds one key at a time: the new one takes the place of the old one, at the time your administrator names. Restart it then.</p>\n",
    });
    Ok(html)
}

fn jwks_way(service: &ServiceMaterial) -> Result<String, PublishFault> {
    let mut html = String::from(
        "<h3><code>jwks.json</code></h3>\n<p>All keys of this service as a JWK Set (RFC 7517). Point the service's JWT library at this file.</p>\n",
    );
    if let (Some(issuer), Some(audience)) = (service.issuer_in_tokens(), service.audience_in_tokens()?) {
        let (issuer, audience) = (quoted(issuer), quoted(audience));
        html.push_str(&format!(
            "<p>Envoy, filter <code>jwt_authn</code>:</p>\n<pre data-language=\"yaml\">providers:\n  coldsign:\n    issuer: {issuer}\n    audiences: [{audience}]\n    require_expiration: true\n    local_jwks: {{ filename: /etc/envoy/{name}-jwks.json }}\n</pre>\n",
            name = text(&service.service),
        ));
    }
    Ok(html)
}

fn fedn_way(service: &ServiceMaterial) -> Result<String, PublishFault> {
    let current = key_file(service.current()?, "pem");
    Ok(format!(
        "<h3><code>fedn.env</code></h3>\n<p>The environment of FEDn's controller and combiner (<code>FEDN_JWT_SECRET_KEY</code> and <code>FEDN_JWT_ALGORITHM</code>): name it as <code>env_file</code> in compose, as <code>EnvironmentFile</code> in systemd, or with <code>docker run --env-file</code>. The key stands in one line, which needs the Python package cryptography 42 or newer; with an older one set</p>\n<pre data-language=\"sh\">export FEDN_JWT_SECRET_KEY=\"$(cat ./{current})\"\n</pre>\n",
    ))
}

fn flowapi_way(service: &ServiceMaterial) -> Result<String, PublishFault> {
    let current = key_file(service.current()?, "pem");
    Ok(format!(
        "<h3><code>flowapi.env</code></h3>\n<p>The environment of FlowAPI: <code>PUBLIC_JWT_SIGNING_KEY</code> and <code>FLOWAPI_IDENTIFIER</code>. With docker secrets instead, the secret <code>PUBLIC_JWT_SIGNING_KEY</code> takes <code>{current}</code> as it is.</p>\n",
    ))
}

fn certificate_way(service: &ServiceMaterial, algorithm: Option<Algorithm>) -> Result<String, PublishFault> {
    let mut html = String::from(
        "<h3><code>certificates.pem</code></h3>\n<p>An X.509 certificate over every key, for software that reads nothing else; <code>key-….crt.pem</code> is each of them alone.</p>\n",
    );
    // docker-registry 2 does not start when its bundle holds an Ed25519 key.
    let registry = matches!(algorithm, Some(Algorithm::Es256 | Algorithm::Rs256));
    if let (true, Some(issuer), Some(audience)) = (registry, service.issuer_in_tokens(), service.audience_in_tokens()?)
    {
        let (issuer, audience) = (quoted(issuer), quoted(audience));
        html.push_str(&format!(
            "<p>Container registry (docker-registry), <code>config.yml</code>; <code>realm</code> is yours:</p>\n<pre data-language=\"yaml\">auth:\n  token:\n    realm: https://registry.example.org/token\n    service: {audience}\n    issuer: {issuer}\n    rootcertbundle: /etc/docker/registry/certificates.pem\n</pre>\n",
        ));
    }
    Ok(html)
}

fn pem_users(algorithm: Option<Algorithm>) -> &'static str {
    match algorithm {
        Some(Algorithm::Es256 | Algorithm::Rs256) => {
            "the public key as PEM: for software that takes a key file, such as RabbitMQ (<code>auth_oauth2.signing_keys</code>) or HAProxy (<code>jwt_verify</code>)."
        }
        _ => "the public key as PEM: for software that takes a key file.",
    }
}

fn each_key(installed: &[&PublishedKey], extension: &str, what: &str) -> String {
    let files: Vec<_> = installed.iter().map(|key| format!("<code>{}</code>", key_file(key, extension))).collect();
    format!("<h3>{}</h3>\n<p>For each key {what}</p>\n", files.join("<br>"))
}

fn keys(of: Of, installed: &[&PublishedKey]) -> Result<String, PublishFault> {
    let mut html = String::from("<h2>Keys</h2>\n");
    for key in installed {
        let state = match (key.signs_now, key.verify_until) {
            (true, _) => match of {
                Of::Publication(_) => "signs tokens now".to_owned(),
                Of::Swap => "signs tokens from the swap on".to_owned(),
            },
            (false, Some(until)) => {
                format!("signs no more; its last tokens are valid until {}", date(until.saturating_add(59))?)
            }
            (false, None) => "does not sign now; its tokens are accepted".to_owned(),
        };
        let kept = key.kids().nth(1).map_or(String::new(), |kid| {
            format!("<p>tokens from before carry the kid <code>{}</code></p>\n", text(kid))
        });
        html.push_str(&format!(
            "<div class=\"key\">\n<p><strong>{name}</strong> — {state}</p>\n<p>kid <code>{kid}</code></p>\n{kept}<p class=\"fingerprint\">{fingerprint}</p>\n</div>\n",
            name = text(&key.name),
            kid = text(&key.kid),
            fingerprint = fingerprint(&key.key),
        ));
    }
    html.push_str("<p>The fingerprint is SHA-256 over the key's SubjectPublicKeyInfo (DER).</p>\n");
    Ok(html)
}

fn comparing(of: Of, service: &ServiceMaterial, installed: &[&PublishedKey]) -> String {
    let mut html = String::from(
        r#"<h2 id="compare">Is it genuine?</h2>
<p>This page came with the files, so it can't vouch for them. Compare by another way than the one the folder came by: the administrator reads the values from the signing machine's screen by telephone, or brings them on paper.</p>
"#,
    );
    html.push_str(match of {
        Of::Publication(_) => {
            "<ol>
<li>In the folder above this one, <code>sha256sum -c SHA256SUMS</code> must say OK for every file: the copy is whole.</li>
<li>There, <code>sha256sum SHA256SUMS</code> must give the digest that the signing machine printed for this publication: then every file is the one it made.</li>
<li>Or compare each key's fingerprint, computed here from the key file; it vouches for that file alone:</li>
</ol>
"
        }
        Of::Swap => "<p>The key's fingerprint, computed here from the key file, must be the one that the signing machine printed:</p>\n",
    });
    let pem = service.exports.iter().any(|e| matches!(e, Export::SpkiPem | Export::FednEnv | Export::FlowapiEnv));
    let commands: Vec<_> = installed
        .iter()
        .filter_map(|key| match (pem, service.exports(Export::X509)) {
            (true, _) => {
                Some(format!("openssl pkey -pubin -in ./{} -outform DER \\\n  | sha256sum\n", key_file(key, "pem")))
            }
            (false, true) => Some(format!(
                "openssl x509 -in ./{} -noout -pubkey \\\n  | openssl pkey -pubin -outform DER | sha256sum\n",
                key_file(key, "crt.pem")
            )),
            (false, false) => None,
        })
        .collect();
    let commands = match commands.is_empty() {
        true => fingerprints(service.keys_file()),
        false => commands.concat(),
    };
    html.push_str(&format!("<pre data-language=\"sh\">{}</pre>\n", text_block(&commands)));
    html
}

/// A command that prints the fingerprint of every key of a set by Node alone.
fn fingerprints(keys_file: &str) -> String {
    format!(
        r#"node -e '
const {{ createHash, createPublicKey }} = require("node:crypto");
for (const key of require("./{keys_file}").keys) {{
  const der = createPublicKey({{ key, format: "jwk" }}).export({{ format: "der", type: "spki" }});
  const digest = createHash("sha256").update(der).digest("hex");
  console.log(key.kid, digest.match(/.{{4}}/g).join(" "));
}}'
"#
    )
}

fn code(service: &ServiceMaterial) -> Result<String, PublishFault> {
    let mut html = String::from(
        "<h2>In your own code</h2>\n<p>Each program reads a token from standard input, in this folder, and prints its claims or why it refuses. Never take the algorithm from the token, and never try keys one after the other: the <code>kid</code> names the key, the key decides the algorithm.</p>\n",
    );
    for snippet in snippets(service)? {
        html.push_str(&format!(
            "<h3>{language}: <code>{file}</code></h3>\n<p><code>{install}</code></p>\n<pre data-language=\"{language_id}\" data-file=\"{file}\">{source}</pre>\n",
            language = match snippet.language {
                "python" => "Python",
                "javascript" => "Node",
                _ => "Rust",
            },
            language_id = snippet.language,
            file = snippet.file_name,
            install = text(snippet.install),
            source = text_block(&snippet.source),
        ));
    }
    Ok(html)
}

/// A moment as people read it, in UTC.
///
/// # Errors
/// Beyond the year 9999.
pub(super) fn date(seconds: u64) -> Result<String, PublishFault> {
    let moment = i64::try_from(seconds).ok().and_then(|signed| jiff::Timestamp::from_second(signed).ok());
    moment.map(|moment| moment.strftime("%Y-%m-%d %H:%M UTC").to_string()).ok_or(PublishFault::Date { seconds })
}

/// Days, hours, minutes and seconds, as far as there are any.
fn duration(seconds: u64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// A string in double quotes as YAML reads it (its escapes are those of Python), safe in HTML.
fn quoted(value: &str) -> String {
    text_block(&python_literal(value))
}

/// A string of somebody else's: nothing in it is markup, and nothing in it deceives a reader.
pub(super) fn text(value: &str) -> String {
    text_block(&escaped_up_to(value, 1000).to_string())
}

/// A text of our own making that has line ends.
fn text_block(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publishing::test_keys::{api, registry};

    #[test]
    fn nothing_from_outside_moves_the_cursor_turns_the_text_or_hides() {
        let hostile = "a\u{1b}[2J\u{9b}\u{202e}\u{2066}\u{200b}\u{feff}\r\u{7}b</pre><script>&\"'";
        let mut service = ServiceMaterial {
            issuer: hostile.to_owned(),
            audience: Some(hostile.to_owned()),
            custom_claim: Some((hostile.to_owned(), hostile.to_owned())),
            roles: vec![hostile.to_owned()],
            exports: vec![Export::Jwks, Export::X509],
            ..registry()
        };
        service.keys[0].name = hostile.to_owned();
        service.keys[0].kid = hostile.to_owned();
        let edition = Edition { of: Of::Publication(1), store_id: hostile, made: "now", root_version: Some(1) };
        let page = page(&edition, &service, &[&service.keys[0]]).unwrap();
        assert!(page.contains("rootcertbundle") && page.contains("local_jwks"));
        let deceptive = |c: &char| (c.is_control() && *c != '\n') || "\u{202e}\u{2066}\u{200b}\u{feff}".contains(*c);
        assert_eq!(page.chars().find(deceptive), None);
        assert!(!page.contains("<script"));
    }

    #[test]
    fn the_edition_is_one_line() {
        let service = api();
        let installed: Vec<_> = service.keys.iter().collect();
        let of = |edition| page(&edition, &service, &installed).unwrap();
        let first = of(Edition { of: Of::Publication(1), store_id: "one", made: "then", root_version: None });
        let second = of(Edition { of: Of::Publication(2), store_id: "two", made: "now", root_version: None });
        assert_ne!(first, second);
        assert_eq!(without_edition(first.as_bytes()), without_edition(second.as_bytes()));
        let line = first.lines().find(|line| line.starts_with(EDITION)).unwrap();
        assert_eq!(without_edition(first.as_bytes()).len(), first.len() - line.len() - 1);
    }

    #[test]
    fn durations_are_said_in_whole_units() {
        assert_eq!(duration(0), "0 s");
        assert_eq!(duration(2_592_060), "30 d 1 min");
        assert_eq!(duration(43_201), "12 h 1 s");
    }
}
