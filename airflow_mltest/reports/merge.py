"""Many suites of one run become one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_mltest.core.outcome import Case, Origin, Suite

WORST_FIRST = (Outcome.FAILED, Outcome.BROKEN, Outcome.INCONCLUSIVE, Outcome.PASSED, Outcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    What all suites of one DAG run said.

    Args:
        name: Its title.
        suites: The suites, those of shards merged.
        missing: Suites that had to be there, and are not.
        dag_id: The DAG, if there was one.
        run_id: Its run.
        created_at: When it was put together, aware.
    """

    name: str
    suites: tuple[Suite, ...] = ()
    missing: tuple[str, ...] = ()
    dag_id: str = ""
    run_id: str = ""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def outcome(self) -> Outcome:
        """The worst of its suites; broken where one is missing, or where there is none."""
        found = {suite.outcome for suite in self.suites}
        if self.missing or not found:
            found.add(Outcome.BROKEN)
        return _worst(found)

    @property
    def passed(self) -> bool:
        """Whether every suite passed, and none is missing."""
        return self.outcome is Outcome.PASSED

    @property
    def counts(self) -> dict[str, int]:
        """How many cases ended how, over all suites."""
        total: Counter[str] = Counter({outcome.value: 0 for outcome in Outcome} | {"flaky": 0})
        for suite in self.suites:
            total.update(suite.counts)
        return dict(total)


def report_of(
    name: str, suites: Iterable[Suite], *, required: Sequence[str] = (), dag_id: str = "", run_id: str = ""
) -> Report:
    """Put *suites* together; of the *required* names, those that are not there are missing."""
    merged = merge(suites)
    there = {suite.name for suite in merged}
    missing = tuple(wanted for wanted in required if wanted not in there)
    return Report(name=name, suites=merged, missing=missing, dag_id=dag_id, run_id=run_id)


def merge(suites: Iterable[Suite]) -> tuple[Suite, ...]:
    """
    Make one suite of all shards of a task; of several tries, the newest counts.

    Suites keep the order in which they started. A case that several shards ran is counted once,
    as the worst of its answers; unless they asked it of different subjects, as a task does that is
    mapped over models: then each answer is kept, and its name says of which. Suites that no task
    ran are merged by name. Where a suite stands for those of shards, they are left out.
    """
    newest: dict[tuple[object, ...], Suite] = {}
    for place, suite in enumerate(in_force(suites)):
        # What no task ran has no tries: each is a part of its name.
        key = (*_task(suite), suite.origin.map_index if suite.origin else place)
        if key not in newest or _age(suite) > _age(newest[key]):
            newest[key] = suite
    tasks: dict[tuple[str, ...], list[Suite]] = {}
    for suite in sorted(newest.values(), key=_shard_order):
        tasks.setdefault(_task(suite), []).append(suite)
    merged = [_one(shards) for shards in tasks.values()]
    return tuple(sorted(merged, key=lambda suite: (suite.started_at, suite.name, _task(suite))))


def in_force(suites: Iterable[Suite]) -> list[Suite]:
    """Leave out the suites of shards that another suite of their run stands for, unless one is newer than that."""
    given = list(suites)
    merged_at: dict[tuple[str, ...], datetime] = {}
    for suite in given:
        if suite.origin and suite.stands_for:
            stood_for = (suite.origin.dag_id, suite.origin.run_id, suite.stands_for)
            merged_at[stood_for] = max(suite.started_at, merged_at.get(stood_for, suite.started_at))
    return [suite for suite in given if _task(suite) not in merged_at or suite.started_at > merged_at[_task(suite)]]


def _worst(outcomes: set[Outcome]) -> Outcome:
    return next(outcome for outcome in WORST_FIRST if outcome in outcomes)


def _task(suite: Suite) -> tuple[str, ...]:
    origin = suite.origin
    return (origin.dag_id, origin.run_id, origin.task_id) if origin else (suite.name,)


def _age(suite: Suite) -> tuple[int, datetime, float]:
    return (suite.origin.try_number if suite.origin else 1, suite.started_at, suite.duration_s)


def _shard_order(suite: Suite) -> tuple[int, datetime, float]:
    """Sort by what does not depend on which file was read first."""
    return (suite.origin.map_index if suite.origin else -1, suite.started_at, suite.duration_s)


def _one(shards: Sequence[Suite]) -> Suite:
    # A shard that broke at once knows least of what it was part of.
    witness = max(shards, key=lambda shard: len(shard.cases))
    names = [_shard_name(shard, place) for place, shard in enumerate(shards, 1)]
    differing = _differing(shard.subject for shard in shards)
    cases = _count_once(zip(names, _told_apart(shards, differing), strict=True))
    if len(shards) == 1:
        return replace(witness, cases=cases)
    # A shard in which nothing ran has not passed, and must not vanish among those that have.
    reasons = [shard.incomplete or ("" if shard.cases else "nothing ran") for shard in shards]
    return replace(
        witness,
        cases=cases,
        origin=_common_origin(shards),
        subject={k: v for shard in shards for k, v in shard.subject.items() if k not in differing},
        environment=_united([shard.environment for shard in shards]),
        started_at=min(shard.started_at for shard in shards),
        duration_s=max(shard.duration_s for shard in shards),
        incomplete="; ".join(f"{name}: {reason}" for name, reason in zip(names, reasons, strict=True) if reason),
        attachments=tuple(path for shard in shards for path in shard.attachments),
    )


def _shard_name(shard: Suite, place: int) -> str:
    if shard.origin is None:
        return f"part {place}"
    return f"shard {shard.origin.map_index}" if shard.origin.map_index >= 0 else "the task"


def _common_origin(shards: Sequence[Suite]) -> Origin | None:
    origins = [shard.origin for shard in shards if shard.origin]
    if not origins:
        return None
    return replace(origins[0], map_index=-1, try_number=max(origin.try_number for origin in origins))


def _differing(subjects: Iterable[Mapping[str, str]]) -> list[str]:
    """Name what the shards disagree on; a shard that does not know agrees with all."""
    values: dict[str, set[str]] = {}
    for subject in subjects:
        for key, value in subject.items():
            values.setdefault(key, set()).add(value)
    return sorted(key for key in values if len(values[key]) > 1)


def _told_apart(shards: Sequence[Suite], differing: Sequence[str]) -> list[tuple[Case, ...]]:
    """Give each shard's cases; those that were asked of several subjects say of which in their name."""
    readable = [key for key in differing if not key.endswith("_digest")] or differing
    labels = [", ".join(shard.subject.get(key, "?") for key in readable) for shard in shards]
    asked_of: dict[str, set[str]] = {}
    for shard, label in zip(shards, labels, strict=True):
        for case in shard.cases:
            asked_of.setdefault(case.name, set()).add(label)
    return [
        tuple(replace(c, name=f"{c.name} [{label}]") if len(asked_of[c.name]) > 1 else c for c in shard.cases)
        for shard, label in zip(shards, labels, strict=True)
    ]


def _count_once(asked: Iterable[tuple[str, Iterable[Case]]]) -> tuple[Case, ...]:
    answers: dict[str, list[tuple[str, Case]]] = {}
    for shard, cases in asked:
        for case in cases:
            answers.setdefault(case.name, []).append((shard, case))
    return tuple(pairs[0][1] if len(pairs) == 1 else _worst_answer(pairs) for pairs in answers.values())


def _worst_answer(answers: Sequence[tuple[str, Case]]) -> Case:
    outcome = _worst({case.outcome for _, case in answers})
    worst = next(case for _, case in answers if case.outcome is outcome)
    said = ", ".join(f"{case.outcome} in {shard}" for shard, case in answers)
    note = f"Ran {len(answers)} times ({said}); the worst counts."
    return replace(worst, detail=f"{note}\n{worst.detail}".rstrip(), flaky=any(case.flaky for _, case in answers))


def _united(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Keep what the shards agree on as it is, and what they do not as the list of all values."""
    values: dict[str, list[Any]] = {}
    for environment in environments:
        for key, value in environment.items():
            found = values.setdefault(key, [])
            if value not in found:
                found.append(value)
    return {key: found[0] if len(found) == 1 else found for key, found in values.items()}
