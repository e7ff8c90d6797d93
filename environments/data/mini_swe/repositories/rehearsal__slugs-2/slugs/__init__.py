"""Makes the last part of an URL out of a title."""

from .registry import Registry
from .text import slugify, unique_slug

__all__ = ["Registry", "slugify", "unique_slug"]
