"""Reads the fields of a crontab line."""

from .field import FieldError, expand
from .schedule import Schedule

__all__ = ["FieldError", "Schedule", "expand"]
