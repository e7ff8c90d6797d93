"""Keeps the last few of many things."""

from .ring import Ring
from .statistics import moving_average

__all__ = ["Ring", "moving_average"]
