"""Remembers which slugs are in use."""

from .text import unique_slug


class Registry:
    """Slugs by the identifiers of what they stand for."""

    def __init__(self):
        self._slugs = {}

    def add(self, identifier, title):
        """Gives something a slug; what has one keeps it."""
        if identifier not in self._slugs:
            self._slugs[identifier] = unique_slug(title, set(self._slugs.values()))
        return self._slugs[identifier]

    def remove(self, identifier):
        """Frees a slug."""
        self._slugs.pop(identifier, None)
