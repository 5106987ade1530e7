"""A decorator: what it does at import, and what it does at a call."""

from functools import wraps


def loud(function):
    mark = "loud"

    @wraps(function)
    def shout(*args):
        return function(*args) + "!"

    shout.mark = mark
    return shout
