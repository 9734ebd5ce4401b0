//! One line of the journal.

use super::{Digest, JournalFault, hex};
use coldsign_verify::json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What happened: the members of an entry that depend on its type.
pub trait Event: Serialize + DeserializeOwned {
    /// The entry's `type`.
    const TYPE: &'static str;

    /// The event as a line to append.
    fn line(&self) -> Line {
        Line { kind: Self::TYPE, body: serde_json::to_string(self).unwrap_or_default() }
    }
}

/// An event on its way into the journal.
#[derive(Debug, Clone)]
pub struct Line {
    pub(super) kind: &'static str,
    pub(super) body: String,
}

/// An entry as read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place, from 0.
    pub index: u64,
    /// When, in seconds since the epoch: as written, or where the clock was found wrong since, the
    /// time of its correction ([`ClockCorrected`]).
    pub time: u64,
    /// The time as its line has it.
    pub written: u64,
    /// The unlock that was used.
    pub by: String,
    /// Its type.
    pub kind: String,
    body: Map<String, Value>,
}

impl Entry {
    /// The event, where the entry is of that type.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`] where its members are not those of that type.
    pub fn event<E: Event>(&self) -> Result<Option<E>, JournalFault> {
        if self.kind != E::TYPE {
            return Ok(None);
        }
        serde_json::from_value(Value::Object(self.body.clone()))
            .map(Some)
            .map_err(|error| JournalFault::Malformed { line: self.index + 1, what: error.to_string() })
    }

    /// Whether it is the journal's own (its beginning, a checkpoint, a torn tail cut off, a corrected
    /// clock).
    pub fn is_bookkeeping(&self) -> bool {
        [StoreCreated::TYPE, Committed::TYPE, Truncated::TYPE, ClockCorrected::TYPE].contains(&self.kind.as_str())
    }

    /// Whether it only ends a group: a checkpoint.
    pub fn is_checkpoint(&self) -> bool {
        self.kind == Committed::TYPE
    }

    /// A checkpoint line's note.
    pub(super) fn note(&self) -> Option<&str> {
        self.body.get("note").filter(|_| self.is_checkpoint()).and_then(Value::as_str)
    }

    /// Its members beyond the envelope, for showing.
    pub fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    pub(super) fn read(line: &[u8]) -> Result<(Self, String), String> {
        let Value::Object(mut body) = json::parse(line).map_err(|error| error.to_string())? else {
            return Err("not an object".to_owned());
        };
        let mut take = |name: &str| body.remove(name).ok_or_else(|| format!("no `{name}`"));
        let number = |value: Value| value.as_u64().ok_or("a number is out of range".to_owned());
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            _ => Err("a text is of another type".to_owned()),
        };
        let index = number(take("index")?)?;
        let prev = text(take("prev")?)?;
        let time = number(take("time")?)?;
        let by = text(take("by")?)?;
        let kind = text(take("type")?)?;
        let entry = Self { index, time, written: time, by, kind, body };
        Ok((entry, prev))
    }
}

impl Line {
    /// The line's bytes without its newline.
    pub(super) fn render(&self, index: u64, prev: &Digest, time: u64, by: &str) -> String {
        let by = Value::from(by);
        let members = self.body.get(1..).unwrap_or("}");
        let comma = if members.starts_with('}') { "" } else { "," };
        format!(
            r#"{{"index":{index},"prev":"{}","time":{time},"by":{by},"type":"{}"{comma}{members}"#,
            hex(prev),
            self.kind
        )
    }
}

/// The first line: what the store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreCreated {
    /// `coldsign-journal`.
    pub format: String,
    /// 1.
    pub version: u64,
    /// 16 random bytes, base64url.
    pub store_id: String,
    /// The `iss` of every token.
    pub issuer: String,
    /// The journal's Ed25519 public key, base64url.
    pub journal_key: String,
}

impl StoreCreated {
    /// The `format` of this version.
    pub const FORMAT: &'static str = "coldsign-journal";
}

impl Event for StoreCreated {
    const TYPE: &'static str = "store.created";
}

/// A group's end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Committed {
    pub note: String,
}

impl Event for Committed {
    const TYPE: &'static str = "checkpoint";
}

/// Bytes of an act that was never acknowledged were cut off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Truncated {
    pub bytes: u64,
    pub sha256: String,
}

impl Event for Truncated {
    const TYPE: &'static str = "journal.truncated";
}

/// The machine's clock was wrong while some entries were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockCorrected {
    /// Index of the first entry with a wrong time.
    pub first: u64,
    /// Index of the last.
    pub last: u64,
    /// The newest wrong time, in seconds since the epoch.
    pub wrong: u64,
    /// The right time of the correction: those entries were made before it.
    pub right: u64,
    /// Why, in the operator's words.
    pub reason: String,
}

impl Event for ClockCorrected {
    const TYPE: &'static str = "clock.corrected";
}

/// Puts right the times of entries that a later one calls wrong. None of them can be later than
/// their correction, so whoever counts from then on never counts too short.
pub(super) fn correct_times(entries: &mut [Entry]) -> Result<(), JournalFault> {
    let mut corrections = Vec::new();
    for entry in entries.iter() {
        if let Some(correction) = entry.event::<ClockCorrected>()? {
            if correction.last >= entry.index || correction.first > correction.last || correction.right != entry.written
            {
                let what = "a correction of the clock speaks of entries or a time that it can't".to_owned();
                return Err(JournalFault::Malformed { line: entry.index + 1, what });
            }
            corrections.push(correction);
        }
    }
    for correction in corrections {
        for entry in entries.iter_mut().filter(|entry| (correction.first..=correction.last).contains(&entry.index)) {
            entry.time = correction.right;
        }
    }
    Ok(())
}
