//! What becomes of a text that is read: serde_json's values, or only the knowledge that it is strict.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::JsonError;

/// Takes what the parser finds.
pub(super) trait Build<'a> {
    type Value;
    type Members: Default;

    fn scalar(value: Value) -> Self::Value;
    fn string(string: Cow<'a, str>) -> Self::Value;
    fn array(items: Vec<Self::Value>) -> Self::Value;
    fn object(members: Self::Members) -> Self::Value;
    /// Adds one member, its `value` read only when the name is new.
    fn member(
        members: &mut Self::Members,
        name: Cow<'a, str>,
        value: impl FnOnce() -> Result<Self::Value, JsonError>,
    ) -> Result<(), JsonError>;
}

/// Values as serde_json has them.
pub(super) enum Tree {}

impl<'a> Build<'a> for Tree {
    type Value = Value;
    type Members = Map<String, Value>;

    fn scalar(value: Value) -> Value {
        value
    }

    fn string(string: Cow<'a, str>) -> Value {
        Value::String(string.into_owned())
    }

    fn array(items: Vec<Value>) -> Value {
        Value::Array(items)
    }

    fn object(members: Self::Members) -> Value {
        Value::Object(members)
    }

    fn member(
        members: &mut Self::Members,
        name: Cow<'a, str>,
        value: impl FnOnce() -> Result<Value, JsonError>,
    ) -> Result<(), JsonError> {
        match members.entry(name) {
            Entry::Occupied(known) => Err(JsonError::Duplicate { name: known.key().clone() }),
            Entry::Vacant(new) => {
                new.insert(value()?);
                Ok(())
            }
        }
    }
}

/// Nothing is kept but the names of objects that are not yet closed.
pub(super) enum Check {}

impl<'a> Build<'a> for Check {
    type Value = ();
    type Members = Names<'a>;

    fn scalar(_: Value) {}

    fn string(_: Cow<'a, str>) {}

    fn array(_: Vec<()>) {}

    fn object(_: Names<'a>) {}

    fn member(
        members: &mut Names<'a>,
        name: Cow<'a, str>,
        value: impl FnOnce() -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if members.few.contains(&name) || members.more.contains(&name) {
            return Err(JsonError::Duplicate { name: name.into_owned() });
        }
        value()?;
        if members.few.len() < FEW {
            members.few.push(name);
        } else {
            members.more.insert(name);
        }
        Ok(())
    }
}

/// Up to so many names are looked through one by one.
const FEW: usize = 24;

/// The names of one object.
#[derive(Default)]
pub(super) struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    more: HashSet<Cow<'a, str>>,
}
