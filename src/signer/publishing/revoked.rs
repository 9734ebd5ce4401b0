//! `revoked.json`: what is withdrawn for one service, for programs that read no bundle.

use coldsign_verify::revocation::Revocations;
use serde_json::{Map, Value, json};

use super::material::ServiceMaterial;

/// The name of the file. Normative page: `docs/formats/revoked-v1.md`.
pub(super) const NAME: &str = "revoked.json";

/// The file's bytes: every member is always there, so that readers need no cases.
pub(super) fn revoked_file(service: &ServiceMaterial, revoked: &Revocations) -> Vec<u8> {
    let name = service.service.as_str();
    let everything = revoked.all.max(revoked.services.get(name).copied());
    let front = format!("{name}/");
    let roles: Map<String, Value> = revoked
        .roles
        .iter()
        .filter_map(|(role, at)| Some((role.strip_prefix(&front)?.to_owned(), at.0.into())))
        .collect();
    let table = |entries: &std::collections::BTreeMap<String, coldsign_verify::UnixTime>| -> Map<String, Value> {
        entries.iter().map(|(name, at)| (name.clone(), at.0.into())).collect()
    };
    let file = json!({
        "format": "coldsign-revoked",
        "version": 1,
        "service": name,
        "everything": everything.map_or(0, |at| at.0),
        "kids": table(&revoked.kids),
        "roles": roles,
        "subjects": table(&revoked.subjects),
        "tokens": table(&revoked.tokens),
    });
    format!("{file:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use coldsign_verify::UnixTime;

    use super::super::test_keys::{api, fedn};
    use super::*;

    #[test]
    fn the_file_has_every_member_and_no_other_services_roles() {
        let file = |service: &ServiceMaterial, revoked: &Revocations| -> Value {
            serde_json::from_slice(&revoked_file(service, revoked)).unwrap()
        };
        let nothing = json!({
            "format": "coldsign-revoked", "version": 1, "service": "api",
            "everything": 0, "kids": {}, "roles": {}, "subjects": {}, "tokens": {},
        });
        assert_eq!(file(&api(), &Revocations::default()), nothing);
        let one = |name: &str| BTreeMap::from([(name.to_owned(), UnixTime(7))]);
        let revoked = Revocations {
            all: Some(UnixTime(5)),
            services: one("fed"),
            roles: one("fed/client"),
            subjects: one("ann"),
            kids: one("k"),
            tokens: one("j"),
        };
        let fed = file(&fedn(), &revoked);
        assert_eq!((&fed["everything"], &fed["roles"]), (&json!(7), &json!({"client": 7})));
        assert_eq!(
            (&fed["subjects"], &fed["kids"], &fed["tokens"]),
            (&json!({"ann": 7}), &json!({"k": 7}), &json!({"j": 7}))
        );
        let api = file(&api(), &revoked);
        assert_eq!((&api["everything"], &api["roles"]), (&json!(5), &json!({})));
    }
}
