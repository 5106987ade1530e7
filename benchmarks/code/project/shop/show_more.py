"""Shows lists, once it is imported."""

from shop.show import show


@show.register
def _(value: list):
    return "list " + ",".join(map(show, value))
