//! How a refusal is told, whatever floor it comes from: the fact, why, and the command that helps.

use std::error::Error;
use std::fmt;

/// An error that an operator can act on.
///
/// `Display` is the fact: one lower-case sentence without a full stop. Facts may hold text from
/// outside; whoever prints them escapes it.
pub trait Refuse: Error {
    /// The id of the rule that refused, where a rule did (`POLICY-LIFETIME`).
    fn rule(&self) -> Option<&'static str> {
        None
    }

    /// What led to it and what did not happen, a line each.
    fn why(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the system or the store failed; otherwise a rule refused.
    fn is_fault(&self) -> bool {
        false
    }

    /// A command that can be pasted as it stands.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Any refusal, as acts return it.
pub struct Refusal(Box<dyn Refuse + Send + Sync>);

impl Refusal {
    /// The refusal as it came.
    pub fn reason(&self) -> &(dyn Refuse + Send + Sync) {
        self.0.as_ref()
    }
}

impl<R: Refuse + Send + Sync + 'static> From<R> for Refusal {
    fn from(reason: R) -> Self {
        Self(Box::new(reason))
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({})", self.0)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
