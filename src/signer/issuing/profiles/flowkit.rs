//! FlowKit's tokens for FlowAPI.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::issuing::denied::Denied;
use crate::issuing::draft::{Claims, Grant};
use crate::issuing::flowkit;

pub(super) fn lay_out(grant: &Grant<'_>, claims: &mut Claims) -> Result<(), Denied> {
    let kept = grant.scopes()?;
    let mut roles: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for role in grant.roles {
        let scopes: BTreeSet<&str> =
            role.scopes.iter().map(String::as_str).filter(|scope| kept.contains(*scope)).collect();
        if scopes.is_empty() && !role.scopes.is_empty() {
            return Err(Denied::ScopeLeavesNone {
                asked: grant.asked.clone().into(),
                role: role.name.clone(),
                line: role.lines.of("scopes"),
            });
        }
        roles.insert(&role.name, scopes);
    }
    // No `iss` and above all no `type`: FlowAPI answers 422 to any but "access".
    grant.subject(claims);
    grant.audience(claims);
    grant.times_and_id(claims);
    let why = grant.role_lines("the roles' scopes, compressed as FlowAPI reads them", "scopes");
    let readable = json!(roles);
    claims.put("user_claims", flowkit::compress(&readable).into(), why);
    if !grant.request.scopes.is_empty() {
        claims.remember("user_claims", readable);
    }
    Ok(())
}
