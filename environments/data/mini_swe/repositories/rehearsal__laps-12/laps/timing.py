"""A stopwatch with laps."""

from .duration import format_duration


class Stopwatch:
    """Takes times from a clock, which returns whole seconds."""

    def __init__(self, clock):
        self.clock = clock
        self.started = clock()
        self.laps = []

    def lap(self):
        """Notes a lap, and tells how long it took."""
        begun = self.started + sum(self.laps)
        self.laps.append(self.clock() - begun)
        return format_duration(self.laps[-1])

    def compared(self, expected):
        """How much the last lap took over what was expected; below zero if less."""
        return format_duration(self.laps[-1] - expected)
