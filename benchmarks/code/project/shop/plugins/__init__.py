"""Plugins: every module in this folder."""

import pkgutil


def names():
    return sorted(module.name for module in pkgutil.iter_modules(__path__))
