//! What can be wrong with a policy file, and where.

use std::fmt;

use crate::refusal::Refuse;

/// A rule of `docs/formats/policy-v1.md` §10 that a file breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Not TOML, or too large.
    Syntax,
    /// `format` or `version` is another.
    Format,
    /// A field or section that the page doesn't name.
    UnknownField,
    /// A value that isn't one of those listed.
    UnknownValue,
    /// A value of another type.
    Type,
    /// A required field is absent.
    Missing,
    /// A name outside its grammar.
    Name,
    /// Not a duration, or outside its bounds.
    Duration,
    /// A number outside its bounds.
    Range,
    /// A text with invisible characters, outer blanks or a wrong length.
    Text,
    /// The same entry twice in a list.
    Duplicate,
    /// A service names a keyset that isn't there.
    KeysetUnknown,
    /// A keyset without `aud` serves two services.
    KeysetShared,
    /// Two services on one keyset have one audience.
    AudienceShared,
    /// The profile can't use the keyset's algorithm.
    Algorithm,
    /// A field or value that the profile doesn't have.
    WrongProfile,
    /// An export for one key where several are accepted.
    Consumer,
    /// A fixed claim with a name that coldsign itself fills.
    ReservedClaim,
    /// A fixed claim whose value can't be a claim.
    Claim,
    /// Not a scope token.
    ScopeSyntax,
    /// Default, longest lifetime and horizon out of order.
    LifetimeOrder,
    /// `backdate` less than `skew`.
    Backdate,
    /// Bundles too short to bridge the way to a verifier.
    BundleLifetime,
    /// Keys that sign too short for their successor to arrive.
    RotateEvery,
    /// Not an authorization detail.
    DetailSyntax,
}

impl Rule {
    /// The id as it stands in messages and on the format page.
    pub fn id(self) -> &'static str {
        match self {
            Self::Syntax => "POLICY-SYNTAX",
            Self::Format => "POLICY-FORMAT",
            Self::UnknownField => "POLICY-UNKNOWN-FIELD",
            Self::UnknownValue => "POLICY-UNKNOWN-VALUE",
            Self::Type => "POLICY-TYPE",
            Self::Missing => "POLICY-MISSING",
            Self::Name => "POLICY-NAME",
            Self::Duration => "POLICY-DURATION",
            Self::Range => "POLICY-RANGE",
            Self::Text => "POLICY-TEXT",
            Self::Duplicate => "POLICY-DUPLICATE",
            Self::KeysetUnknown => "POLICY-KEYSET-UNKNOWN",
            Self::KeysetShared => "POLICY-KEYSET-SHARED",
            Self::AudienceShared => "POLICY-AUDIENCE-SHARED",
            Self::Algorithm => "POLICY-ALGORITHM",
            Self::WrongProfile => "POLICY-WRONG-PROFILE",
            Self::Consumer => "POLICY-CONSUMER",
            Self::ReservedClaim => "POLICY-RESERVED-CLAIM",
            Self::Claim => "POLICY-CLAIM",
            Self::ScopeSyntax => "POLICY-SCOPE-SYNTAX",
            Self::LifetimeOrder => "POLICY-LIFETIME-ORDER",
            Self::Backdate => "POLICY-BACKDATE",
            Self::BundleLifetime => "POLICY-BUNDLE-LIFETIME",
            Self::RotateEvery => "POLICY-ROTATE-EVERY",
            Self::DetailSyntax => "POLICY-DETAIL-SYNTAX",
        }
    }
}

/// One fault of a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// The rule it breaks.
    pub rule: Rule,
    /// One lower-case sentence without a full stop.
    pub fact: String,
    /// The known name that was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fact)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean {nearest}?")?;
        }
        write!(f, " [{}]", self.rule.id())
    }
}

/// Every fault of a policy file, by line; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy.toml has {}", count(.0))]
pub struct PolicyFaults(Vec<Fault>);

impl PolicyFaults {
    /// Sorts the faults by line; `None` if there are none.
    pub(super) fn of(mut faults: Vec<Fault>) -> Option<Self> {
        faults.sort_by(|a, b| (a.line, a.rule, &a.fact).cmp(&(b.line, b.rule, &b.fact)));
        faults.dedup();
        if faults.is_empty() { None } else { Some(Self(faults)) }
    }

    /// The faults, by line.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl Refuse for PolicyFaults {
    fn rule(&self) -> Option<&'static str> {
        self.0.first().map(|fault| fault.rule.id())
    }

    fn why(&self) -> Vec<String> {
        self.0.iter().map(|fault| format!("policy.toml {fault}")).collect()
    }

    fn hint(&self) -> Option<String> {
        Some("coldsign policy check".to_owned())
    }
}

fn count(faults: &[Fault]) -> String {
    match faults {
        [_] => "a fault".to_owned(),
        more => format!("{} faults", more.len()),
    }
}
