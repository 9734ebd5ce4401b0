//! What a key may become, and when (NIST SP 800-57 part 1 §7).

use super::{KeyRecord, KeyState, Purpose};
use crate::refusal::Refuse;
use coldsign_verify::UnixTime;

/// A change of a key's state that an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// pre-activation → active.
    Activate,
    /// active → suspended.
    Suspend,
    /// suspended → active.
    Resume,
    /// active or suspended → deactivated; the private half is destroyed.
    Deactivate,
    /// pre-activation or deactivated → destroyed.
    Destroy,
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
        }
    }
}

/// When verifiers can be counted on to have a key, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When a publication first held it.
    pub first_published: Option<u64>,
    /// m·P + D + L + S, in seconds: lost sticks, courier, reload, skew.
    pub distribution: u64,
}

/// When a key may leave the published set, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// The latest `exp` of all tokens journalled under it.
    pub last_expiry: Option<u64>,
    /// Skew and the largest leeway of its services, in seconds.
    pub margin: u64,
}

impl Removal {
    /// When the last token of the key is refused everywhere.
    pub fn at(self, now: u64) -> u64 {
        match self.last_expiry {
            Some(expiry) => expiry.saturating_add(self.margin).max(now),
            None => now,
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
    /// No publication holds it yet.
    #[error("{key} was never published: no verifier knows it")]
    Unpublished {
        /// Keyset and number.
        key: String,
    },
    /// Verifiers may not have it yet.
    #[error("{key} can't sign before {}", UnixTime(*.allowed_at))]
    Early {
        /// Keyset and number.
        key: String,
        /// Seconds since the epoch.
        allowed_at: u64,
        /// When it was first published.
        first_published: u64,
        /// m·P + D + L + S, in seconds.
        distribution: u64,
    },
    /// No other key could sign.
    #[error("{key} is the key that {keyset} signs with")]
    Last {
        /// Keyset and number.
        key: String,
        /// Its keyset.
        keyset: String,
    },
    /// Verifiers still need it.
    #[error("{key} verifies tokens until {}", UnixTime(*.until))]
    Needed {
        /// Keyset and number.
        key: String,
        /// Seconds since the epoch.
        until: u64,
    },
    /// A service of its keyset reads one key only.
    #[error("{key} can't take over unnoticed: {service} reads one key only")]
    SingleKey {
        /// Keyset and number.
        key: String,
        /// The service.
        service: String,
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
            Self::Unpublished { .. } => "KEY-UNPUBLISHED",
            Self::Early { .. } => "KEY-EARLY",
            Self::Last { .. } => "KEY-LAST",
            Self::Needed { .. } => "KEY-NEEDED",
            Self::SingleKey { .. } => "KEY-SINGLE",
            Self::Purpose { .. } => "KEY-PURPOSE",
        })
    }

    fn why(&self) -> Vec<String> {
        let mut why = match self {
            Self::Early { .. } => vec![
                "until then a verifier may still wait for the stick that carries it, and would \
                 refuse its tokens"
                    .to_owned(),
            ],
            Self::Unpublished { .. } => {
                vec!["its tokens would be refused everywhere".to_owned()]
            }
            Self::Last { .. } => vec![
                "without it no token of the keyset could be issued or renewed".to_owned(),
                "deactivating destroys the private half: it can't be undone".to_owned(),
            ],
            Self::Needed { .. } => {
                vec!["valid tokens would be refused from one moment to the next".to_owned()]
            }
            Self::SingleKey { .. } => vec![
                "from the moment its operator installs the new key, every token signed until now \
                 is refused there; until then, every new one"
                    .to_owned(),
            ],
            _ => Vec::new(),
        };
        why.push("nothing was changed".to_owned());
        why
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::State { key, instead: Some(instead), .. } => Some(format!("coldsign key {instead} {key}")),
            Self::Unpublished { .. } => Some("coldsign publish --to .".to_owned()),
            Self::Last { keyset, .. } => Some(format!("coldsign key generate {keyset}")),
            Self::SingleKey { key, .. } => Some(format!("coldsign key activate {key} --accept-outage")),
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
        use Transition::{Activate, Deactivate, Destroy, Resume, Suspend};
        if self.purpose != Purpose::Token {
            return Err(TransitionDenied::Purpose { key: self.name(), purpose: self.purpose.word() });
        }
        let allowed = match &self.state {
            KeyState::PreActivation => matches!(transition, Activate | Destroy),
            KeyState::Active => matches!(transition, Suspend | Deactivate),
            KeyState::Suspended => matches!(transition, Resume | Deactivate),
            KeyState::Deactivated { .. } => matches!(transition, Destroy),
            KeyState::Destroyed => false,
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

    /// Whether verifiers can be counted on to know the key.
    ///
    /// # Errors
    /// [`TransitionDenied::Unpublished`] or [`TransitionDenied::Early`].
    pub fn known_to_verifiers(&self, window: Window, now: u64) -> Result<(), TransitionDenied> {
        let Some(first_published) = window.first_published else {
            return Err(TransitionDenied::Unpublished { key: self.name() });
        };
        let allowed_at = first_published.saturating_add(window.distribution);
        if now < allowed_at {
            return Err(TransitionDenied::Early {
                key: self.name(),
                allowed_at,
                first_published,
                distribution: window.distribution,
            });
        }
        Ok(())
    }

    /// Whether every verifier can do without the key.
    ///
    /// # Errors
    /// [`TransitionDenied::Needed`].
    pub fn unneeded(&self, removal: Removal, now: u64) -> Result<(), TransitionDenied> {
        let promised = match self.state {
            KeyState::Deactivated { verify_until } => verify_until,
            _ => 0,
        };
        let until = removal.at(now).max(promised);
        if until > now {
            return Err(TransitionDenied::Needed { key: self.name(), until });
        }
        Ok(())
    }
}
