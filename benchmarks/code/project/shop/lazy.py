"""Attributes that are made when they are asked for."""


def __getattr__(name):
    if name == "ANSWER":
        return 42
    raise AttributeError(name)
