from shop.stars.core import *  # noqa: F403


def outer():
    return core() + 1  # noqa: F405
