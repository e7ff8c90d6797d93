"""Numbers over a window."""

from .ring import Ring


def moving_average(numbers, window):
    """The mean of the last `window` numbers, from the first full window on."""
    ring = Ring(window)
    averages = []
    for number in numbers:
        ring.append(number)
        if ring.is_full():
            averages.append(sum(ring) / window)
    return averages
