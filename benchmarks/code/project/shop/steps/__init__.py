"""Every step registers itself when it is imported."""

import importlib
from pathlib import Path

STEPS = {}


def step(name):
    def keep(function):
        STEPS[name] = function
        return function

    return keep


def load_all():
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        importlib.import_module(f"shop.steps.{path.stem}")
    return STEPS
