"""Versions by the rules of semantic versioning."""

from .requirement import best, satisfies
from .version import Version

__all__ = ["Version", "best", "satisfies"]
