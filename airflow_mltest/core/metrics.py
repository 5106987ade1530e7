"""The numbers a suite leaves behind, by name."""

from __future__ import annotations

import hashlib
import logging
import math
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from airflow_mltest.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_mltest.core.outcome import Suite

# Airflow drops a name of more than 250 characters; the longest, with its tags in it, has four such values.
_LONGEST_LABEL = 45
_MOST_SERIES = 100
_UNSAFE = re.compile(r"[^a-zA-Z0-9_.-]+")
# `roc_auc[0.31 <= age < 0.52]`: a bound found in the data is another in each run.
_FOUND = re.compile(r"[<>]")
_NOTHING = "none"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    One number for a metrics server.

    Args:
        method: What Airflow does with it: `incr` adds up, `timing` is in milliseconds, `gauge` stays until the next.
        name: The metric's.
        value: Finite.
        tags: By name, in an order that is the metric's own; safe in every protocol.
    """

    method: Literal["incr", "timing", "gauge"]
    name: str
    value: float
    tags: Mapping[str, str]

    @property
    def dotted(self) -> str:
        """The name with its tags' values in it, for a server that knows no tags."""
        return ".".join([self.name, *(label(value.replace(".", "__")) for value in self.tags.values())])


def metrics_of(suite: Suite) -> dict[str, float]:
    """
    Give every finite number that *suite* measured, by name.

    A number that could not be measured is absent, never NaN: what reads a metric then has to
    say what its absence means. Of two measurements with one name the later is told apart by
    its case (`noise.roc_auc`).
    """
    metrics: dict[str, float] = {}
    for case in suite.cases:
        for measurement in case.measurements:
            if math.isfinite(measurement.value):
                taken = measurement.name in metrics
                metrics[f"{case.name}.{measurement.name}" if taken else measurement.name] = float(measurement.value)
    return metrics


def samples_of(suite: Suite) -> Iterator[Sample]:
    """
    Give what a metrics server is told of *suite*: as many series for ten cases as for ten thousand.

    An outcome that no case had is sent as 0, since the growth of a counter is not seen before
    there was one. A model is named where it has a version: what has none is named by its run.
    """
    tags = {
        "dag_id": label(suite.origin.dag_id if suite.origin else ""),
        "suite": label(suite.name),
        "kind": suite.kind,
    }
    counts = suite.counts
    for outcome in Outcome:
        yield Sample(method="incr", name="mltest.cases", value=counts[outcome], tags={**tags, "outcome": outcome.value})
    yield Sample(method="incr", name="mltest.flaky", value=counts["flaky"], tags=tags)
    for outcome in Outcome:
        ended = int(suite.outcome is outcome)
        yield Sample(method="incr", name="mltest.suites", value=ended, tags={**tags, "outcome": outcome.value})
    yield Sample(method="timing", name="mltest.duration", value=suite.duration_s * 1000, tags=tags)
    version = suite.subject.get("version") or ""
    tags = {**tags, "model": label(suite.subject.get("model", "") if version else "")}
    if version.isdecimal():
        yield Sample(method="gauge", name="mltest.model_version", value=int(version), tags=tags)
    for metric, value in _series(suite):
        yield Sample(method="gauge", name="mltest.metric", value=value, tags={**tags, "metric": label(metric)})


def label(text: str) -> str:
    """Write *text* as a tag's value that every protocol takes: short, ASCII, and a hash where that is not all of it."""
    safe = _UNSAFE.sub("_", text) or _NOTHING
    if not text or (len(safe) <= _LONGEST_LABEL and safe == text.replace(" ", "_")):
        return safe
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe[: _LONGEST_LABEL - 9].rstrip('_')}_{digest}"


def _series(suite: Suite) -> Iterator[tuple[str, float]]:
    """Give the metrics of which a server can keep a history: those that the next run has, too, and not too many."""
    lasting = {name: value for name, value in metrics_of(suite).items() if not _FOUND.search(name)}
    if len(lasting) > _MOST_SERIES:
        _log.warning(
            "Of %s metrics of %s the first %s are sent; its report has all.", len(lasting), suite.name, _MOST_SERIES
        )
    yield from islice(lasting.items(), _MOST_SERIES)
