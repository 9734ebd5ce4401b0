//! The claim layouts of the four profiles, a file each (`docs/formats/policy-v1.md` §7).

mod fedn;
mod flowkit;
mod plain;
mod rfc9068;

use std::collections::{BTreeMap, BTreeSet};

use coldsign_verify::Profile;
use serde_json::Value;

use super::denied::Denied;
use super::draft::{Claims, Grant};
use super::policy::{FixedClaim, Role};
use super::text;

/// Puts the claims of the grant's profile.
pub(super) fn lay_out(grant: &Grant<'_>, claims: &mut Claims) -> Result<(), Denied> {
    let profile = grant.service.profile;
    if profile != Profile::Rfc9068 {
        if grant.request.cnf_jkt.is_some() {
            let fact = "only the profile rfc9068 binds a token to a key";
            return Err(Denied::Cnf { asked: grant.asked.clone().into(), fact });
        }
        if grant.request.details.is_some() {
            return Err(Denied::Detail {
                asked: grant.asked.clone().into(),
                fact: format!("the profile {} has no authorization details", profile),
                permitted: Vec::new(),
                line: grant.service.lines.section(),
            });
        }
    }
    match profile {
        Profile::Rfc9068 => rfc9068::lay_out(grant, claims),
        Profile::FlowKit => flowkit::lay_out(grant, claims),
        Profile::Fedn => fedn::lay_out(grant, claims),
        Profile::Plain => plain::lay_out(grant, claims),
    }
}

impl Grant<'_> {
    fn subject(&self, claims: &mut Claims) {
        claims.put_free("sub", self.request.subject.as_str().into(), "the subject asked for");
    }

    fn issuer(&self, claims: &mut Claims) {
        claims.put("iss", self.issuer.into(), "this store's issuer");
    }

    fn audience(&self, claims: &mut Claims) {
        if let Some(audience) = &self.service.audience {
            claims.put("aud", audience.as_str().into(), self.line("the service's audience", "audience"));
        }
    }

    /// `exp`, `nbf`, `iat`, `jti`.
    fn times_and_id(&self, claims: &mut Claims) {
        let exp =
            if self.request.lifetime.is_some() { "the lifetime asked for" } else { "the role's default lifetime" };
        let limit = self.roles.iter().min_by_key(|role| role.longest_lifetime);
        let line = limit.map_or(0, |role| role.lines.of("longest_lifetime"));
        claims.put_free(
            "exp",
            self.times.expires_at.into(),
            format!("{exp}, within longest_lifetime: policy.toml line {line}"),
        );
        let nbf = if self.request.not_before.is_some() { "the beginning asked for" } else { "as iat" };
        claims.put_free("nbf", self.times.not_before.into(), nbf);
        let after = self.request.cut_off.is_some_and(|cut_off| self.times.issued_at == cut_off.0.saturating_add(1));
        let iat = match after {
            true => "the moment of issue, dated back as far as the newest revocation lets it",
            false => "the moment of issue, dated back by timing.backdate",
        };
        claims.put_free("iat", self.times.issued_at.into(), iat);
        claims.put_free("jti", self.jti.into(), "a random id, unique to this token");
    }

    fn line(&self, what: &str, field: &str) -> String {
        format!("{what}: policy.toml line {}", self.service.lines.of(field))
    }

    /// Where the roles' field stands, for reasons.
    fn role_lines(&self, what: &str, field: &str) -> String {
        let lines: Vec<String> = self.roles.iter().map(|role| role.lines.of(field).to_string()).collect();
        format!("{what}: policy.toml line {}", lines.join(" and "))
    }

    /// The union of the roles' scopes, narrowed to those asked for; sorted.
    fn scopes(&self) -> Result<BTreeSet<String>, Denied> {
        let all: BTreeSet<&str> = self.roles.iter().flat_map(|role| role.scopes.iter()).map(String::as_str).collect();
        self.check_scopes(&all)?;
        let wanted = &self.request.scopes;
        let kept = all.into_iter().filter(|scope| wanted.is_empty() || wanted.iter().any(|asked| asked == scope));
        Ok(kept.map(str::to_owned).collect())
    }

    fn check_scopes(&self, all: &BTreeSet<&str>) -> Result<(), Denied> {
        match self.request.scopes.iter().find(|scope| !all.contains(scope.as_str())) {
            None => Ok(()),
            Some(scope) => Err(Denied::Scope {
                asked: self.asked.clone().into(),
                scope: scope.clone(),
                nearest: text::nearest(scope, all.iter().copied()),
                known: all.iter().map(|scope| (*scope).to_owned()).collect(),
                line: self.roles.first().map_or(0, |role| role.lines.of("scopes")),
            }),
        }
    }

    /// `scope`, where there is any (RFC 8693 §4.2: one string, blanks between).
    fn scope(&self, claims: &mut Claims) -> Result<(), Denied> {
        let scopes = self.scopes()?;
        if scopes.is_empty() {
            return Ok(());
        }
        let value = Value::String(scopes.into_iter().collect::<Vec<_>>().join(" "));
        if self.request.scopes.is_empty() {
            claims.put("scope", value, self.role_lines("the roles' scopes", "scopes"));
        } else {
            claims.put_free("scope", value, self.role_lines("the scopes asked for, of the roles'", "scopes"));
        }
        Ok(())
    }

    /// The roles' fixed claims, by name.
    fn fixed(&self, claims: &mut Claims) -> Result<(), Denied> {
        let mut fixed: BTreeMap<&str, (&FixedClaim, &Role)> = BTreeMap::new();
        for role in self.roles {
            for claim in &role.claims {
                match fixed.get(claim.name.as_str()) {
                    Some((first, by)) if first.value != claim.value => {
                        return Err(Denied::RoleConflict {
                            asked: self.asked.clone().into(),
                            roles: (by.name.clone(), role.name.clone()),
                            claim: claim.name.clone(),
                            lines: (first.line, claim.line),
                        });
                    }
                    Some(_) => {}
                    None => {
                        fixed.insert(&claim.name, (claim, role));
                    }
                }
            }
        }
        for (name, (claim, role)) in fixed {
            let why = format!("fixed by the role {}: policy.toml line {}", role.name, claim.line);
            claims.put(name, claim.value.about(&self.request.subject), why);
        }
        Ok(())
    }
}
