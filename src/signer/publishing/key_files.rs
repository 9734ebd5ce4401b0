//! Keys in the file forms that services take.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fault::PublishFault;
use super::material::{Export, PublishedKey, ServiceMaterial};

/// Everything but environment files: name → bytes, for the keys that the service installs.
pub(super) fn key_files(
    service: &ServiceMaterial,
    installed: &[&PublishedKey],
    certificates: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<u8>>, PublishFault> {
    let mut files = BTreeMap::new();
    if service.exports(Export::Jwks) {
        files.insert("jwks.json".to_owned(), pretty(&key_set(installed)));
    }
    for key in installed {
        // An env file's PEM lies beside it as a file too: for whoever must read it into a variable by hand.
        let holds_pem =
            service.exports(Export::SpkiPem) || service.exports(Export::FednEnv) || service.exports(Export::FlowapiEnv);
        if holds_pem {
            files.insert(key_file(key, "pem"), pem(key).into_bytes());
        }
        if service.exports(Export::SpkiPemBase64) {
            files.insert(key_file(key, "pem.b64"), format!("{}\n", STANDARD.encode(pem(key))).into_bytes());
        }
        if service.exports(Export::SingleJwks) {
            files.insert(key_file(key, "jwks.json"), pretty(&key_set(&[key])));
        }
    }
    if service.exports(Export::X509) {
        let mut all = String::new();
        for key in installed {
            let certificate = certificate(service, key, certificates)?;
            all.push_str(&certificate);
            files.insert(key_file(key, "crt.pem"), certificate.into_bytes());
        }
        files.insert("certificates.pem".to_owned(), all.into_bytes());
    }
    Ok(files)
}

/// `key-<thumbprint>.<extension>`: a thumbprint may begin with `-`, and a libtrust id has `:`, which FAT has not.
pub(super) fn key_file(key: &PublishedKey, extension: &str) -> String {
    format!("key-{}.{extension}", key.key.thumbprint())
}

/// A JWK Set (RFC 7517 §5) of these keys, in this order, each once for every `kid` of its tokens.
pub(super) fn key_set(keys: &[&PublishedKey]) -> Value {
    let entries = keys.iter().flat_map(|key| key.kids().map(|kid| key.key.to_jwk(kid)));
    json!({ "keys": entries.collect::<Vec<_>>() })
}

/// The key as one PEM block ending in one line end.
pub(super) fn pem(key: &PublishedKey) -> String {
    let mut pem = key.key.to_spki_pem();
    pem.truncate(pem.trim_end().len());
    pem.push('\n');
    pem
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn certificate(
    service: &ServiceMaterial,
    key: &PublishedKey,
    certificates: &BTreeMap<String, String>,
) -> Result<String, PublishFault> {
    let pem = certificates
        .get(&key.key.thumbprint())
        .ok_or_else(|| PublishFault::NoCertificate { service: service.service.clone(), key: key.name.clone() })?;
    let text = pem.replace("\r\n", "\n");
    // Carrying the key's SPKI is what makes it this key's: whoever has the key can't be fooled by the rest.
    let over_this_key = certificate_der(&text).is_some_and(|der| contains(&der, &key.key.to_spki_der()));
    if !over_this_key {
        return Err(PublishFault::ForeignCertificate { service: service.service.clone(), key: key.name.clone() });
    }
    Ok(format!("{}\n", text.trim()))
}

/// The DER of a text that is exactly one `CERTIFICATE` block.
fn certificate_der(text: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix("-----BEGIN CERTIFICATE-----\n")?;
    let body = body.strip_suffix("\n-----END CERTIFICATE-----")?;
    STANDARD.decode(body.replace('\n', "")).ok()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
