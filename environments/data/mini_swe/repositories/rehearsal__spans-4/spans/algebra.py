"""What can be done with lists of spans."""


def merge(spans):
    """The same set in as few spans as possible, in order: those that overlap or touch become one."""
    merged = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def gaps(spans, start, end):
    """What of the span from `start` to `end` is in none of the others."""
    free = []
    at = start
    for left, right in merge(spans):
        if left >= end:
            break
        if left >= at and left > start:
            free.append((at, left))
        at = max(at, right)
    if at < end:
        free.append((at, end))
    return free


def covers(spans, point):
    """Whether a point is in one of the spans."""
    return any(start <= point < end for start, end in spans)


def length(spans):
    """How much the spans hold, counting nothing twice."""
    return sum(end - start for start, end in merge(spans))
