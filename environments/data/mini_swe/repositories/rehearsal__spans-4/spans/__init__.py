"""Sets of half-open spans."""

from .algebra import covers, gaps, length, merge

__all__ = ["covers", "gaps", "length", "merge"]
