"""Templates: text with names in braces."""

import re

FIELD = re.compile(r"\{(\w+)\}")


class MissingName(KeyError):
    """A name without a value."""


def names(text):
    """The names in a template, each once, in order."""
    return list(dict.fromkeys(match[1] for match in FIELD.finditer(text) if match[1]))


def render(text, values):
    """The template with values for its names."""

    def fill(match):
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in values:
            raise MissingName(name)
        return str(values[name])

    return FIELD.sub(fill, text)
