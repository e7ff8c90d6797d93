"""Sums up the lines of an invoice, exactly, in decimal numbers."""

from .amounts import line_total, to_cents
from .invoice import Invoice

__all__ = ["Invoice", "line_total", "to_cents"]
