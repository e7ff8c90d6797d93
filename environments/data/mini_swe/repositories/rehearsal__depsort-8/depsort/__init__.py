"""Puts things into an order in which everything comes after what it needs."""

from .graph import needed_by
from .order import CycleError, order

__all__ = ["CycleError", "needed_by", "order"]
