"""Backends by name."""

import importlib


def backend(name):
    return importlib.import_module("shop.backends." + name)
