"""A version and its order."""

import functools
import re

PATTERN = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")


@functools.total_ordering
class Version:
    """Major, minor and patch, perhaps a pre-release and build metadata."""

    def __init__(self, text):
        match = PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a version")
        self.text = text
        self.release = tuple(int(part) for part in match.groups()[:3])
        self.prerelease = match[4]

    def _key(self):
        """What versions are ordered by: a release comes after its pre-releases."""
        parts = self.prerelease.split(".") if self.prerelease else []
        return (self.release, not parts, [(part,) for part in parts])

    def __eq__(self, other):
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other):
        return self._key() < other._key()

    def __hash__(self):
        return hash((self.release, self.prerelease))

    def __repr__(self):
        return f"Version({self.text!r})"
