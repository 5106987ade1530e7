"""One half of a circle."""

import shop.right


def ping(times):
    return ["ping", *shop.right.pong(times - 1)] if times else []
