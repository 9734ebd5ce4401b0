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
            listed = self.array("critical")
            demand(all(isinstance(name, str) and name in names for name in listed), self.rule)

    def any(self, name):
        demand(name in self.value, self.rule)
        return self.value[name]

    def string(self, name):
        value = self.any(name)
        demand(isinstance(value, str), self.rule)
        return value

    def integer(self, name, least=0, most=None):
        value = integer(self.any(name))
        demand(value is not None and value >= least and (most is None or value <= most), self.rule)
        return value

    def array(self, name):
        value = self.any(name)
        demand(isinstance(value, list), self.rule)
        return value

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
        return {each: times.integer(each) for each in times.value}

    def strings(self, name):
        """An object name -> string; empty where it is absent."""
        if not self.has(name):
            return {}
        strings = self.object(name)
        return {each: strings.string(each) for each in strings.value}
