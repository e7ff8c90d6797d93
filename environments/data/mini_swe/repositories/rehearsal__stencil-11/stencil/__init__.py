"""Fills names into text."""

from .template import MissingName, names, render

__all__ = ["MissingName", "names", "render"]
