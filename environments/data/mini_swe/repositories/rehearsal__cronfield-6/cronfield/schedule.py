"""A whole line: minute, hour, day, month, weekday."""

from .field import FieldError, expand

BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]


class Schedule:
    """Says whether it is time."""

    def __init__(self, line):
        fields = line.split()
        if len(fields) != len(BOUNDS):
            raise FieldError(f"{len(BOUNDS)} fields are needed, not {len(fields)}")
        self.sets = [set(expand(text, *bounds)) for text, bounds in zip(fields, BOUNDS)]

    def matches(self, when):
        """Whether a point in time is one of the schedule's."""
        values = [when.minute, when.hour, when.day, when.month, (when.weekday() + 1) % 7]
        return all(value in allowed for value, allowed in zip(values, self.sets))
