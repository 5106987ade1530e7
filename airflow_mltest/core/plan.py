"""Which tests run, in which shard, and why."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Mapping

# The one case of a suite that had nothing to run, since nothing that changed reaches a test.
NOTHING_REACHED = "(selection)"
_SCHEMA, _VERSION = "airflow-mltest/plan", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What one run of a project's tests consists of.

    Args:
        shards: Who runs what; together they hold each test once.
        broken: Files that could not be collected, with the reason; the first shard tells of them.
        reasons: Why each test was selected, where a change decided.
        everything: Why all tests were selected, where a change was to decide and could not.
        left_out: How many tests the change cannot reach.
        base: The commit that the project was compared with; empty: none.
        commit: The commit that is tested, if it is known.
        environment: Digest of interpreter, pytest and installed packages.
        project: What the project's past is kept under.
        created_at: When the plan was made, ISO 8601.
        recording: Whether each test's touched code is recorded.
        flaky: Tests of which past runs say that they are flaky, and how often.
    """

    shards: tuple[Shard, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    everything: str = ""
    left_out: int = 0
    base: str = ""
    commit: str = ""
    environment: str = ""
    project: str = ""
    created_at: str = ""
    recording: bool = False
    flaky: Mapping[str, str] = field(default_factory=dict)

    @property
    def tests(self) -> tuple[str, ...]:
        """All tests that run."""
        return tuple(test for shard in self.shards for test in shard.tests)

    @property
    def is_selection(self) -> bool:
        """Whether a change has decided which tests run."""
        return bool(self.base) and not self.everything

    @property
    def digest(self) -> str:
        """Tell this plan from every other: who runs what, of which commit."""
        told = [[list(shard.tests) for shard in self.shards], self.commit, self.environment, self.created_at]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def label(plan: Plan, number: int) -> str:
    """Name a shard for a person: `2/8 tests/unit/test_a.py and 3 more files: 120 tests, ~40 s`."""
    shard = plan.shards[number - 1]
    name = shard.files[0] if shard.files else "files that cannot be collected"
    if len(name) > 60:  # noqa: PLR2004  Airflow's column for it has 250 characters, the grid far fewer
        name = f"...{name[-57:]}"
    more = len(shard.files) - 1
    files = f" and {more} more file{'s' * (more > 1)}" if more > 0 else ""
    tests = f"{len(shard.tests)} test{'s' * (len(shard.tests) != 1)}"
    return f"{number}/{len(plan.shards)} {name}{files}: {tests}, ~{shard.seconds:.0f} s"


def plan_to_document(plan: Plan) -> dict[str, Any]:
    """Give *plan* as strict JSON."""
    return {
        "schema": _SCHEMA,
        "version": _VERSION,
        "shards": [
            {"tests": list(shard.tests), "files": list(shard.files), "seconds": shard.seconds} for shard in plan.shards
        ],
        **{name: dict(getattr(plan, name)) for name in _MAPPINGS},
        **{name: getattr(plan, name) for name in _PLAIN},
    }


_MAPPINGS = ("broken", "reasons", "flaky")
_PLAIN = (
    "everything", "left_out", "base", "commit", "environment", "project", "created_at", "recording",
)  # fmt: skip


def plan_from_document(document: Any) -> Plan:
    """
    Read back what `plan_to_document` gave.

    Raises:
        ConfigurationError: It is no plan, or one of another version.
    """
    if not isinstance(document, dict) or (document.get("schema"), document.get("version")) != (_SCHEMA, _VERSION):
        msg = f"this is no plan of version {_VERSION}: plan and shards must run the same airflow-mltest."
        raise ConfigurationError(msg)
    shards = tuple(
        Shard(tests=tuple(shard["tests"]), files=tuple(shard["files"]), seconds=shard["seconds"])
        for shard in document["shards"]
    )
    return Plan(
        shards=shards,
        **{name: document[name] for name in (*_PLAIN, *_MAPPINGS)},
    )
