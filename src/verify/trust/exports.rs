//! The directories that a publication's files are exported to: which are known, and which are behind.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Accepted, Fault, TrustStore};
use crate::time::UnixTime;

/// An export directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The service whose files are there; `None` for the whole publication.
    pub service: Option<String>,
    /// Whether it may still have other files than those of the installed bundle.
    pub due: bool,
}

/// Where an installation's files are about to go.
#[derive(Clone, Copy, Debug)]
pub struct ExportTo<'e> {
    /// The directory, by its absolute path: one place, one name.
    pub directory: &'e str,
    /// The service whose files they are; `None` for the whole publication.
    pub service: Option<&'e str>,
    /// Whether they are other files than those in use there.
    pub changes: bool,
}

impl TrustStore {
    /// As [`install`](Self::install); the directory counts as due from the same write on. What services
    /// read there may change only after this, and [`note_exported`](Self::note_exported) ends it.
    pub fn install_exporting(
        &mut self,
        accepted: &Accepted<'_>,
        to: &ExportTo<'_>,
        now: UnixTime,
    ) -> Result<(), Fault> {
        self.put(accepted, Some(to), now)
    }

    /// Notes that the directory has the files of this value's bundle. Where nobody noted that the
    /// service has loaded them, this is when they were installed.
    ///
    /// [`Fault::Busy`] where another bundle was installed since.
    pub fn note_exported(&mut self, directory: &str, now: UnixTime) -> Result<(), Fault> {
        let known = self.state.bundle_text().map(str::to_owned);
        self.change(|state| {
            if state.bundle_text() != known.as_deref() {
                return Err(Fault::Busy);
            }
            if let Some(export) = state.exports.get_mut(directory).filter(|export| export.due) {
                export.due = false;
                if let Some(installed) = state.installed.as_mut().filter(|installed| installed.loaded_at.is_none()) {
                    installed.installed_at = now;
                }
            }
            Ok(())
        })
    }

    /// Forgets a directory: nothing reads it any more, and no receipt waits for it.
    pub fn retire_export(&mut self, directory: &str) -> Result<(), Fault> {
        self.change(|state| match state.exports.remove(directory) {
            Some(_) => Ok(()),
            None => {
                let known = state.exports.keys().cloned().collect();
                Err(Fault::ExportUnknown { directory: directory.to_owned(), known })
            }
        })
    }

    /// Every directory that was ever exported to and not retired since, by its path.
    pub fn exports(&self) -> &BTreeMap<String, Export> {
        &self.state.exports
    }
}

impl Export {
    pub(super) fn to_json(&self) -> Value {
        let mut members = Map::from_iter([("due".to_owned(), Value::from(self.due))]);
        if let Some(service) = &self.service {
            members.insert("service".to_owned(), service.as_str().into());
        }
        members.into()
    }

    pub(super) fn parse(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        let due = members.get("due")?.as_bool()?;
        let service = match members.get("service") {
            Some(service) => Some(service.as_str()?.to_owned()),
            None => None,
        };
        (members.len() == 1 + usize::from(service.is_some())).then_some(Self { service, due })
    }
}
