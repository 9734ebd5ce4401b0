//! RFC 9068-shaped access tokens for APIs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::issuing::denied::Denied;
use crate::issuing::draft::{Claims, Grant};

/// The length of a base64url SHA-256 (RFC 9449 §6.1).
const THUMBPRINT: usize = 43;

pub(super) fn lay_out(grant: &Grant<'_>, claims: &mut Claims) -> Result<(), Denied> {
    grant.issuer(claims);
    grant.subject(claims);
    grant.audience(claims);
    grant.times_and_id(claims);
    match &grant.service.client_id {
        Some(client) => {
            claims.put("client_id", client.as_str().into(), grant.line("the service's client_id", "client_id"))
        }
        None => claims.put("client_id", grant.request.subject.as_str().into(), "the subject (RFC 9068 §2.2)"),
    }
    grant.scope(claims)?;
    for claim in ["roles", "groups", "entitlements", "permissions"] {
        let union: BTreeSet<&String> = grant.roles.iter().flat_map(|role| role.list(claim)).collect();
        if !union.is_empty() {
            claims.put(claim, json!(union), grant.role_lines(&format!("the roles' {claim}"), claim));
        }
    }
    details(grant, claims)?;
    cnf(grant, claims)?;
    grant.fixed(claims)
}

fn details(grant: &Grant<'_>, claims: &mut Claims) -> Result<(), Denied> {
    let permitted = || grant.roles.iter().flat_map(|role| role.details.iter());
    let refuse = |fact: String| Denied::Detail {
        asked: grant.asked.clone().into(),
        fact,
        permitted: permitted().map(ToString::to_string).collect(),
        line: grant.roles.first().map_or(0, |role| role.lines.of("details")),
    };
    let why = |what| grant.role_lines(what, "details");
    let Some(requested) = &grant.request.details else {
        let mut whole: Vec<Value> = Vec::new();
        for entry in permitted() {
            let value = entry.whole().map_err(|member| {
                refuse(format!("{member} of the detail {:?} has to be chosen with --detail", entry.kind))
            })?;
            if !whole.contains(&value) {
                whole.push(value);
            }
        }
        if !whole.is_empty() {
            claims.put("authorization_details", Value::Array(whole), why("the roles' details"));
        }
        return Ok(());
    };
    let objects = requested.as_array().filter(|objects| !objects.is_empty());
    let objects = objects.ok_or_else(|| refuse("details are a non-empty array of objects (RFC 9396 §2)".to_owned()))?;
    for object in objects {
        let none = Map::new();
        if !permitted().any(|entry| entry.permits(object.as_object().unwrap_or(&none))) {
            return Err(refuse(format!("no role permits the detail {object}")));
        }
    }
    claims.put_free("authorization_details", requested.clone(), why("the details asked for, of the roles'"));
    Ok(())
}

fn cnf(grant: &Grant<'_>, claims: &mut Claims) -> Result<(), Denied> {
    let Some(thumbprint) = &grant.request.cnf_jkt else { return Ok(()) };
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if thumbprint.len() != THUMBPRINT || !thumbprint.bytes().all(alphabet) {
        let fact = "a key's thumbprint is 43 characters of base64url (RFC 9449 §6.1)";
        return Err(Denied::Cnf { asked: grant.asked.clone().into(), fact });
    }
    claims.put_free("cnf", json!({ "jkt": thumbprint }), "the key that the holder has to prove".to_owned());
    Ok(())
}
