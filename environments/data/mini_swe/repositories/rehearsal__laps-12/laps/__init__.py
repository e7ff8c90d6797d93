"""Durations as people write them."""

from .duration import format_duration, parse_duration
from .timing import Stopwatch

__all__ = ["Stopwatch", "format_duration", "parse_duration"]
