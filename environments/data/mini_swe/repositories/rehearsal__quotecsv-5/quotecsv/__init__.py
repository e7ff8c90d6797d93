"""Reads and writes tables of text."""

from .reader import parse
from .writer import write

__all__ = ["parse", "write"]
