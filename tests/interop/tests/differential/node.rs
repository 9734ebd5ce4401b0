//! JSON as a tree that can also say what is no JSON: members twice, numbers and strings as they are spelled.

use serde_json::Value;

#[derive(Clone)]
pub enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    /// A number, string or word, as it is written.
    Text(String),
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(members) => Self::Object(
                members.into_iter().map(|(name, value)| (Value::from(name).to_string(), value.into())).collect(),
            ),
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            other => Self::Text(other.to_string()),
        }
    }
}

impl Node {
    pub fn text(raw: impl Into<String>) -> Self {
        Self::Text(raw.into())
    }

    pub fn members(&mut self) -> Option<&mut Vec<(String, Node)>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    pub fn elements(&mut self) -> Option<&mut Vec<Node>> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// The member under a path of names; a number is the place in an array.
    pub fn at(&mut self, path: &[&str]) -> Option<&mut Node> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let inner = match self {
            Self::Object(members) => &mut members.iter_mut().find(|(name, _)| name.trim_matches('"') == *first)?.1,
            Self::Array(elements) => elements.get_mut(first.parse::<usize>().ok()?)?,
            Self::Text(_) => return None,
        };
        inner.at(rest)
    }

    /// Sets a member, which need not be there.
    pub fn set(&mut self, path: &[&str], value: impl Into<Node>) -> Option<()> {
        let (last, around) = path.split_last()?;
        let members = self.at(around)?.members()?;
        let name = Value::from(*last).to_string();
        let value = value.into();
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some(member) => member.1 = value,
            None => members.push((name, value)),
        }
        Some(())
    }

    pub fn remove(&mut self, path: &[&str]) -> Option<()> {
        let (last, around) = path.split_last()?;
        let members = self.at(around)?.members()?;
        let place = members.iter().position(|(name, _)| name.trim_matches('"') == *last)?;
        members.remove(place);
        Some(())
    }

    pub fn number(&mut self, path: &[&str]) -> Option<u64> {
        if let Self::Text(text) = self.at(path)? { text.parse().ok() } else { None }
    }

    pub fn string(&mut self, path: &[&str]) -> Option<String> {
        if let Self::Text(text) = self.at(path)? { serde_json::from_str(text).ok() } else { None }
    }

    /// Every node of the tree that `wanted` asks for, from the outside in.
    pub fn all(&mut self, wanted: fn(&Node) -> bool, then: &mut dyn FnMut(&mut Node)) {
        if wanted(self) {
            then(self);
        }
        match self {
            Self::Object(members) => members.iter_mut().for_each(|(_, value)| value.all(wanted, then)),
            Self::Array(elements) => elements.iter_mut().for_each(|element| element.all(wanted, then)),
            Self::Text(_) => {}
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        self.write(&mut out, &mut || "");
        out.into_bytes()
    }

    /// Written with what `blank` gives between any two marks.
    pub fn write(&self, out: &mut String, blank: &mut dyn FnMut() -> &'static str) {
        out.push_str(blank());
        match self {
            Self::Object(members) => {
                out.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    out.push_str(blank());
                    out.push_str(name);
                    out.push_str(blank());
                    out.push(':');
                    value.write(out, blank);
                }
                out.push('}');
            }
            Self::Array(elements) => {
                out.push('[');
                for (place, element) in elements.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    element.write(out, blank);
                }
                out.push(']');
            }
            Self::Text(text) => out.push_str(text),
        }
        out.push_str(blank());
    }
}
