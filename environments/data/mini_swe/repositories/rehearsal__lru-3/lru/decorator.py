"""Functions that remember their results."""

import functools

from .cache import Cache

MISSING = object()


def cached(size):
    """Has a function of hashable arguments remember so many results."""

    def decorate(function):
        cache = Cache(size)

        @functools.wraps(function)
        def call(*arguments):
            value = cache.get(arguments, MISSING)
            if value is MISSING:
                value = function(*arguments)
                cache.put(arguments, value)
            return value

        call.cache = cache
        return call

    return decorate
