"""A generic function, and one more in another module."""

from functools import singledispatch


@singledispatch
def show(value):
    return f"any {value}"


@show.register
def _(value: int):
    return f"int {value}"
