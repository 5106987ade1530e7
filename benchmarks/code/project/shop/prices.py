"""Prices."""


def net(gross):
    """What is left without tax."""
    return gross - gross // 5


def with_tax(price, rate=2):
    # The rate is a default argument.
    return price * rate
