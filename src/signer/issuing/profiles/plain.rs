//! Registered claims and what the policy fixes: proxies, Airflow, Slurm, registries.

use crate::issuing::denied::Denied;
use crate::issuing::draft::{Claims, Grant};

pub(super) fn lay_out(grant: &Grant<'_>, claims: &mut Claims) -> Result<(), Denied> {
    grant.issuer(claims);
    grant.subject(claims);
    grant.audience(claims);
    grant.times_and_id(claims);
    grant.scope(claims)?;
    grant.fixed(claims)
}
