"""Tables that other modules fill, and what asks for their names only."""

EVERY = []
TABLE = {}


class Size:
    names = ("small", "large")


def every(function):
    EVERY.append(function)
    return function


def named(name):
    def register(function):
        TABLE[name] = function
        return function

    return register


def is_known(name):
    return name in TABLE


def is_size(name):
    return name in Size.names
