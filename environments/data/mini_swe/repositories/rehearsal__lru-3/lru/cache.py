"""The cache."""

from collections import OrderedDict


class Cache:
    """Keeps at most `size` entries."""

    def __init__(self, size):
        if size < 1:
            raise ValueError("a cache needs room for one entry at least")
        self.size = size
        self.hits = 0
        self.misses = 0
        self._entries = OrderedDict()

    def __len__(self):
        return len(self._entries)

    def __contains__(self, key):
        return key in self._entries

    def get(self, key, default=None):
        """What is stored under a key."""
        if key not in self._entries:
            self.misses += 1
            return default
        self.hits += 1
        return self._entries[key]

    def put(self, key, value):
        """Stores a value, and forgets the entry unused for the longest time if there is no room."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self.size:
            self._entries.popitem(last=False)
