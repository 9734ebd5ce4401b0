//! Keys as the journal tells them.

use super::{Foreign, ImportSource, SealGeneration};
use crate::journal::{Entry, Event, JournalFault, member};
use coldsign_verify::PublicKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// What a key is for. No public key ever serves two purposes or two keysets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Signs checkpoints.
    Journal,
    /// What verifiers pin.
    Root,
    /// Signs bundles.
    Bundle,
    /// Signs tokens.
    Token,
}

impl Purpose {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Root => "root",
            Self::Bundle => "bundle",
            Self::Token => "token",
        }
    }
}

/// Where a key is in its life (NIST SP 800-57 part 1 §7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Published, not signing.
    PreActivation,
    /// Signing.
    Active,
    /// Paused.
    Suspended,
    /// Verifying until a date; the private half is destroyed.
    Deactivated {
        /// When it leaves the published set, in seconds since the epoch.
        verify_until: u64,
    },
    /// In the wrong hands, or taken for it: verifiers are to refuse it. The private half is destroyed.
    Compromised,
    /// Gone.
    Destroyed,
}

impl KeyState {
    /// NIST's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PreActivation => "pre-activation",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated { .. } => "deactivated",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
        }
    }

    /// In plain words, without a date.
    pub fn words(&self) -> String {
        match self {
            Self::PreActivation => "not signing yet",
            Self::Active => "signing",
            Self::Suspended => "paused",
            Self::Deactivated { .. } => "verifying only",
            Self::Compromised => "compromised",
            Self::Destroyed => "gone",
        }
        .to_owned()
    }
}

/// A key and its history.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// Its keyset; `journal`, `root` and `bundle` are the store's own.
    pub keyset: String,
    /// Its number in the keyset, from 1.
    pub number: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// The public half.
    pub public: PublicKey,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made or imported, in seconds since the epoch.
    pub made_at: u64,
    /// When it first signed.
    pub activated_at: Option<u64>,
    /// The journal entry that first let it sign: of two keys the later one is the successor.
    pub activation: Option<u64>,
    /// When it was taken for compromised.
    pub compromised_at: Option<u64>,
    /// Whether the private half was never in this store.
    pub elsewhere: bool,
    /// SHA-256 of the file with its private half as it is in force, lower-case hex.
    pub file_sha256: String,
    /// In what form it was imported, if it was.
    pub imported: Option<ImportSource>,
    /// What it has signed elsewhere, and under which name; nothing of a key made here.
    pub foreign: Foreign,
}

impl KeyRecord {
    /// `keyset/number`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.keyset, self.number)
    }

    /// Whether the store keeps its private half.
    pub fn has_private_half(&self) -> bool {
        let ended = matches!(self.state, KeyState::Deactivated { .. } | KeyState::Compromised | KeyState::Destroyed);
        !self.elsewhere && !ended
    }

    /// Whether a publication made now holds it.
    pub fn published_at(&self, now: u64) -> bool {
        match self.state {
            KeyState::PreActivation | KeyState::Active | KeyState::Suspended => true,
            KeyState::Deactivated { verify_until } => now < verify_until,
            KeyState::Compromised | KeyState::Destroyed => false,
        }
    }
}

/// All keys a store ever had, oldest first.
#[derive(Debug, Default)]
pub struct Keys {
    records: Vec<KeyRecord>,
    /// Places by kid: a journal has an entry for each change of each key.
    by_kid: HashMap<String, usize>,
    /// The newest number of each keyset.
    newest: HashMap<String, u64>,
}

impl Keys {
    /// Takes in an entry; `false` where it is not about keys.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        if let Some(made) = entry.event::<KeyGenerated>()? {
            self.add(entry, made, None, Foreign::default())?;
        } else if let Some(made) = entry.event::<KeyImported>()? {
            let malformed = |what| JournalFault::Malformed { line: entry.index + 1, what };
            let foreign = Foreign::from_entry(made.tokens_until, made.tokens_longest, made.kept_kid.clone());
            let foreign = foreign.map_err(malformed)?;
            let (made, source) = made.split();
            self.add(entry, made, Some(source), foreign)?;
        } else if let Some(event) = entry.event::<KeyActivated>()? {
            let key = self.changed(entry, &event.kid)?;
            key.state = KeyState::Active;
            key.activated_at.get_or_insert(entry.time);
            key.activation.get_or_insert(entry.index);
        } else if let Some(event) = entry.event::<KeySuspended>()? {
            self.changed(entry, &event.kid)?.state = KeyState::Suspended;
        } else if let Some(event) = entry.event::<KeyResumed>()? {
            self.changed(entry, &event.kid)?.state = KeyState::Active;
        } else if let Some(event) = entry.event::<Deactivated>()? {
            self.changed(entry, &event.kid)?.state = KeyState::Deactivated { verify_until: event.verify_until };
        } else if let Some(event) = entry.event::<KeyCompromised>()? {
            let key = self.changed(entry, &event.kid)?;
            key.state = KeyState::Compromised;
            key.compromised_at.get_or_insert(entry.time);
        } else if let Some(event) = entry.event::<KeyDestroyed>()? {
            self.changed(entry, &event.kid)?.state = KeyState::Destroyed;
        } else if let Some(sealed) = entry.event::<SealGeneration>()? {
            // Every private key has a new file; the unlocks take in the rest of it.
            self.resealed(&sealed);
            return Ok(false);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All of them.
    pub fn all(&self) -> &[KeyRecord] {
        &self.records
    }

    /// One by its kid.
    pub fn by_kid(&self, kid: &str) -> Option<&KeyRecord> {
        self.records.get(*self.by_kid.get(kid)?)
    }

    /// One by the `kid` that it had elsewhere, where that is published too.
    pub fn by_kept_kid(&self, kid: &str) -> Option<&KeyRecord> {
        self.records.iter().find(|key| key.foreign.kid.as_deref() == Some(kid))
    }

    /// One by `keyset/number`, or by a kid of it.
    pub fn by_name(&self, name: &str) -> Option<&KeyRecord> {
        self.records.iter().find(|key| key.name() == name || key.kid == name).or_else(|| self.by_kept_kid(name))
    }

    /// Those of a keyset.
    pub fn of_keyset<'a>(&'a self, keyset: &'a str) -> impl Iterator<Item = &'a KeyRecord> {
        self.records.iter().filter(move |key| key.keyset == keyset)
    }

    /// The key that signs for a keyset: the one activated last. Where that one is paused none does;
    /// an older key never takes over again, for services may have let it go.
    pub fn signing<'a>(&'a self, keyset: &'a str) -> Option<&'a KeyRecord> {
        self.newest_activated(keyset).filter(|key| key.state == KeyState::Active)
    }

    /// Of a keyset's keys that still can sign, the one activated last.
    pub fn newest_activated<'a>(&'a self, keyset: &'a str) -> Option<&'a KeyRecord> {
        self.of_keyset(keyset)
            .filter(|key| matches!(key.state, KeyState::Active | KeyState::Suspended))
            .max_by_key(|key| key.activation)
    }

    /// The number the keyset's next key gets.
    pub fn next_number(&self, keyset: &str) -> u64 {
        // Read numbers are bounded, so that one more is no overflow; beyond the bound none is recorded.
        self.newest.get(keyset).map_or(1, |newest| newest.saturating_add(1))
    }

    fn add(
        &mut self,
        entry: &Entry,
        made: KeyGenerated,
        imported: Option<ImportSource>,
        foreign: Foreign,
    ) -> Result<(), JournalFault> {
        let malformed = |what: String| JournalFault::Malformed { line: entry.index + 1, what };
        let jwk = made.jwk.to_string();
        let (public, _) = PublicKey::from_jwk(jwk.as_bytes()).map_err(|error| malformed(error.to_string()))?;
        if public.thumbprint() != made.kid {
            return Err(malformed("the kid is not the key's thumbprint".to_owned()));
        }
        let kids = [Some(&made.kid), foreign.kid.as_ref()];
        if kids.into_iter().flatten().any(|kid| self.by_kid(kid).is_some() || self.by_kept_kid(kid).is_some()) {
            return Err(malformed("the key is there already".to_owned()));
        }
        if made.number != self.next_number(&made.keyset) {
            return Err(malformed(format!("{}/{} does not follow the keyset's last key", made.keyset, made.number)));
        }
        let state = match made.state.as_str() {
            "active" => KeyState::Active,
            "pre-activation" => KeyState::PreActivation,
            other => return Err(malformed(format!("unknown state {other}"))),
        };
        self.by_kid.insert(made.kid.clone(), self.records.len());
        self.newest.insert(made.keyset.clone(), made.number);
        self.records.push(KeyRecord {
            keyset: made.keyset,
            number: made.number,
            purpose: made.purpose,
            kid: made.kid,
            public,
            activated_at: (state == KeyState::Active).then_some(entry.time),
            activation: (state == KeyState::Active).then_some(entry.index),
            state,
            compromised_at: None,
            made_at: entry.time,
            elsewhere: made.elsewhere,
            file_sha256: made.sha256,
            imported,
            foreign,
        });
        Ok(())
    }

    fn resealed(&mut self, sealed: &SealGeneration) {
        for key in &mut self.records {
            if let Some(sha256) = sealed.files.get(&sealed_name(&key.kid)) {
                key.file_sha256.clone_from(sha256);
            }
        }
    }

    fn changed(&mut self, entry: &Entry, kid: &str) -> Result<&mut KeyRecord, JournalFault> {
        let place = self.by_kid.get(kid).copied();
        place
            .and_then(|place| self.records.get_mut(place))
            .ok_or_else(|| JournalFault::Malformed { line: entry.index + 1, what: format!("there is no key {kid}") })
    }
}

/// The file of a private key in its folder.
pub fn sealed_name(kid: &str) -> String {
    format!("key-{kid}.age")
}

/// A key was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyGenerated {
    /// Its keyset.
    #[serde(deserialize_with = "member::keyset")]
    pub keyset: String,
    /// Its number there.
    #[serde(deserialize_with = "member::number")]
    pub number: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// RFC 7638 thumbprint.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kid: String,
    /// The public key (RFC 7517).
    pub jwk: Value,
    /// `active` or `pre-activation`.
    pub state: String,
    /// SHA-256 of the file with the private half, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// Whether the private half went to another medium.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

impl Event for KeyGenerated {
    const TYPE: &'static str = "key.generated";
}

/// A key made elsewhere was taken in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyImported {
    /// Its keyset.
    #[serde(deserialize_with = "member::keyset")]
    pub keyset: String,
    /// Its number there.
    #[serde(deserialize_with = "member::number")]
    pub number: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// RFC 7638 thumbprint.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kid: String,
    /// The public key (RFC 7517).
    pub jwk: Value,
    /// `active` or `pre-activation`.
    pub state: String,
    /// SHA-256 of the file with the private half, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// In what form it came.
    pub source: ImportSource,
    /// The latest `exp` of the tokens that it has signed elsewhere, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "member::number")]
    pub tokens_until: Option<u64>,
    /// Their longest `exp` − `iat`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "member::number")]
    pub tokens_longest: Option<u64>,
    /// The `kid` they carry, published beside the thumbprint.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "member::kid")]
    pub kept_kid: Option<String>,
}

impl KeyImported {
    fn split(self) -> (KeyGenerated, ImportSource) {
        let made = KeyGenerated {
            keyset: self.keyset,
            number: self.number,
            purpose: self.purpose,
            kid: self.kid,
            jwk: self.jwk,
            state: self.state,
            sha256: self.sha256,
            elsewhere: false,
        };
        (made, self.source)
    }
}

impl Event for KeyImported {
    const TYPE: &'static str = "key.imported";
}

/// The members of an entry that changes a key's state.
macro_rules! state_change {
    ($(#[$doc:meta])* $name:ident, $kind:literal $(, $(#[$field_doc:meta])* $field:ident: $type:ty)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Which key.
            #[serde(deserialize_with = "member::thumbprint")]
            pub kid: String,
            $($(#[$field_doc])* #[serde(deserialize_with = "member::number")] pub $field: $type,)?
            /// Why, in the operator's words.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<String>,
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;
        }
    };
}

state_change!(
    /// A key signs from now on.
    KeyActivated, "key.activated");
state_change!(
    /// A key signs no more until it is resumed.
    KeySuspended, "key.suspended");
state_change!(
    /// A suspended key signs again.
    KeyResumed, "key.resumed");
state_change!(
    /// A key verifies only; its private half is destroyed.
    Deactivated, "key.deactivated",
    /// When it leaves the published set, in seconds since the epoch.
    verify_until: u64);
state_change!(
    /// A key is taken for compromised from the entry's time on: nothing it signed counts any more.
    KeyCompromised, "key.compromised");
state_change!(
    /// A key is gone.
    KeyDestroyed, "key.destroyed");
