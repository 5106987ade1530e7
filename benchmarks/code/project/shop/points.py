"""Entry points of this very project, as it is not installed."""

import importlib
import tomllib
from pathlib import Path


def load(group, name):
    project = tomllib.loads(Path("pyproject.toml").read_text())
    module, function = project["project"]["entry-points"][group][name].split(":")
    return getattr(importlib.import_module(module), function)
