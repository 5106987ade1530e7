"""
Everything this package raises on purpose, drawn as a tree.

MltestError
|-- ConfigurationError      what the author wrote cannot work; a retry would say the same
|   `-- MissingExtraError   an optional library is not installed
|-- TestsFailedError        the run is complete, and its answer is no; a retry would say the same
|-- BrokenRunError          the run could not finish; a retry may
|   `-- StoppedError        somebody stopped it
`-- PromotionRefusedError   the registry is not in the state that the decision was made for

A failed test is not among them: it is a value (`Outcome.FAILED`), and only Airflow's floor
turns a suite that has not passed into `TestsFailedError`.
"""

from __future__ import annotations


class MltestError(Exception):
    """The root: catch it to catch everything this package raises on purpose."""


class ConfigurationError(MltestError):
    """What the author of the DAG wrote cannot work: never retried."""


class MissingExtraError(ConfigurationError, ImportError):
    """A library that an extra of this package installs is not there."""


class TestsFailedError(MltestError):
    """The suite ran to its end and has not passed: never retried."""

    __test__ = False  # pytest would collect it for its name.


class BrokenRunError(MltestError):
    """The suite could not be run to its end: retried as the task's `retries` say."""


class StoppedError(BrokenRunError):
    """The run was stopped from outside: by a user, a timeout or a shutdown."""


class PromotionRefusedError(MltestError):
    """The registry is not, or no longer, in the state that the decision was made for."""
