"""A cache that forgets what was not used for the longest time."""

from .cache import Cache
from .decorator import cached

__all__ = ["Cache", "cached"]
