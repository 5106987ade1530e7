"""A default that is computed when the function is made."""


def default_size():
    return 5


def size(value=default_size()):  # noqa: B008
    return value
