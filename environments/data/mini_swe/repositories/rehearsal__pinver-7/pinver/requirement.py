"""Requirements: a comparison and a version, such as `>=1.2.0`."""

import operator

from .version import Version

COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def satisfies(version, requirement):
    """Whether a version meets all requirements of a list with commas."""
    for part in requirement.replace(" ", "").split(","):
        sign = next((sign for sign in COMPARISONS if part.startswith(sign)), None)
        if sign is None:
            raise ValueError(f"{part!r} is no requirement")
        if not COMPARISONS[sign](version, Version(part[len(sign):])):
            return False
    return True


def best(versions, requirement):
    """The latest version that meets a requirement; none if there is none."""
    admitted = [version for version in versions if satisfies(version, requirement)]
    return max(admitted, default=None)
