//! Environment files: exactly the variables that a stock service reads, in the one form every reader of such
//! files takes alike: `. file`, compose `env_file`, systemd `EnvironmentFile`, python-dotenv, `docker run --env-file`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coldsign_verify::Algorithm;

use super::fault::PublishFault;
use super::key_files;
use super::material::{Export, PublishedKey, ServiceMaterial};

/// `fedn.env` for FEDn 0.33: read once, when controller or combiner start.
///
/// # Errors
/// When FEDn does not know the algorithm, or a claim would not survive every reader.
pub(super) fn fedn(service: &ServiceMaterial, key: &PublishedKey) -> Result<String, PublishFault> {
    let algorithm = key.key.algorithm();
    if algorithm == Algorithm::Ed25519 {
        return Err(unknown_algorithm(service, Export::FednEnv, algorithm));
    }
    // Left unset the algorithm is HS256, so it is always written. PyJWT takes a PEM whose line ends have become
    // blanks; a line end inside a value is what not every reader takes.
    let key_in_one_line = key_files::pem(key).trim_end().replace('\n', " ");
    let mut lines = vec![
        format!("FEDN_JWT_ALGORITHM={algorithm}"),
        format!("FEDN_JWT_SECRET_KEY=\"{key_in_one_line}\""),
        "FEDN_AUTH_SCHEME=Bearer".to_owned(),
    ];
    if let Some((name, value)) = &service.custom_claim {
        lines.push(plain(service, "FEDN_JWT_CUSTOM_CLAIM_KEY", name)?);
        lines.push(plain(service, "FEDN_JWT_CUSTOM_CLAIM_VALUE", value)?);
    }
    Ok(lines.join("\n") + "\n")
}

/// `flowapi.env` for FlowAPI: algorithm and identity claim are fixed in its code and not read from here.
///
/// # Errors
/// When the key is not for RS256, or the audience is missing or would not survive every reader.
pub(super) fn flowapi(service: &ServiceMaterial, key: &PublishedKey) -> Result<String, PublishFault> {
    let algorithm = key.key.algorithm();
    if algorithm != Algorithm::Rs256 {
        return Err(unknown_algorithm(service, Export::FlowapiEnv, algorithm));
    }
    let audience = service.audience.as_deref().ok_or_else(|| PublishFault::NoAudience {
        service: service.service.clone(),
        wanted_by: Export::FlowapiEnv.name(),
    })?;
    Ok([
        format!("PUBLIC_JWT_SIGNING_KEY={}", STANDARD.encode(key_files::pem(key))),
        plain(service, "FLOWAPI_IDENTIFIER", audience)?,
        String::new(),
    ]
    .join("\n"))
}

fn unknown_algorithm(service: &ServiceMaterial, export: Export, algorithm: Algorithm) -> PublishFault {
    PublishFault::ExportAlgorithm { service: service.service.clone(), export, algorithm }
}

/// `NAME=value` with a value that needs no quotes anywhere.
fn plain(service: &ServiceMaterial, variable: &'static str, value: &str) -> Result<String, PublishFault> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/@%+,=-".contains(c);
    if value.is_empty() || !value.chars().all(is_plain) {
        return Err(PublishFault::EnvironmentValue {
            service: service.service.clone(),
            variable,
            value: value.to_owned(),
        });
    }
    Ok(format!("{variable}={value}"))
}

#[cfg(test)]
mod tests {
    use coldsign_verify::Profile;

    use super::*;
    use crate::publishing::test_keys::{self, fedn as fedn_service, flowapi as flowapi_service};
    use crate::refusal::Refuse;

    fn rule(made: Result<String, PublishFault>) -> &'static str {
        made.unwrap_err().rule().unwrap()
    }

    #[test]
    fn fedn_env_holds_one_line_values() {
        let service = fedn_service();
        let pem = service.keys[0].key.to_spki_pem();
        let body = pem.lines().nth(1).unwrap();
        assert_eq!(
            fedn(&service, &service.keys[0]).unwrap(),
            format!(
                "FEDN_JWT_ALGORITHM=EdDSA\n\
                 FEDN_JWT_SECRET_KEY=\"-----BEGIN PUBLIC KEY----- {body} -----END PUBLIC KEY-----\"\n\
                 FEDN_AUTH_SCHEME=Bearer\n\
                 FEDN_JWT_CUSTOM_CLAIM_KEY=project\n\
                 FEDN_JWT_CUSTOM_CLAIM_VALUE=ward7\n"
            )
        );
        let service = ServiceMaterial { custom_claim: None, ..service };
        assert!(!fedn(&service, &service.keys[0]).unwrap().contains("CUSTOM_CLAIM"));
    }

    #[test]
    fn flowapi_env_holds_the_pem_in_base64_and_the_identifier() {
        let service = flowapi_service();
        let env = flowapi(&service, &service.keys[0]).unwrap();
        let (key, rest) = env.strip_prefix("PUBLIC_JWT_SIGNING_KEY=").unwrap().split_once('\n').unwrap();
        let pem = String::from_utf8(STANDARD.decode(key).unwrap()).unwrap();
        assert_eq!(coldsign_verify::PublicKey::from_spki_pem(Algorithm::Rs256, &pem).unwrap(), service.keys[0].key);
        assert_eq!(rest, "FLOWAPI_IDENTIFIER=flowapi.example.org\n");
    }

    #[test]
    fn an_algorithm_the_service_does_not_know_is_refused() {
        let eddsa = test_keys::ed25519(3).published("flow/1", true);
        assert_eq!(rule(flowapi(&flowapi_service(), &eddsa)), "PUBLISH-EXPORT-ALGORITHM");
        let der = eddsa.key.to_spki_der();
        let rfc9864 = coldsign_verify::PublicKey::from_spki_der(Algorithm::Ed25519, &der).unwrap();
        let rfc9864 = PublishedKey { key: rfc9864, ..eddsa };
        assert_eq!(rule(fedn(&fedn_service(), &rfc9864)), "PUBLISH-EXPORT-ALGORITHM");
    }

    #[test]
    fn flowapi_must_have_an_identifier() {
        let service = ServiceMaterial { audience: None, profile: Profile::Plain, ..flowapi_service() };
        assert_eq!(rule(flowapi(&service, &service.keys[0])), "PUBLISH-AUDIENCE");
    }

    #[test]
    fn values_that_not_every_reader_takes_alike_are_refused() {
        for value in
            ["", "a b", "a\nFEDN_JWT_ALGORITHM=HS256", "\"", "$HOME", "a#b", "'", "`id`", "é", "\\", "a;b", "a\0"]
        {
            for claim in [("project", value), (value, "ward7")] {
                let custom_claim = Some((claim.0.to_owned(), claim.1.to_owned()));
                let service = ServiceMaterial { custom_claim, ..fedn_service() };
                assert_eq!(rule(fedn(&service, &service.keys[0])), "PUBLISH-ENV-VALUE", "{claim:?}");
            }
            let service = ServiceMaterial { audience: Some(value.to_owned()), ..flowapi_service() };
            assert_eq!(rule(flowapi(&service, &service.keys[0])), "PUBLISH-ENV-VALUE", "{value:?}");
        }
    }
}
