"""Roman numerals from 1 to 3999, there and back."""

from .roman import from_roman, to_roman

__all__ = ["from_roman", "to_roman"]
