//! What a key may become (NIST SP 800-57 part 1 §7). When, is for `rotation` to say.

use super::{KeyRecord, KeyState, Purpose};
use crate::refusal::Refuse;

/// A change of a key's state that an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// pre-activation → active.
    Activate,
    /// active → suspended.
    Suspend,
    /// suspended → active.
    Resume,
    /// active or suspended → deactivated; the private half is destroyed. Also of an imported key that
    /// never signed here, as long as its tokens from elsewhere live.
    Deactivate,
    /// pre-activation or deactivated → destroyed.
    Destroy,
    /// any but destroyed → compromised; the private half is destroyed.
    Compromise,
}

impl Transition {
    /// The verb of the command.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Deactivate => "deactivate",
            Self::Destroy => "destroy",
            Self::Compromise => "compromise",
        }
    }
}

/// Why a key may not change its state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitionDenied {
    /// The state does not allow it.
    #[error("{key} is {state}: it can't be {verb}d")]
    State {
        /// Keyset and number.
        key: String,
        /// Its state, as on screen.
        state: String,
        /// The verb, without its ending.
        verb: &'static str,
        /// The command that is allowed now, after `coldsign key`.
        instead: Option<&'static str>,
    },
    /// Not a key that signs tokens.
    #[error("{key} is the store's {purpose} key: its states are not changed by hand")]
    Purpose {
        /// Keyset and number.
        key: String,
        /// What it is for.
        purpose: &'static str,
    },
}

impl Refuse for TransitionDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::State { .. } => "KEY-STATE",
            Self::Purpose { .. } => "KEY-PURPOSE",
        })
    }

    fn why(&self) -> Vec<String> {
        vec!["nothing was changed".to_owned()]
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::State { key, instead: Some(instead), .. } => Some(format!("coldsign key {instead} {key}")),
            Self::State { key, verb: "compromise", state, .. } if *state == KeyState::Compromised.words() => {
                Some(format!("coldsign rotate emergency {key} --reissue --to ."))
            }
            _ => None,
        }
    }
}

impl KeyRecord {
    /// Whether the state allows a transition.
    ///
    /// # Errors
    /// [`TransitionDenied::State`] or [`TransitionDenied::Purpose`].
    pub fn allows(&self, transition: Transition) -> Result<(), TransitionDenied> {
        use Transition::{Activate, Compromise, Deactivate, Destroy, Resume, Suspend};
        if self.purpose != Purpose::Token {
            return Err(TransitionDenied::Purpose { key: self.name(), purpose: self.purpose.word() });
        }
        let allowed = match &self.state {
            // Retired unused: its tokens from elsewhere need the public half.
            KeyState::PreActivation if self.foreign.tokens.is_some() => {
                matches!(transition, Activate | Deactivate | Destroy | Compromise)
            }
            KeyState::PreActivation => matches!(transition, Activate | Destroy | Compromise),
            KeyState::Active => matches!(transition, Suspend | Deactivate | Compromise),
            KeyState::Suspended => matches!(transition, Resume | Deactivate | Compromise),
            KeyState::Deactivated { .. } => matches!(transition, Destroy | Compromise),
            KeyState::Compromised | KeyState::Destroyed => false,
        };
        if allowed {
            return Ok(());
        }
        Err(TransitionDenied::State {
            key: self.name(),
            state: self.state.words(),
            verb: match transition {
                Activate => "activate",
                Suspend => "suspende",
                Resume => "resume",
                Deactivate => "deactivate",
                Destroy => "destroye",
                Compromise => "compromise",
            },
            instead: match (&self.state, transition) {
                (KeyState::Suspended, Activate) => Some("resume"),
                (KeyState::PreActivation, Deactivate) => Some("destroy"),
                (KeyState::PreActivation, Resume) => Some("activate"),
                (KeyState::Active | KeyState::Suspended, Destroy) => Some("deactivate"),
                _ => None,
            },
        })
    }
}
