"""Questions about who needs whom."""


def needed_by(needs, name):
    """Everything that needs a name, directly or not."""
    found = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for other, names in needs.items():
            if current in names and other not in found:
                found.add(other)
                waiting.append(other)
    return found
