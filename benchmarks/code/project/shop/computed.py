"""A constant that is computed at import."""


def square(number):
    return number * number


AREA = square(3)
