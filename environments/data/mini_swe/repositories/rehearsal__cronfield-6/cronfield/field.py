"""One field: numbers, ranges, steps, and lists of them."""


class FieldError(ValueError):
    """A field that cannot be read."""


def number(text, low, high):
    """A number within the bounds of its field."""
    if not text.isdigit() or not low <= int(text) <= high:
        raise FieldError(f"{text!r} is not a number from {low} to {high}")
    return int(text)


def part(text, low, high):
    """The numbers of one part of a list."""
    bounds, _, step = text.partition("/")
    stride = number(step, 1, high) if step else 1
    if bounds == "*":
        return range(low, high + 1, stride)
    first, dash, last = bounds.partition("-")
    start = number(first, low, high)
    end = number(last, low, high) if dash else start
    if end < start:
        raise FieldError(f"{bounds!r} ends before it begins")
    return range(start, end + 1)


def expand(text, low, high):
    """All numbers that a field matches, in order."""
    return sorted({value for piece in text.split(",") for value in part(piece, low, high)})
