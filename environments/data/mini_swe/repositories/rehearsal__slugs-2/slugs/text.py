"""Titles to slugs."""

import re
import unicodedata

EMPTY = "untitled"


def slugify(title):
    """Lower-case words of ASCII letters and digits, joined by hyphens."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower())) or EMPTY


def unique_slug(title, taken):
    """A slug that is not among those taken; numbers tell apart what would be the same."""
    slug = slugify(title)
    number = 2
    if slug in taken:
        slug = f"{slug}-{number}"
    return slug
