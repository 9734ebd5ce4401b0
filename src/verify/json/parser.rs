//! The grammar of RFC 8259, read once from left to right.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::build::Build;
use super::{JsonError, Member};

/// A position in a text, and how deep the values around it nest.
pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    limit: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, limit: usize) -> Self {
        Self { text, at: 0, limit, depth: 0 }
    }

    /// One value, and nothing after it but whitespace.
    pub(super) fn document<B: Build<'a>>(&mut self) -> Result<B::Value, JsonError> {
        self.alone(Self::value::<B>)
    }

    /// The members of one object, everything in them checked and nothing of them built.
    pub(super) fn members<B: Build<'a>>(&mut self) -> Result<Vec<Member<'a>>, JsonError> {
        let found = self.alone(|parser| match parser.peek() {
            Some(b'{') => parser.nested(Self::top::<B>).map(Some),
            _ => parser.value::<B>().map(|_| None),
        });
        found?.ok_or(JsonError::NotAnObject)
    }

    fn alone<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, JsonError>) -> Result<T, JsonError> {
        self.skip_whitespace();
        let value = inner(self)?;
        self.skip_whitespace();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(JsonError::Trailing { at: self.at }),
        }
    }

    fn value<B: Build<'a>>(&mut self) -> Result<B::Value, JsonError> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object::<B>),
            Some(b'[') => self.nested(Self::array::<B>),
            Some(b'"') => Ok(B::string(self.string()?)),
            Some(b't') => self.literal("true").map(|()| B::scalar(Value::Bool(true))),
            Some(b'f') => self.literal("false").map(|()| B::scalar(Value::Bool(false))),
            Some(b'n') => self.literal("null").map(|()| B::scalar(Value::Null)),
            Some(b'-' | b'0'..=b'9') => self.number().map(B::scalar),
            _ => Err(self.syntax()),
        }
    }

    fn nested<T>(&mut self, inner: fn(&mut Self) -> Result<T, JsonError>) -> Result<T, JsonError> {
        if self.depth == self.limit {
            return Err(JsonError::TooDeep { limit: self.limit });
        }
        self.depth += 1;
        self.at += 1;
        self.skip_whitespace();
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object<B: Build<'a>>(&mut self) -> Result<B::Value, JsonError> {
        let mut members = B::Members::default();
        self.each_member(|parser, _| {
            let name = parser.string()?;
            B::member(&mut members, name, || {
                parser.colon()?;
                parser.value::<B>()
            })
        })?;
        Ok(B::object(members))
    }

    fn top<B: Build<'a>>(&mut self) -> Result<Vec<Member<'a>>, JsonError> {
        let mut names = B::Members::default();
        let mut members = Vec::new();
        self.each_member(|parser, begin| {
            let name = parser.string()?;
            let mut at = begin;
            B::member(&mut names, name.clone(), || {
                parser.colon()?;
                at = parser.at;
                parser.value::<B>()
            })?;
            members.push(Member { name, text: parser.since(begin), value: parser.since(at) });
            Ok(())
        })?;
        Ok(members)
    }

    /// From behind the opening brace to behind the closing one; `member` gets its own beginning.
    fn each_member(
        &mut self,
        mut member: impl FnMut(&mut Self, usize) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let begin = self.at;
            member(self, begin)?;
            self.skip_whitespace();
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_whitespace();
        }
    }

    fn colon(&mut self) -> Result<(), JsonError> {
        self.skip_whitespace();
        self.expect(b':')?;
        self.skip_whitespace();
        Ok(())
    }

    fn array<B: Build<'a>>(&mut self) -> Result<B::Value, JsonError> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(B::array(items));
        }
        loop {
            items.push(self.value::<B>()?);
            self.skip_whitespace();
            if self.take(b']') {
                return Ok(B::array(items));
            }
            self.expect(b',')?;
            self.skip_whitespace();
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"')?;
        let plain = self.plain();
        if self.take(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut string = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(string));
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escape()?);
                }
                _ => return Err(self.syntax()),
            }
            string.push_str(self.plain());
        }
    }

    /// What stands for itself within a string, up to a quote, an escape or a control character.
    fn plain(&mut self) -> &'a str {
        let begin = self.at;
        let rest = self.text.as_bytes().get(begin..).unwrap_or_default();
        self.at += rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')).unwrap_or(rest.len());
        self.since(begin)
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.syntax()),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let at = self.at;
        let mut code = self.four_hex_digits()?;
        if (0xd800..0xdc00).contains(&code) {
            self.expect(b'\\')?;
            self.expect(b'u')?;
            let low = self.four_hex_digits()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(JsonError::Syntax { at });
            }
            code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        // A surrogate standing alone is no character: text that cannot be UTF-8 is refused.
        char::from_u32(code).ok_or(JsonError::Syntax { at })
    }

    fn four_hex_digits(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.syntax())?;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let at = self.at;
        let negative = self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut whole = true;
        if self.take(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            whole = false;
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = self.since(at);
        let integer = match (whole, negative) {
            (true, false) => text.parse::<u64>().ok().map(Number::from),
            // -0 is no integer here: it falls through to the double -0.0.
            (true, true) => text.parse::<i64>().ok().filter(|number| *number != 0).map(Number::from),
            (false, _) => None,
        };
        integer
            .or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
            .map(Value::Number)
            .ok_or(JsonError::NumberRange { at })
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == begin { Err(self.syntax()) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &str) -> Result<(), JsonError> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            return Err(self.syntax());
        }
        self.at += literal.len();
        Ok(())
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.syntax()) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Always on character boundaries: parsing only stops at ASCII.
    fn since(&self, begin: usize) -> &'a str {
        self.text.get(begin..self.at).unwrap_or_default()
    }

    fn syntax(&self) -> JsonError {
        JsonError::Syntax { at: self.at }
    }
}
