"""The one exception of the judges: the rule that refused."""


class Refused(Exception):
    """Its first argument is the rule's id."""

    @property
    def rule(self):
        return self.args[0]


def demand(condition, rule):
    """Refuses by `rule` unless the condition holds."""
    if not condition:
        raise Refused(rule)
