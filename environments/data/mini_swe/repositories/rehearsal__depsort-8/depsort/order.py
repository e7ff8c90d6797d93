"""The order."""


class CycleError(ValueError):
    """Things that need each other."""

    def __init__(self, path):
        super().__init__(" -> ".join(map(str, path)))
        self.path = path


def order(needs):
    """All names, each after those that it needs; as they come otherwise."""
    done, entered = [], set()

    def visit(name, path):
        if name in entered:
            raise CycleError([*path, name, name])
        entered.add(name)
        for other in needs.get(name, ()):
            visit(other, [*path, name])
        done.append(name)

    for name in needs:
        if name not in done:
            visit(name, [])
    return done
