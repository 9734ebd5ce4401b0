//! Why a token is not drafted or delivered.

use std::fmt;

use super::draft::Request;
use super::policy::TokenForm;
use super::policy::duration::words;
use super::text::{TextFault, shell_word};
use crate::refusal::Refuse;
use coldsign_verify::{Profile, UnixTime};

/// What was asked for: who should get which roles of which service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The service.
    pub service: String,
    /// The roles, as asked.
    pub roles: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The lifetime asked for, in seconds.
    pub lifetime: Option<u64>,
    /// The beginning asked for.
    pub not_before: Option<UnixTime>,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// Whether more was asked for than a command can be made of here: details, a key binding.
    pub more: bool,
}

impl Asked {
    /// The command that asks for it; `None` if one without the rest would ask for something wider.
    fn command(&self) -> Option<String> {
        if self.more || self.roles.is_empty() {
            return None;
        }
        let what = shell_word(&format!("{}/{}", self.service, self.roles.join(",")));
        let mut command = format!("coldsign token issue {what} {}", shell_word(&self.subject));
        if let Some(lifetime) = self.lifetime {
            command.push_str(&format!(" --lifetime {}", words(lifetime)));
        }
        if let Some(not_before) = self.not_before {
            command.push_str(&format!(" --not-before {not_before}"));
        }
        for scope in &self.scopes {
            command.push_str(&format!(" --scope {}", shell_word(scope)));
        }
        command.push_str(" --to .");
        Some(command)
    }

    /// The same with another role, or without one, in place of `role`.
    fn with_role(&self, role: &str, instead: Option<&str>) -> Self {
        let roles = self.roles.iter().filter_map(|asked| if asked == role { instead } else { Some(asked.as_str()) });
        Self { roles: roles.map(str::to_owned).collect(), ..self.clone() }
    }

    fn with_scope(&self, scope: &str, instead: &str) -> Self {
        let scopes = self.scopes.iter().map(|asked| if asked == scope { instead } else { asked.as_str() });
        Self { scopes: scopes.map(str::to_owned).collect(), ..self.clone() }
    }
}

impl From<&Request> for Asked {
    fn from(request: &Request) -> Self {
        Self {
            service: request.service.clone(),
            roles: request.roles.clone(),
            subject: request.subject.clone(),
            lifetime: request.lifetime,
            not_before: request.not_before,
            scopes: request.scopes.clone(),
            more: request.details.is_some() || request.cnf_jkt.is_some(),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} for {}", self.service, self.roles.join(","), self.subject)
    }
}

/// A refusal of `docs/formats/policy-v1.md` §11.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The policy has no such service.
    #[error("{asked} not issued: the policy has no service {}", asked.service)]
    ServiceUnknown {
        /// What was asked for.
        asked: Box<Asked>,
        /// The service that was probably meant.
        nearest: Option<String>,
        /// The services there are.
        known: Vec<String>,
    },
    /// The service has no such role.
    #[error("{asked} not issued: {} has no role {role}", asked.service)]
    RoleUnknown {
        /// What was asked for.
        asked: Box<Asked>,
        /// The role that isn't there.
        role: String,
        /// The role that was probably meant.
        nearest: Option<String>,
        /// The roles there are.
        known: Vec<String>,
        /// The service's line.
        line: usize,
    },
    /// No role, one twice, or several where the profile takes one.
    #[error("{asked} not issued: {fact}")]
    RoleCount {
        /// What was asked for.
        asked: Box<Asked>,
        /// What is wrong with the roles.
        fact: &'static str,
    },
    /// Two roles fix one claim differently.
    #[error("{asked} not issued: the roles {} and {} fix the claim {claim} differently", roles.0, roles.1)]
    RoleConflict {
        /// What was asked for.
        asked: Box<Asked>,
        /// The roles.
        roles: (String, String),
        /// The claim.
        claim: String,
        /// Its lines.
        lines: (usize, usize),
    },
    /// The subject can't be one.
    #[error("nothing issued: the subject {:?} is not usable: {fault}", asked.subject)]
    Subject {
        /// What was asked for.
        asked: Box<Asked>,
        /// What is wrong with it.
        fault: TextFault,
    },
    /// Longer than the role allows.
    #[error("{asked} not issued: {} exceeds the role's {}", words(*lifetime), words(*longest))]
    Lifetime {
        /// What was asked for.
        asked: Box<Asked>,
        /// The lifetime asked for, in seconds.
        lifetime: u64,
        /// T, in seconds.
        longest: u64,
        /// The role that allows no more.
        role: String,
        /// Where it says so.
        line: usize,
    },
    /// No lifetime at all.
    #[error("{asked} not issued: a lifetime of 0s is none")]
    NoLifetime {
        /// What was asked for.
        asked: Box<Asked>,
    },
    /// The token would begin before it is issued.
    #[error("{asked} not issued: it would begin at {}, before {}", not_before, earliest)]
    NotBefore {
        /// What was asked for.
        asked: Box<Asked>,
        /// The beginning asked for.
        not_before: UnixTime,
        /// The earliest possible.
        earliest: UnixTime,
    },
    /// The token would end later than the role allows.
    #[error("{asked} not issued: it would end at {}, {} after its issue, and the role allows {}",
        expires_at, words(*ahead), words(*horizon))]
    Horizon {
        /// What was asked for.
        asked: Box<Asked>,
        /// The end asked for.
        expires_at: UnixTime,
        /// Seconds from the moment of issue.
        ahead: u64,
        /// H, in seconds.
        horizon: u64,
        /// Where it says so.
        line: usize,
    },
    /// A time that no token can hold.
    #[error("{asked} not issued: its times lie outside 0 to 2^53−1 seconds")]
    Time {
        /// What was asked for.
        asked: Box<Asked>,
    },
    /// A scope that the roles don't have.
    #[error("{asked} not issued: {scope} is no scope of it, and --scope only narrows")]
    Scope {
        /// What was asked for.
        asked: Box<Asked>,
        /// The scope.
        scope: String,
        /// The scope that was probably meant.
        nearest: Option<String>,
        /// The scopes there are.
        known: Vec<String>,
        /// Where they stand.
        line: usize,
    },
    /// A profile without scopes.
    #[error("{asked} not issued: the profile {} has no scopes to narrow", profile)]
    NoScopes {
        /// What was asked for.
        asked: Box<Asked>,
        /// The profile.
        profile: Profile,
    },
    /// A role would be left without any scope.
    #[error("{asked} not issued: the role {role} would be left without a scope")]
    ScopeLeavesNone {
        /// What was asked for.
        asked: Box<Asked>,
        /// The role.
        role: String,
        /// Where its scopes stand.
        line: usize,
    },
    /// An authorization detail that no role permits.
    #[error("{asked} not issued: {fact}")]
    Detail {
        /// What was asked for.
        asked: Box<Asked>,
        /// What is wrong with it.
        fact: String,
        /// What the roles permit, in words.
        permitted: Vec<String>,
        /// Where, if anywhere.
        line: usize,
    },
    /// A key binding that can't be.
    #[error("{asked} not issued: {fact}")]
    Cnf {
        /// What was asked for.
        asked: Box<Asked>,
        /// What is wrong with it.
        fact: &'static str,
    },
    /// Too long for the service.
    #[error("{asked} not issued: the token has {bytes} bytes, {} takes {limit}", asked.service)]
    Size {
        /// What was asked for.
        asked: Box<Asked>,
        /// The token's length.
        bytes: usize,
        /// The service's limit.
        limit: usize,
        /// What takes the space: claim and bytes of the token, the largest first.
        parts: Vec<(String, usize)>,
        /// Where the limit stands.
        line: usize,
    },
    /// A file form that the service doesn't have.
    #[error("{asked} not written as {form}: only services of the profile fedn have that form")]
    Form {
        /// What was asked for.
        asked: Box<Asked>,
        /// The form.
        form: TokenForm,
    },
    /// Something else than a compact token was to be written.
    #[error("{asked} not written: what was to be written is no compact token")]
    NoToken {
        /// What was asked for.
        asked: Box<Asked>,
    },
}

impl Refuse for Denied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::ServiceUnknown { .. } => "POLICY-SERVICE-UNKNOWN",
            Self::RoleUnknown { .. } => "POLICY-ROLE-UNKNOWN",
            Self::RoleCount { .. } => "POLICY-ROLE-COUNT",
            Self::RoleConflict { .. } => "POLICY-ROLE-CONFLICT",
            Self::Subject { .. } => "POLICY-SUBJECT",
            Self::Lifetime { .. } | Self::NoLifetime { .. } => "POLICY-LIFETIME",
            Self::NotBefore { .. } => "POLICY-NOT-BEFORE",
            Self::Horizon { .. } => "POLICY-HORIZON",
            Self::Time { .. } => "POLICY-TIME",
            Self::Scope { .. } | Self::NoScopes { .. } | Self::ScopeLeavesNone { .. } => "POLICY-SCOPE",
            Self::Detail { .. } => "POLICY-DETAIL",
            Self::Cnf { .. } => "POLICY-CNF",
            Self::Size { .. } => "POLICY-SIZE",
            Self::Form { .. } => "POLICY-FORM",
            Self::NoToken { .. } => return None,
        })
    }

    fn why(&self) -> Vec<String> {
        let place = |line: &usize| format!("policy.toml line {line}");
        let mut why = match self {
            Self::ServiceUnknown { known, .. } => vec![format!("the policy has {}", listed(known))],
            Self::RoleUnknown { asked, known, line, .. } => {
                vec![format!("{}: {} has {}", place(line), asked.service, listed(known))]
            }
            Self::RoleConflict { lines, .. } => vec![format!("policy.toml lines {} and {}", lines.0, lines.1)],
            Self::Lifetime { role, line, .. } => vec![format!("{}: longest_lifetime of the role {role}", place(line))],
            Self::Horizon { line, .. } => vec![format!("{}: longest_horizon, counted from the issue", place(line))],
            Self::Scope { known, line, .. } => vec![format!("{}: it has {}", place(line), listed(known))],
            Self::ScopeLeavesNone { line, .. } => vec![place(line)],
            Self::Detail { permitted, line, .. } => vec![format!("{}: it permits {}", place(line), listed(permitted))],
            Self::Size { parts, line, .. } => {
                let parts: Vec<String> =
                    parts.iter().take(4).map(|(claim, bytes)| format!("{claim} {bytes}")).collect();
                vec![format!("{}: max_token_bytes", place(line)), format!("bytes by part: {}", parts.join(", "))]
            }
            _ => Vec::new(),
        };
        why.push("nothing was signed or written".to_owned());
        why
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::ServiceUnknown { asked, nearest: Some(nearest), .. } => {
                Asked { service: nearest.clone(), ..asked.as_ref().clone() }.command()
            }
            Self::RoleUnknown { asked, role, nearest: Some(nearest), .. } => {
                asked.with_role(role, Some(nearest)).command()
            }
            Self::ServiceUnknown { .. } | Self::RoleUnknown { .. } | Self::Scope { nearest: None, .. } => {
                Some("coldsign policy show".to_owned())
            }
            Self::RoleCount { asked, .. } => {
                Asked { roles: asked.roles.iter().take(1).cloned().collect(), ..asked.as_ref().clone() }.command()
            }
            Self::RoleConflict { asked, roles, .. } => asked.with_role(&roles.1, None).command(),
            Self::Lifetime { asked, longest, .. } => {
                Asked { lifetime: Some(*longest), ..asked.as_ref().clone() }.command()
            }
            Self::NoLifetime { asked } => Asked { lifetime: None, ..asked.as_ref().clone() }.command(),
            Self::NotBefore { asked, .. } | Self::Horizon { asked, .. } => {
                Asked { not_before: None, ..asked.as_ref().clone() }.command()
            }
            Self::Scope { asked, scope, nearest: Some(nearest), .. } => asked.with_scope(scope, nearest).command(),
            Self::NoScopes { asked, .. } => Asked { scopes: Vec::new(), ..asked.as_ref().clone() }.command(),
            Self::ScopeLeavesNone { asked, role, .. } => asked.with_role(role, None).command(),
            Self::Detail { .. } => Some("coldsign policy show".to_owned()),
            Self::Size { asked, .. } => asked.command().map(|command| command + " --dry-run"),
            Self::Subject { asked, fault: TextFault::NotNfc { composed } } => {
                Asked { subject: composed.clone(), ..asked.as_ref().clone() }.command()
            }
            Self::Subject { .. } | Self::Time { .. } | Self::Cnf { .. } | Self::Form { .. } | Self::NoToken { .. } => {
                None
            }
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
