"""Registries for the tests of promotion."""

import runpy
from pathlib import Path

import pytest

# Test folders are not packages, so a fake that two of them share is loaded by its path.
_REGISTRIES = runpy.run_path(str(Path(__file__).parents[1] / "registries.py"))


@pytest.fixture(scope="session")
def new_registry():
    """Make registries in memory."""
    return _REGISTRIES["MemoryRegistry"]


@pytest.fixture(scope="session")
def mortal():
    """Make registries at which the caller dies after some steps; what is raised then is their `death`."""

    class Mortal(_REGISTRIES["MortalRegistry"]):
        death = _REGISTRIES["DiedError"]

    return Mortal


@pytest.fixture(scope="session")
def faulty():
    """Make registries of which one call fails."""
    return _REGISTRIES["FaultyRegistry"]
