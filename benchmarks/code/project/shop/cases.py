"""Where tests get their parameters from."""


def doubles():
    return [(1, 2), (2, 4)]
