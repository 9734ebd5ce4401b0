//! `trust.json`: everything the store knows, in one file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::durable::{self, Change};
use super::{Export, ExportTo, Fault};
use crate::bundle::Bundle;
use crate::digest::Digest;
use crate::files::Identity;
use crate::json;
use crate::members::Members;
use crate::receipt;
use crate::root::Root;
use crate::time::UnixTime;

const NAME: &str = "trust.json";
const FORMAT: &str = "coldsign-trust";
const VERSION: u64 = 1;

/// Room for the longest bundle and root, escaped at worst.
const LARGEST: u64 = 64 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) verifier: String,
    pub(super) pinned: Digest,
    pub(super) root: Root,
    pub(super) installed: Option<Installed>,
    pub(super) exports: BTreeMap<String, Export>,
    pub(super) used: BTreeMap<String, UnixTime>,
    pub(super) counter: u64,
    pub(super) receipt: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) bundle: Bundle,
    pub(super) installed_at: UnixTime,
    pub(super) loaded_at: Option<UnixTime>,
}

impl State {
    pub(super) fn new(verifier: &str, pinned: Digest, root: Root) -> Self {
        Self {
            verifier: verifier.to_owned(),
            pinned,
            root,
            installed: None,
            exports: BTreeMap::new(),
            used: BTreeMap::new(),
            counter: 0,
            receipt: None,
        }
    }

    pub(super) fn read(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join(NAME);
        let bytes = durable::read(&path, LARGEST)?;
        let bytes = bytes.ok_or_else(|| Fault::Missing { directory: directory.to_owned() })?;
        Self::parse(&bytes).map_err(|what| Fault::Damaged { path, what })
    }

    /// As [`read`](Self::read), under the lock; with the file that it was read from.
    pub(super) fn read_in(change: &Change, directory: &Path) -> Result<(Self, Identity), Fault> {
        let read = change.read(NAME, LARGEST)?;
        let read = read.ok_or_else(|| Fault::Missing { directory: directory.to_owned() })?;
        let state = Self::parse(&read.bytes);
        Ok((state.map_err(|what| Fault::Damaged { path: directory.join(NAME), what })?, read.file))
    }

    /// Instead of the file that was read, or of none.
    pub(super) fn write(&self, change: &Change, read: Option<Identity>) -> Result<(), Fault> {
        change.replace(NAME, format!("{:#}\n", self.to_json()).as_bytes(), read)
    }

    pub(super) fn bundle_text(&self) -> Option<&str> {
        self.installed.as_ref().map(|installed| installed.bundle.text())
    }

    /// Until its files are switched nobody knows what services read there.
    pub(super) fn begin_export(&mut self, to: &ExportTo<'_>) {
        let service = to.service.map(str::to_owned);
        let known = self.exports.get(to.directory).is_some_and(|known| !known.due && known.service == service);
        if to.changes || !known {
            self.exports.insert(to.directory.to_owned(), Export { service, due: true });
        }
        if let (true, Some(installed)) = (to.changes, &mut self.installed) {
            installed.loaded_at = None;
        }
    }

    pub(super) fn next_receipt(&self, now: UnixTime) -> Result<receipt::Contents, Fault> {
        let installed = self.installed.as_ref().ok_or(Fault::Empty)?;
        let contents = installed.bundle.contents();
        if let Some((directory, export)) = self.exports.iter().find(|(_, export)| export.due) {
            let (directory, service) = (directory.clone(), export.service.clone());
            return Err(Fault::ExportDue { directory, service, seq: contents.seq });
        }
        Ok(receipt::Contents {
            store: contents.store.clone(),
            verifier: self.verifier.clone(),
            counter: self.counter.saturating_add(1),
            previous: self.receipt,
            root_version: self.root.root_version(),
            seq: contents.seq,
            bundle: installed.bundle.digest(),
            installed_at: installed.installed_at,
            loaded_at: installed.loaded_at,
            kids: contents.keys.iter().map(|key| (key.kid.clone(), self.used.get(&key.kid).copied())).collect(),
            issued_at: now,
        })
    }

    fn to_json(&self) -> Value {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        if let Some(installed) = &self.installed {
            put("bundle", installed.bundle.text().into());
        }
        put("counter", self.counter.into());
        if !self.exports.is_empty() {
            let exports: Map<String, Value> =
                self.exports.iter().map(|(directory, export)| (directory.clone(), export.to_json())).collect();
            put("exports", exports.into());
        }
        put("format", FORMAT.into());
        if let Some(installed) = &self.installed {
            put("installed_at", installed.installed_at.0.into());
            if let Some(loaded_at) = installed.loaded_at {
                put("loaded_at", loaded_at.0.into());
            }
        }
        put("pinned", self.pinned.to_string().into());
        if let Some(receipt) = self.receipt {
            put("receipt", receipt.to_string().into());
        }
        put("root", self.root.text().into());
        let used: Map<String, Value> = self.used.iter().map(|(kid, at)| (kid.clone(), at.0.into())).collect();
        put("used", used.into());
        put("verifier", self.verifier.as_str().into());
        put("version", VERSION.into());
        members.into()
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        Self::from_members(Members::of(json::parse_object(bytes).map_err(|error| error.to_string())?))
    }

    fn from_members(mut members: Members) -> Result<Self, String> {
        let told = |fault: crate::MemberFault| fault.to_string();
        let format = (members.text("format").map_err(told)?, members.integer("version", 0).map_err(told)?);
        if format != (FORMAT.to_owned(), VERSION) {
            return Err(format!("it is {} version {}, not {FORMAT} version {VERSION}", format.0, format.1));
        }
        let pinned = members.digest("pinned").map_err(told)?;
        let text = members.text("root").map_err(told)?;
        let root = Root::first(text.as_bytes()).map_err(|fault| fault.to_string())?;
        let installed = match members.optional_text("bundle").map_err(told)? {
            None => None,
            Some(text) => Some(Installed {
                bundle: Bundle::verify(&text, &root).map_err(|fault| fault.to_string())?,
                installed_at: members.time("installed_at").map_err(told)?,
                loaded_at: members.optional_time("loaded_at").map_err(told)?,
            }),
        };
        let state = Self {
            verifier: members.text("verifier").map_err(told)?,
            pinned,
            root,
            installed,
            exports: members.optional_table("exports", "not an export", Export::parse).map_err(told)?,
            used: members.table("used", "not a time", |value| json::integer(value).map(UnixTime)).map_err(told)?,
            counter: members.integer("counter", 0).map_err(told)?,
            receipt: members.optional_digest("receipt").map_err(told)?,
        };
        if state.receipt.is_some() != (state.counter > 0) {
            return Err("its counter and its last receipt don't belong together".to_owned());
        }
        if state.installed.is_none() && !state.exports.is_empty() {
            return Err("it has exports, and nothing is installed".to_owned());
        }
        members.end().map_err(told)?;
        Ok(state)
    }
}
