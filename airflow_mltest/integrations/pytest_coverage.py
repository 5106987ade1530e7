"""Inside the tested interpreter: coverage.py's data are kept, also of workers and of tests that kill."""

# Copied alone into the tested interpreter, which may be Python 3.9 with pytest 7.
from __future__ import annotations

import os
import time
import warnings
from typing import TYPE_CHECKING

import coverage

if TYPE_CHECKING:
    import pytest

_SAVED_EVERY_S = 5.0
_now = time.monotonic


class Keeper:
    """
    Save what was measured every few seconds: a test that kills the process would take it along.

    Args:
        own: What measures here, if nobody else does.
    """

    def __init__(self, own: coverage.Coverage | None) -> None:
        self._own = own
        self._saved_s = _now()

    def pytest_runtest_logfinish(self) -> None:
        """Save, if it is time; a few milliseconds."""
        if _now() < self._saved_s + _SAVED_EVERY_S:
            return
        self._saved_s = _now()
        current = coverage.Coverage.current()
        if current is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # nothing measured yet is no reason to complain
                try:
                    current.save()
                except Exception:  # noqa: BLE001  coverage.py's trouble is not the tests'
                    return

    def pytest_sessionfinish(self) -> None:
        """End what was begun here."""
        if self._own is not None:
            self._own.stop()
            self._own.save()


def _begin() -> coverage.Coverage | None:
    """Measure in a worker of pytest-xdist, unless the project's own settings see to that."""
    place = os.environ.get("MLTEST_COVERAGE")
    if not place or "PYTEST_XDIST_WORKER" not in os.environ or coverage.Coverage.current() is not None:
        return None
    own = coverage.Coverage(data_file=place, data_suffix=True)
    own.start()
    return own


# At import, before any `conftest.py`.
_own = _begin()


def pytest_configure(config: pytest.Config) -> None:
    """Stay, and leave nothing in the environment of the tests."""
    if hasattr(config, "workerinput") or getattr(config.option, "dist", "no") == "no":
        os.environ.pop("MLTEST_COVERAGE", None)
    config.pluginmanager.register(Keeper(_own), "mltest-coverage")
