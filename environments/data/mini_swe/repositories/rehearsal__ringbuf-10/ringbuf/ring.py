"""The buffer."""


class Ring:
    """The last `capacity` things that were appended, the oldest first."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("the capacity has to be 1 or more")
        self.capacity = capacity
        self._slots = []
        self._next = 0

    def append(self, item):
        """Adds a thing, and drops the oldest one if there is no room."""
        if len(self._slots) < self.capacity:
            self._slots.append(item)
        else:
            self._slots[self._next] = item
        self._next = (self._next + 1) % self.capacity

    def __len__(self):
        return len(self._slots)

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(f"{index} is not in a ring of {len(self)}")
        return self._slots[index % len(self)]

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def is_full(self):
        """Whether the next thing drops one."""
        return len(self._slots) == self.capacity
