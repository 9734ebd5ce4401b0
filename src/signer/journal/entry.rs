//! One line of the journal.

use super::chain::{JournalKey, key_at};
use super::{Digest, JournalFault, hex, member, names};
use coldsign_verify::json::{self, LARGEST_INTEGER, Member};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::Arc;

/// What happened: the members of an entry that depend on its type.
pub trait Event: Serialize + DeserializeOwned {
    /// The entry's `type`.
    const TYPE: &'static str;

    /// The event as a line to append.
    fn line(&self) -> Line {
        let body = serde_json::to_string(self).unwrap_or_default();
        // What no reader would take is never recorded: `Journal::commit` refuses it.
        let fault = serde_json::from_str::<Self>(&body).err().map(|error| error.to_string());
        Line { kind: Self::TYPE, body, fault }
    }
}

/// An event on its way into the journal.
#[derive(Debug, Clone)]
pub struct Line {
    pub(super) kind: &'static str,
    pub(super) body: String,
    /// Why no reader would take it, if none would.
    pub(super) fault: Option<String>,
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
    pub by: Arc<str>,
    /// Its type.
    pub kind: Arc<str>,
    /// Its other members as JSON. A journal has millions of lines: each is built up only when asked for.
    body: Body,
}

/// One object in a text that many entries may share.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub text: Arc<String>,
    pub range: Range<usize>,
}

impl Body {
    fn as_str(&self) -> &str {
        self.text.get(self.range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Entry {
    /// The event, where the entry is of that type.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`] where its members are not those of that type.
    pub fn event<E: Event>(&self) -> Result<Option<E>, JournalFault> {
        if *self.kind != *E::TYPE {
            return Ok(None);
        }
        serde_json::from_str(self.body.as_str())
            .map(Some)
            .map_err(|error| JournalFault::Malformed { line: self.index + 1, what: error.to_string() })
    }

    /// Whether it is the journal's own (its beginning, a checkpoint, a torn tail cut off, a new key, a
    /// corrected clock).
    pub fn is_bookkeeping(&self) -> bool {
        [StoreCreated::TYPE, Committed::TYPE, Truncated::TYPE, JournalRekeyed::TYPE, ClockCorrected::TYPE]
            .contains(&&*self.kind)
    }

    /// The key that the journal has after this entry's group, where the entry names one.
    pub(super) fn next_key(&self) -> Result<Option<JournalKey>, JournalFault> {
        let rekeyed = self.event::<JournalRekeyed>()?;
        rekeyed.map(|rekeyed| key_at(&rekeyed.journal_key, self.index + 1)).transpose()
    }

    /// Whether it only ends a group: a checkpoint.
    pub fn is_checkpoint(&self) -> bool {
        *self.kind == *Committed::TYPE
    }

    /// A checkpoint line's note.
    pub fn note(&self) -> Option<String> {
        self.event::<Committed>().ok().flatten().map(|committed| committed.note)
    }

    /// Its members beyond the envelope, for showing.
    pub fn body(&self) -> Map<String, Value> {
        json::parse_object(self.body.as_str().as_bytes()).unwrap_or_default()
    }

    /// An entry of a line that was checked before.
    pub(super) fn of(index: u64, time: u64, by: Arc<str>, kind: Arc<str>, body: Body) -> Self {
        Self { index, time, written: time, by, kind, body }
    }

    /// Reads a line strictly; with it the digest that it says the line before has.
    pub(super) fn read(line: &[u8]) -> Result<(Self, String), String> {
        let (mut index, mut prev, mut time, mut by, mut kind) = (None, None, None, None, None);
        let mut body = String::with_capacity(line.len());
        for Member { name, text, value, .. } in json::members(line).map_err(|error| error.to_string())? {
            match name.as_ref() {
                "index" => index = Some(number(value)?),
                "prev" => prev = Some(string(value)?),
                "time" => time = Some(number(value)?),
                "by" => by = Some(string(value)?),
                "type" => kind = Some(string(value)?),
                _ => {
                    body.push(if body.is_empty() { '{' } else { ',' });
                    body.push_str(text);
                }
            }
        }
        body.push_str(if body.is_empty() { "{}" } else { "}" });
        let missing = |name: &str| format!("no `{name}`");
        let time = time.ok_or_else(|| missing("time"))?;
        let (by, kind) = (by.ok_or_else(|| missing("by"))?, kind.ok_or_else(|| missing("type"))?);
        if !names::is_unlock(&by) {
            return Err("its `by` is no name of an unlock".to_owned());
        }
        if !names::is_kind(&kind) {
            return Err("its `type` is no type of an entry".to_owned());
        }
        let entry = Self {
            index: index.ok_or_else(|| missing("index"))?,
            time,
            written: time,
            by: by.into(),
            kind: kind.into(),
            body: Body { range: 0..body.len(), text: Arc::new(body) },
        };
        Ok((entry, prev.ok_or_else(|| missing("prev"))?))
    }
}

/// JSON's integers have no sign, blank, fraction or zero before them: as Rust reads them.
fn number(value: &str) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| *number <= LARGEST_INTEGER);
    number.ok_or_else(|| "a number is out of range".to_owned())
}

fn string(value: &str) -> Result<String, String> {
    serde_json::from_str(value).map_err(|_| "a text is of another type".to_owned())
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
    #[serde(deserialize_with = "member::number")]
    pub version: u64,
    /// 16 random bytes, base64url.
    #[serde(deserialize_with = "member::random")]
    pub store_id: String,
    /// The `iss` of every token.
    #[serde(deserialize_with = "member::issuer")]
    pub issuer: String,
    /// The journal's Ed25519 public key, base64url.
    #[serde(deserialize_with = "member::journal_key")]
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
    #[serde(deserialize_with = "member::note")]
    pub note: String,
}

impl Event for Committed {
    const TYPE: &'static str = "checkpoint";
}

/// Bytes of an act that was never acknowledged were cut off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Truncated {
    #[serde(deserialize_with = "member::number")]
    pub bytes: u64,
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
}

impl Event for Truncated {
    const TYPE: &'static str = "journal.truncated";
}

/// The journal has a new key: the checkpoint of this group is signed by the old one and by this one,
/// every later checkpoint by this one alone. Always its group's last entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalRekeyed {
    /// The new Ed25519 public key, base64url.
    #[serde(deserialize_with = "member::journal_key")]
    pub journal_key: String,
}

impl Event for JournalRekeyed {
    const TYPE: &'static str = "journal.rekeyed";
}

/// The machine's clock was wrong while some entries were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockCorrected {
    /// Index of the first entry with a wrong time.
    #[serde(deserialize_with = "member::number")]
    pub first: u64,
    /// Index of the last.
    #[serde(deserialize_with = "member::number")]
    pub last: u64,
    /// The newest wrong time, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub wrong: u64,
    /// The right time of the correction: those entries were made before it.
    #[serde(deserialize_with = "member::number")]
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
    for (at, right) in corrected(entries.len(), &corrections) {
        if let Some(entry) = entries.get_mut(at) {
            entry.time = right;
        }
    }
    Ok(())
}

/// The place and the right time of each entry that some correction speaks of; the last one counts. Each
/// entry is touched once, however many corrections speak of it.
pub(super) fn corrected(entries: usize, corrections: &[ClockCorrected]) -> Vec<(usize, u64)> {
    let mut times = Vec::new();
    // The next entry at or after each that no later correction has settled.
    let mut next: Vec<usize> = if corrections.is_empty() { Vec::new() } else { (0..=entries).collect() };
    for correction in corrections.iter().rev() {
        let last = usize::try_from(correction.last).unwrap_or(usize::MAX);
        let mut at = open_from(&mut next, usize::try_from(correction.first).unwrap_or(usize::MAX));
        while at <= last && at < entries {
            times.push((at, correction.right));
            if let Some(place) = next.get_mut(at) {
                *place = at + 1;
            }
            at = open_from(&mut next, at + 1);
        }
    }
    times
}

/// Follows the settled entries to the first open one, and shortens the way for the next who goes it.
fn open_from(next: &mut [usize], from: usize) -> usize {
    let mut open = from;
    while let Some(further) = next.get(open).copied().filter(|further| *further != open) {
        open = further;
    }
    let mut at = from;
    while let Some(place) = next.get_mut(at).filter(|place| **place != at) {
        at = std::mem::replace(place, open);
    }
    open
}
