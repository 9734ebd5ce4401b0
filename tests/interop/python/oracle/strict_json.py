"""Strict JSON: verification-v1.md section 3, over RFC 8259's grammar."""

import re

MAX_NESTING = 8
MAX_INTEGER = 2**53 - 1

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = (("true", True), ("false", False), ("null", None))


class NotStrict(Exception):
    """The text is no strict JSON."""


class Number:
    """A number as it was written."""

    def __init__(self, text, is_whole):
        self.text = text
        self.is_whole = is_whole

    def __eq__(self, other):
        return isinstance(other, Number) and self.text == other.text

    __hash__ = None


def parse(data):
    """The value that the bytes are; objects are dicts, numbers are `Number`."""
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise NotStrict("no UTF-8") from None
    reader = _Reader(text)
    value = reader.value(0)
    reader.blanks()
    if reader.at != len(text):
        raise NotStrict("something after the value")
    return value


def integer(value):
    """The whole number from 0 to 2^53-1, written as one; None for anything else."""
    if not isinstance(value, Number) or not value.is_whole or value.text.startswith("-"):
        return None
    # Longer texts are out of bounds, and Python refuses to convert very long ones.
    if len(value.text) > 16:
        return None
    number = int(value.text)
    return number if number <= MAX_INTEGER else None


class _Reader:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def blanks(self):
        self.at = _BLANKS.match(self.text, self.at).end()

    def peek(self):
        return self.text[self.at : self.at + 1]

    def take(self, character):
        if self.peek() != character:
            raise NotStrict(f"no {character} where one must be")
        self.at += 1

    def value(self, depth):
        self.blanks()
        first = self.peek()
        if first == "{":
            return self.object(depth + 1)
        if first == "[":
            return self.array(depth + 1)
        if first == '"':
            return self.string()
        for word, meaning in _WORDS:
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        return self.number()

    def object(self, depth):
        if depth > MAX_NESTING:
            raise NotStrict("too deep")
        self.take("{")
        members = {}
        self.blanks()
        if self.peek() == "}":
            self.at += 1
            return members
        while True:
            self.blanks()
            name = self.string()
            if name in members:
                raise NotStrict("a member twice")
            self.blanks()
            self.take(":")
            members[name] = self.value(depth)
            self.blanks()
            if self.peek() == "}":
                self.at += 1
                return members
            self.take(",")

    def array(self, depth):
        if depth > MAX_NESTING:
            raise NotStrict("too deep")
        self.take("[")
        elements = []
        self.blanks()
        if self.peek() == "]":
            self.at += 1
            return elements
        while True:
            elements.append(self.value(depth))
            self.blanks()
            if self.peek() == "]":
                self.at += 1
                return elements
            self.take(",")

    def string(self):
        self.take('"')
        parts = []
        while True:
            plain = _PLAIN.match(self.text, self.at)
            parts.append(plain.group())
            self.at = plain.end()
            if self.peek() == '"':
                self.at += 1
                return "".join(parts)
            self.take("\\")
            parts.append(self.escape())

    def escape(self):
        letter = self.peek()
        self.at += 1
        if letter in _ESCAPES and letter:
            return _ESCAPES[letter]
        if letter != "u":
            raise NotStrict("an unknown escape, or a control character as it is")
        unit = self.unit()
        if 0xDC00 <= unit <= 0xDFFF:
            raise NotStrict("half a surrogate pair")
        if 0xD800 <= unit <= 0xDBFF:
            if not self.text.startswith("\\u", self.at):
                raise NotStrict("half a surrogate pair")
            self.at += 2
            low = self.unit()
            if not 0xDC00 <= low <= 0xDFFF:
                raise NotStrict("half a surrogate pair")
            return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        return chr(unit)

    def unit(self):
        digits = _HEX.match(self.text, self.at)
        if not digits:
            raise NotStrict("no four hex digits")
        self.at = digits.end()
        return int(digits.group(), 16)

    def number(self):
        found = _NUMBER.match(self.text, self.at)
        if not found:
            raise NotStrict("no value")
        self.at = found.end()
        if float(found.group()) in (float("inf"), float("-inf")):
            raise NotStrict("a number beyond a double")
        return Number(found.group(), found.group(1) is None and found.group(2) is None)
