//! A publication: one numbered folder, all its files and their manifest.

use std::collections::{BTreeMap, BTreeSet};

use coldsign_verify::{Algorithm, Digest};

use super::fault::PublishFault;
use super::fingerprint::sha256_hex;
use super::material::{Export, PublishedKey, ServiceMaterial};
use super::page::{self, Edition, Of};
use super::sheet::ServiceSheet;
use super::{environment, key_files, manifest, revoked};

/// The files of one publication, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Its number, from 1.
    pub seq: u64,
    /// Path relative to the publication's folder, with forward slashes → bytes; `SHA256SUMS` included.
    pub files: BTreeMap<String, Vec<u8>>,
    /// SHA-256 of `SHA256SUMS`, lower-case hex: what people compare by another way.
    pub manifest_sha256: String,
    /// SHA-256 and `exp` (seconds since the epoch) of its bundle; a folder for one service has none.
    pub bundle: Option<(Digest, u64)>,
}

/// The name of a publication's folder: `coldsign-publication-000001`.
#[must_use]
pub fn folder_name(seq: u64) -> String {
    format!("coldsign-publication-{seq:06}")
}

/// Builds a folder of these services without a bundle; the same input gives the same bytes.
///
/// `made_at` is Unix seconds. `certificates` holds a PEM certificate for each key of a service that takes them, by
/// the key's RFC 7638 thumbprint. The order of `services` does not matter; that of a service's keys is kept.
///
/// # Errors
/// When a service can't be published as its policy says. Nothing is published by halves.
pub fn build(
    seq: u64,
    store_id: &str,
    made_at: u64,
    services: &[ServiceMaterial],
    certificates: &BTreeMap<String, String>,
) -> Result<Publication, PublishFault> {
    let made = page::date(made_at)?;
    let edition = Edition { of: Of::Publication(seq), store_id, made: &made, root_version: None };
    Ok(sealed(seq, folder_files(&edition, services, certificates)?))
}

/// What the operator of a single-key service installs at a swap, by file name; else as [`build`].
///
/// # Errors
/// As [`build`].
pub fn for_swap(
    store_id: &str,
    made_at: u64,
    service: &ServiceMaterial,
    certificates: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<u8>>, PublishFault> {
    let made = page::date(made_at)?;
    check_name(&service.service)?;
    service_files(&Edition { of: Of::Swap, store_id, made: &made, root_version: None }, service, certificates)
}

/// Adds the manifest, over everything else.
pub(super) fn sealed(seq: u64, mut files: BTreeMap<String, Vec<u8>>) -> Publication {
    let manifest = manifest::manifest(&files);
    let manifest_sha256 = sha256_hex(manifest.as_bytes());
    files.insert(manifest::NAME.to_owned(), manifest.into_bytes());
    Publication { seq, files, manifest_sha256, bundle: None }
}

/// Every file of these services, by path.
pub(super) fn folder_files(
    edition: &Edition<'_>,
    services: &[ServiceMaterial],
    certificates: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<u8>>, PublishFault> {
    if let Of::Publication(seq) = edition.of
        && !(1..=999_999).contains(&seq)
    {
        return Err(PublishFault::Number { seq });
    }
    let mut files = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for service in services {
        check_name(&service.service)?;
        if !seen.insert(&service.service) {
            return Err(PublishFault::DuplicateService { service: service.service.clone() });
        }
        for (name, bytes) in service_files(edition, service, certificates)? {
            files.insert(format!("for-{}/{name}", service.service), bytes);
        }
    }
    Ok(files)
}

/// Everything in `for-<service>/`, by name.
fn service_files(
    edition: &Edition<'_>,
    service: &ServiceMaterial,
    certificates: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<u8>>, PublishFault> {
    let installed = service.installed()?;
    let algorithm = one_algorithm(service)?;
    check_distinct(service)?;

    let mut files = key_files::key_files(service, &installed, certificates)?;
    if service.exports(Export::FednEnv) {
        files.insert("fedn.env".to_owned(), environment::fedn(service, service.current()?)?.into_bytes());
    }
    if service.exports(Export::FlowapiEnv) {
        files.insert("flowapi.env".to_owned(), environment::flowapi(service, service.current()?)?.into_bytes());
    }
    if let Some(withdrawn) = &service.revoked {
        files.insert(revoked::NAME.to_owned(), revoked::revoked_file(service, withdrawn));
    }
    files.insert("service.json".to_owned(), ServiceSheet::new(service, algorithm, &installed).to_bytes());
    files.insert(page::NAME.to_owned(), page::page(edition, service, &installed)?.into_bytes());
    Ok(files)
}

fn check_name(service: &str) -> Result<(), PublishFault> {
    let is_safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if service.is_empty() || service.len() > 64 || !service.bytes().all(is_safe) {
        return Err(PublishFault::ServiceName { service: service.to_owned() });
    }
    Ok(())
}

fn one_algorithm(service: &ServiceMaterial) -> Result<Algorithm, PublishFault> {
    let mut algorithms = service.keys.iter().map(|key| key.key.algorithm());
    let first = algorithms.next().ok_or_else(|| PublishFault::NoKeys { service: service.service.clone() })?;
    match algorithms.find(|other| *other != first) {
        Some(second) => Err(PublishFault::MixedAlgorithms { service: service.service.clone(), first, second }),
        None => Ok(first),
    }
}

fn check_distinct(service: &ServiceMaterial) -> Result<(), PublishFault> {
    let twice = |names: fn(&PublishedKey) -> Vec<String>| {
        let mut seen = BTreeSet::new();
        service.keys.iter().flat_map(names).find(|kid| !seen.insert(kid.clone()))
    };
    let kids = |key: &PublishedKey| key.kids().map(str::to_owned).collect();
    match twice(kids).or_else(|| twice(|key| vec![key.key.thumbprint()])) {
        Some(kid) => Err(PublishFault::DuplicateKey { service: service.service.clone(), kid }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use coldsign_verify::jws;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::material::Consumer;
    use super::super::test_keys::{self, api, fedn, flowapi, registry};
    use super::super::{Change, Substance, certificate, difference, snippets_in, verify_folder};
    use super::*;
    use crate::refusal::Refuse;

    const MADE: u64 = 1_795_369_200;

    fn certificates() -> BTreeMap<String, String> {
        let key = test_keys::p256();
        let pem = certificate::make(&key, &key.public, "registry/1", [7; 16], MADE, MADE + 86_400).unwrap();
        BTreeMap::from([(key.public.thumbprint(), pem)])
    }

    fn built(services: &[ServiceMaterial]) -> Publication {
        build(1, "store", MADE, services, &certificates()).unwrap()
    }

    fn rule(services: &[ServiceMaterial]) -> &'static str {
        build(1, "store", MADE, services, &certificates()).unwrap_err().rule().unwrap()
    }

    fn text<'a>(publication: &'a Publication, path: &str) -> &'a str {
        std::str::from_utf8(&publication.files[path]).unwrap()
    }

    #[test]
    fn a_publication_has_each_service_in_its_own_folder() {
        let publication = built(&[api(), fedn(), flowapi(), registry()]);
        let key = |seed| test_keys::ed25519(seed).public.thumbprint();
        let (rsa, p256) = (test_keys::rsa().public.thumbprint(), test_keys::p256().public.thumbprint());
        let mut expected: Vec<_> = [
            "SHA256SUMS",
            "for-api/START-HERE.html",
            "for-api/jwks.json",
            "for-api/service.json",
            "for-fed/START-HERE.html",
            "for-fed/fedn.env",
            "for-fed/service.json",
            "for-flow/START-HERE.html",
            "for-flow/flowapi.env",
            "for-flow/service.json",
            "for-registry/START-HERE.html",
            "for-registry/certificates.pem",
            "for-registry/service.json",
        ]
        .map(str::to_owned)
        .into();
        expected.push(format!("for-fed/key-{}.pem", key(3)));
        expected.push(format!("for-flow/key-{rsa}.pem"));
        expected.push(format!("for-registry/key-{p256}.crt.pem"));
        expected.sort();
        assert_eq!(publication.files.keys().cloned().collect::<Vec<_>>(), expected);
        assert_eq!(verify_folder(&publication.files), Ok(()));
        assert_eq!(publication.manifest_sha256, sha256_hex(&publication.files["SHA256SUMS"]));
        assert!(publication.files.keys().all(|path| path == "SHA256SUMS" || manifest::is_safe(path)));
        assert_eq!(folder_name(publication.seq), "coldsign-publication-000001");
    }

    #[test]
    fn no_folder_holds_a_key_of_another_service() {
        let publication = built(&[api(), fedn(), flowapi(), registry()]);
        for (seed, folder) in [(1, "for-api/"), (2, "for-api/"), (3, "for-fed/")] {
            let key = test_keys::ed25519(seed).public.thumbprint();
            for (path, bytes) in publication.files.iter().filter(|(path, _)| *path != "SHA256SUMS") {
                let holds = String::from_utf8_lossy(bytes).contains(&key);
                assert!(!holds || path.starts_with(folder), "{path}");
            }
        }
    }

    #[test]
    fn an_overlap_service_gets_all_its_keys_and_a_single_key_service_the_one_that_signs() {
        let count = |service: ServiceMaterial| {
            let publication = built(&[service]);
            let set: Value = serde_json::from_slice(&publication.files["for-api/jwks.json"]).unwrap();
            set["keys"].as_array().unwrap().len()
        };
        assert_eq!(count(api()), 2);
        assert_eq!(count(ServiceMaterial { consumer: Consumer::SingleKey, ..api() }), 1);

        let mut paused = ServiceMaterial { consumer: Consumer::SingleKey, ..api() };
        paused.keys[1].signs_now = false;
        assert_eq!(rule(&[paused.clone()]), "PUBLISH-NO-SIGNING-KEY");
        paused.keys.pop();
        assert_eq!(count(paused), 1, "a service whose only key is paused keeps it");

        let mut two = ServiceMaterial { consumer: Consumer::SingleKey, ..api() };
        two.keys[0].signs_now = true;
        assert_eq!(rule(&[two.clone()]), "PUBLISH-SEVERAL-KEYS");
        assert_eq!(count(ServiceMaterial { consumer: Consumer::Overlap, ..two.clone() }), 2);
        two.consumer = Consumer::Overlap;
        two.exports.push(Export::FednEnv);
        assert_eq!(rule(&[two]), "PUBLISH-SEVERAL-KEYS", "an env file holds one key, whoever reads it");
    }

    #[test]
    fn every_key_form_is_the_same_key() {
        let all =
            ServiceMaterial { exports: vec![Export::SpkiPem, Export::SpkiPemBase64, Export::SingleJwks], ..registry() };
        let publication = built(&[all]);
        let key = test_keys::p256().public;
        let stem = format!("for-registry/key-{}", key.thumbprint());
        let pem = text(&publication, &format!("{stem}.pem"));
        assert_eq!(coldsign_verify::PublicKey::from_spki_pem(Algorithm::Es256, pem), Ok(key.clone()));
        assert!(pem.ends_with("-----END PUBLIC KEY-----\n"));
        use base64::Engine;
        let base64 = text(&publication, &format!("{stem}.pem.b64"));
        let decoded = base64::engine::general_purpose::STANDARD.decode(base64.trim_end()).unwrap();
        assert_eq!(decoded, pem.as_bytes());
        let set = coldsign_verify::Jwks::parse(text(&publication, &format!("{stem}.jwks.json")).as_bytes()).unwrap();
        assert_eq!(set.get(&super::super::libtrust_kid(&key)), Some(&key), "the kid is that of token headers");
    }

    #[test]
    fn what_can_not_be_published_is_refused_by_its_rule() {
        let (seq, date) = (build(0, "s", MADE, &[], &certificates()), build(1, "s", u64::MAX, &[], &certificates()));
        assert_eq!(seq.unwrap_err().rule(), Some("PUBLISH-NUMBER"));
        assert_eq!(build(1_000_000, "s", MADE, &[], &certificates()).unwrap_err().rule(), Some("PUBLISH-NUMBER"));
        assert_eq!(date.unwrap_err().rule(), Some("PUBLISH-DATE"));
        for name in ["", "Api", "../x", "a/b", "a b", "a.b", &"x".repeat(65)] {
            assert_eq!(rule(&[ServiceMaterial { service: name.to_owned(), ..api() }]), "PUBLISH-SERVICE-NAME");
        }
        assert_eq!(rule(&[api(), api()]), "PUBLISH-DUPLICATE-SERVICE");
        assert_eq!(rule(&[ServiceMaterial { keys: vec![], ..api() }]), "PUBLISH-NO-KEYS");
        assert_eq!(rule(&[ServiceMaterial { keys: vec![], ..fedn() }]), "PUBLISH-NO-KEYS");

        let mut same_kid = api();
        same_kid.keys[1].kid = same_kid.keys[0].kid.clone();
        assert_eq!(rule(&[same_kid]), "PUBLISH-DUPLICATE-KEY");
        let mut same_key = api();
        same_key.keys[1].key = same_key.keys[0].key.clone();
        assert_eq!(rule(&[same_key]), "PUBLISH-DUPLICATE-KEY");
        let mut mixed = api();
        mixed.keys.push(test_keys::p256().published("api/3", false));
        assert_eq!(rule(&[mixed]), "PUBLISH-MIXED-ALGORITHMS");
    }

    #[test]
    fn a_kept_kid_is_an_entry_of_its_own_wherever_kids_stand() {
        let mut service = ServiceMaterial { exports: vec![Export::Jwks, Export::SingleJwks, Export::SpkiPem], ..api() };
        service.keys[0].kept_kid = Some("prod-2024".to_owned());
        let (first, second) = (service.keys[0].clone(), service.keys[1].clone());
        let publication = built(&[service.clone()]);
        let kids = |name: &str| {
            let set: Value = serde_json::from_slice(&publication.files[&format!("for-api/{name}")]).unwrap();
            let kids = set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
            kids.collect::<Vec<_>>()
        };
        let all = [first.kid.clone(), "prod-2024".to_owned(), second.kid.clone()];
        assert_eq!(kids("jwks.json"), all);
        assert_eq!(kids("service.json"), all);
        assert_eq!(kids(&format!("key-{}.jwks.json", first.key.thumbprint())), all[..2]);
        assert!(text(&publication, "for-api/START-HERE.html").contains("prod-2024"));
        let sheet = ServiceSheet::parse(&publication.files["for-api/service.json"]).unwrap();
        assert_eq!(sheet.jwks().unwrap().get("prod-2024"), Some(&first.key));
        let set = coldsign_verify::Jwks::parse(&publication.files["for-api/jwks.json"]).unwrap();
        assert_eq!(set.get("prod-2024"), set.get(&first.kid));

        let mut taken = service.clone();
        taken.keys[1].kept_kid = Some("prod-2024".to_owned());
        assert_eq!(rule(&[taken]), "PUBLISH-DUPLICATE-KEY");
        let mut taken = service.clone();
        taken.keys[0].kept_kid = Some(second.kid.clone());
        assert_eq!(rule(&[taken]), "PUBLISH-DUPLICATE-KEY");
        service.keys[0].kept_kid = Some(first.kid.clone());
        assert_eq!(
            built(&[service]).files.get("for-api/jwks.json"),
            built(&[ServiceMaterial { exports: vec![Export::Jwks], ..api() }]).files.get("for-api/jwks.json"),
            "its own kid is no further one"
        );
    }

    #[test]
    fn an_audience_is_there_exactly_where_the_profile_has_one() {
        assert_eq!(rule(&[ServiceMaterial { audience: None, ..flowapi() }]), "PUBLISH-AUDIENCE");
        assert_eq!(rule(&[ServiceMaterial { audience: None, ..api() }]), "PUBLISH-AUDIENCE");
        assert_eq!(rule(&[ServiceMaterial { audience: Some("x".to_owned()), ..fedn() }]), "PUBLISH-AUDIENCE");
        built(&[ServiceMaterial { audience: None, ..registry() }]);
    }

    #[test]
    fn a_certificate_must_be_there_and_over_that_key_alone() {
        let with = |pem: String| {
            let certificates = BTreeMap::from([(test_keys::p256().public.thumbprint(), pem)]);
            build(1, "store", MADE, &[registry()], &certificates).map_err(|fault| fault.rule().unwrap())
        };
        let missing = build(1, "store", MADE, &[registry()], &BTreeMap::new());
        assert_eq!(missing.unwrap_err().rule(), Some("PUBLISH-NO-CERTIFICATE"));
        let good = certificates().into_values().next().unwrap();
        assert!(with(good.clone()).is_ok());
        assert!(with(good.replace('\n', "\r\n")).is_ok());
        let other = test_keys::ed25519(1);
        let other = certificate::make(&other, &other.public, "x", [1; 16], MADE, MADE + 1).unwrap();
        let smuggled = format!("{good}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        for pem in [other, smuggled, good.repeat(2), String::new()] {
            assert_eq!(with(pem), Err("PUBLISH-FOREIGN-CERTIFICATE"));
        }
    }

    #[test]
    fn only_number_and_date_make_no_difference() {
        let of = |seq, store, services: &[ServiceMaterial]| {
            Substance::of(&build(seq, store, MADE + seq, services, &certificates()).unwrap().files)
        };
        let old = of(1, "store", &[api(), fedn()]);
        assert_eq!(difference(&old, &of(2, "store", &[fedn(), api()])), vec![]);
        let longer = ServiceMaterial { leeway_seconds: 5, ..api() };
        let changed = |name: &str| Change::Changed(format!("for-api/{name}"));
        assert_eq!(
            difference(&old, &of(2, "store", &[longer, fedn()])),
            vec![changed("START-HERE.html"), changed("service.json")]
        );
        let changes = difference(&old, &of(2, "store", &[api(), flowapi()]));
        assert!(changes.contains(&Change::Added("for-flow/flowapi.env".to_owned())));
        assert!(changes.contains(&Change::Removed("for-fed/fedn.env".to_owned())));
    }

    #[test]
    fn a_token_is_verified_by_the_published_folder_alone() {
        let publication = built(&[fedn()]);
        let sheet = ServiceSheet::parse(&publication.files["for-fed/service.json"]).unwrap();
        let verifier = coldsign_verify::Verifier::new(sheet.jwks().unwrap(), sheet.expectations().unwrap());
        let token = |project: &str| {
            let claims = format!(
                r#"{{"sub":"client-1","jti":"1","role":"client","project":"{project}","iat":{MADE},"nbf":{MADE},"exp":{}}}"#,
                MADE + 60
            );
            jws::assemble(&test_keys::ed25519(3), "JWT", claims.as_bytes()).unwrap()
        };
        let now = coldsign_verify::UnixTime(MADE + 1);
        assert_eq!(verifier.verify(&token("ward7"), now).unwrap().subject(), Some("client-1"));
        assert!(verifier.verify(&token("ward8"), now).is_err());
    }

    proptest! {
        #[test]
        fn whatever_the_strings_a_publication_is_whole_public_and_repeatable(
            issuer in any::<String>(), audience in any::<String>(), role in any::<String>(), name in any::<String>(),
            claim in any::<(String, String)>(), store in any::<String>(), leeway in any::<u64>(),
        ) {
            let mut service = ServiceMaterial {
                issuer, audience: Some(audience), roles: vec![role], custom_claim: Some(claim),
                leeway_seconds: leeway,
                exports: vec![Export::Jwks, Export::SpkiPem, Export::SpkiPemBase64, Export::SingleJwks],
                ..api()
            };
            service.keys[0].name = name;
            let services = [service.clone()];
            let publication = build(1, &store, MADE, &services, &BTreeMap::new()).unwrap();
            prop_assert_eq!(&publication, &build(1, &store, MADE, &services, &BTreeMap::new()).unwrap());
            prop_assert_eq!(verify_folder(&publication.files), Ok(()));

            let sheet = ServiceSheet::parse(&publication.files["for-api/service.json"]).unwrap();
            prop_assert_eq!(sheet.to_bytes(), publication.files["for-api/service.json"].clone());
            prop_assert_eq!((&sheet.issuer, &sheet.audience), (&service.issuer, &service.audience));
            prop_assert_eq!(&sheet.custom_claim, &service.custom_claim);

            for (path, bytes) in publication.files.iter().filter(|(path, _)| path.ends_with(".json")) {
                let set = coldsign_verify::json::parse(bytes).unwrap();
                for key in set["keys"].as_array().unwrap() {
                    // RFC 7518 §6: the public members of our kinds, and nothing else.
                    let public = ["kty", "crv", "x", "kid", "alg", "use"];
                    prop_assert!(key.as_object().unwrap().keys().all(|m| public.contains(&m.as_str())), "{}", path);
                }
            }
            let page = std::str::from_utf8(&publication.files["for-api/START-HERE.html"]).unwrap();
            prop_assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
            let plain = build(1, "s", MADE, &[api()], &BTreeMap::new()).unwrap();
            let plain = text(&plain, "for-api/START-HERE.html").matches('<').count();
            prop_assert!(page.matches('<').count() >= plain);
            prop_assert!(!page.contains("<script"));
            let foreign = page.split('<').skip(1).all(|tag| {
                let tag = tag.trim_start_matches('/');
                ["!DOCTYPE", "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "strong", "em",
                 "a ", "a>", "dl", "dt", "dd", "code", "br", "div", "ol", "li", "pre"].iter().any(|known| tag.starts_with(known))
            });
            prop_assert!(foreign);
            prop_assert_eq!(snippets_in(page).iter().filter(|block| block.language == "python").count(), 1);
        }
    }
}
