//! FEDn's tokens: one role, no audience.

use crate::issuing::denied::Denied;
use crate::issuing::draft::{Claims, Grant};

pub(super) fn lay_out(grant: &Grant<'_>, claims: &mut Claims) -> Result<(), Denied> {
    if !grant.request.scopes.is_empty() {
        return Err(Denied::NoScopes { asked: grant.asked.clone().into(), profile: grant.service.profile });
    }
    for role in grant.roles {
        let why = format!("the role asked for: policy.toml line {}", role.lines.section());
        claims.put("role", role.name.as_str().into(), why);
    }
    grant.subject(claims);
    grant.times_and_id(claims);
    if let Some(custom) = &grant.service.custom_claim {
        let why = grant.line("what FEDN_JWT_CUSTOM_CLAIM_KEY and _VALUE ask for", "custom_claim");
        claims.put(&custom.name, custom.value.as_str().into(), why);
    }
    grant.fixed(claims)
}
