"""Members of signed contents: the rules that root, bundle and receipt share."""

import re

from .refused import demand
from .strict_json import integer

_DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[a-z0-9_-]{1,64}")


class Members:
    """An object whose members are taken by type; a wrong one is refused by `rule`."""

    def __init__(self, value, rule):
        demand(isinstance(value, dict), rule)
        self.value = value
        self.rule = rule

    def has(self, name):
        return name in self.value

    def only(self, *names):
        demand(all(name in names for name in self.value), self.rule)

    def known_if_critical(self, names):
        """`critical` may list only what the reader knows."""
        if self.has("critical"):
            listed = self.different("critical")
            demand(len(listed) <= 100 and all(name in names for name in listed), self.rule)

    def version(self, rule):
        """The integer `version`, which has to be 1."""
        demand(self.integer("version") == 1, rule)

    def any(self, name):
        demand(name in self.value, self.rule)
        return self.value[name]

    def string(self, name):
        value = self.any(name)
        demand(isinstance(value, str) and value, self.rule)
        return value

    def integer(self, name, least=0, most=None):
        value = integer(self.any(name))
        demand(value is not None and value >= least and (most is None or value <= most), self.rule)
        return value

    def array(self, name):
        value = self.any(name)
        demand(isinstance(value, list), self.rule)
        return value

    def different(self, name):
        """An array of different strings, none of them empty."""
        texts = self.array(name)
        demand(all(isinstance(text, str) and text for text in texts), self.rule)
        demand(len(set(texts)) == len(texts), self.rule)
        return texts

    def object(self, name):
        return Members(self.any(name), self.rule)

    def digest(self, name):
        value = self.string(name)
        demand(_DIGEST.fullmatch(value), self.rule)
        return value

    def times(self, name):
        """An object name -> time; empty where it is absent."""
        if not self.has(name):
            return {}
        times = self.object(name)
        demand("" not in times.value, self.rule)
        return {each: times.integer(each) for each in times.value}

    def strings(self, name):
        """An object name -> string; empty where it is absent."""
        if not self.has(name):
            return {}
        strings = self.object(name).value
        demand("" not in strings and all(isinstance(each, str) for each in strings.values()), self.rule)
        return strings
