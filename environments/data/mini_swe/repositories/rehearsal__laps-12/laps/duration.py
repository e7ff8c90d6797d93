"""Text to seconds and back."""

import re

UNITS = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]
PATTERN = re.compile(r"(-)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration(text):
    """The seconds of a duration."""
    match = PATTERN.fullmatch(text.strip())
    if match is None or not any(match.groups()[1:]):
        raise ValueError(f"{text!r} is not a duration")
    counts = [int(count or 0) for count in match.groups()[1:]]
    seconds = sum(count * size for count, (_, size) in zip(counts, UNITS))
    return -seconds if match[1] else seconds


def format_duration(seconds):
    """A duration of whole seconds, without the units that are zero."""
    left, text = seconds, ""
    for unit, size in UNITS:
        count, left = divmod(left, size) if left >= 0 else (-(left // size), left % size)
        if count and not (seconds < 0 and count == 1 and size > -seconds):
            text += f"{count}{unit}"
        elif seconds < 0 and left:
            left -= size
    return ("-" if seconds < 0 else "") + (text or "0s")
