"""Is the model right often enough for everybody?"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.intervals import independent_difference
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.checks.model.metric import bounds_in_words, require_bounds, require_confidence
from airflow_mltest.checks.model.segment_axes import axes_of
from airflow_mltest.checks.model.segments import find_segments
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Figure, Series
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import Interval, measured, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from airflow_mltest.checks.model.subject import ModelSubject

AUTO = "auto"
# Segments are found on these, and judged on the others. To find needs more rows than to confirm: a found one
# must stand out among millions, a confirmed one only by itself.
_SEARCHED_SHARE = 2 / 3
_MOST_FOUND = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A slice, what was measured in it, and what that says."""

    outcome: Outcome
    measurement: Measurement
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """
    A metric keeps its bound on the rows of each value of a column, or wherever it is worst.

    With columns: it fails when a slice is proven to break the bound, with a confidence shared out over
    all slices (Bonferroni), so that of many slices none fails by luck. Slices that are too small to
    judge are named, and decide nothing.

    With `by="auto"`, every range of one feature and every rectangle of two is looked at, on two thirds of
    the rows; the worst are judged on the other third, one after the other as long as each is proven
    bad. So noise is not reported, and what is reported is not flattered by the search. All columns but
    the target are looked at, numbers and categories, also those that the model is not given. The metric
    must be a mean over rows, such as accuracy, absolute and squared error, and log loss.

    With `strict` it passes only when every slice that was judged is proven to keep the bound.

    Args:
        by: A column, or several, each with slices of its own; "auto" (or None): found.
        metric: As for `Metric`; of a function of your own, greater is better.
        minimum: The least it may be in any slice.
        maximum: The most it may be in any slice.
        max_gap: By how much it may be worse in a slice than in all other rows, in the metric's unit.
        min_rows: Fewer rows than this are not judged.
        confidence: That no slice is called bad that is not, a share.
        strict: Slices that cannot tell make the case inconclusive.
        max_seconds: After this the search for segments ends, and what was found until then is judged.
    """

    by: str | tuple[str, ...] | None
    metric: str | Callable[..., float]
    minimum: float | None = None
    maximum: float | None = None
    max_gap: float | None = None
    min_rows: int = 100
    confidence: float = 0.95
    strict: bool = False
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        what = f"Slices(by={self.by!r})"
        if self.max_gap is None:
            require_bounds(what, self.minimum, self.maximum)
        elif not 0 <= self.max_gap < math.inf or (self.minimum, self.maximum) != (None, None):
            msg = f"{what}: max_gap is 0 or more, and stands alone, without minimum and maximum."
            raise ConfigurationError(msg)
        require_confidence(what, self.confidence)
        if self.min_rows < 1:
            msg = f"{what}: min_rows is 1 or more, not {self.min_rows}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Measure each slice."""
        measure = Measure.of(self.metric)
        answers = Answers.of(subject, scores=measure.needs_scores)
        measure.value(answers)  # what cannot be computed on all rows must not pass as slices that cannot tell
        if self.by is None or self.by == AUTO:
            return self._found(subject, measure, answers)
        return self._named(subject, measure, answers)

    def _named(self, subject: ModelSubject, measure: Measure, answers: Answers) -> Case:
        slices = list(self._slices(subject))
        large = [(name, rows) for name, rows in slices if rows.sum() >= self.min_rows]
        if not large:
            msg = f"no value of {self.by} has {self.min_rows} rows: there is no slice to judge."
            raise ConfigurationError(msg)
        confidence = 1 - (1 - self.confidence) / len(large)
        judged = [
            self._judge(name, measure, answers[rows], answers[~rows], confidence, subject.rng()) for name, rows in large
        ]
        small = [name for name, rows in slices if rows.sum() < self.min_rows]
        return self._case(f"slices({', '.join(self._columns)})", judged, measure, small=small)

    def _found(self, subject: ModelSubject, measure: Measure, answers: Answers) -> Case:
        losses = measure.row_values(answers)
        if losses is None:
            msg = (
                f"segments are found for metrics that are a mean over rows (accuracy, log loss, absolute and squared "
                f"error), and {measure.name} is none: name columns in `by`, or choose another metric."
            )
            raise ConfigurationError(msg)
        searched = subject.rng().permutation(len(answers)) < int(len(answers) * _SEARCHED_SHARE)
        losses = -measure.sign * measure.factor * losses
        axes = axes_of(subject.rows.drop(columns=[subject.target]), losses, searched)
        if not axes or len(answers) < 2 * self.min_rows:
            msg = (
                f"there are no segments to look at: {len(axes)} columns have more than one value, and of "
                f"{len(answers)} rows a segment may have from {self.min_rows} to half; lower `min_rows`, or give more."
            )
            raise ConfigurationError(msg)
        segments, complete = find_segments(
            axes,
            losses,
            searched,
            min_rows=math.ceil(self.min_rows * _SEARCHED_SHARE),
            most=_MOST_FOUND,
            deadline_s=time.perf_counter() + self.max_seconds,
        )
        judged: list[_Judged] = []
        told: list[dict[str, str | int]] = []
        for segment in segments:
            if self.max_gap is not None and segment.surplus <= 0:
                break
            inside, rest = (answers[rows & ~searched] for rows in (segment.rows, ~segment.rows))
            found = self._judge(segment.words, measure, inside, rest, self.confidence, subject.rng())
            judged.append(found)
            told.append({"segment": segment.words, "rows": int(segment.rows.sum()), "judged_on": found.rows})
            # The order is fixed before the other third is looked at, so each is tested with the whole
            # confidence as long as those before it are proven.
            if found.outcome is not Outcome.FAILED:
                break
        case = self._case("slices(auto)", judged, measure, complete=complete, features=len(axes))
        return replace(case, facts={"segments": told})

    @property
    def _columns(self) -> tuple[str, ...]:
        return (self.by,) if isinstance(self.by, str) else tuple(self.by or ())

    def _slices(self, subject: ModelSubject) -> Iterator[tuple[str, np.ndarray]]:
        for column in self._columns:
            values = subject.column(column)
            for value in sorted(values.dropna().unique(), key=str):
                yield f"{column}={value}", (values == value).fillna(False).to_numpy(dtype=bool)
            if values.isna().any():
                yield f"{column} missing", values.isna().to_numpy()

    def _judge(  # noqa: PLR0913, PLR0917  what is judged, and against what
        self, name: str, measure: Measure, inside: Answers, rest: Answers, confidence: float, rng: np.random.Generator
    ) -> _Judged:
        shown = f"{measure.name}[{name}]" if self.max_gap is None else f"{measure.name}_gap[{name}]"
        low, high = (self.minimum, self.maximum) if self.max_gap is None else (None, self.max_gap)
        try:
            if self.max_gap is None:
                value, interval = measure.value(inside), measure.interval(inside, confidence, rng)
            else:
                value, interval = _gap(measure, inside, rest, confidence, rng)
        except ConfigurationError:  # a slice of one class has no AUC: nothing is proven by it
            unknown = Measurement(name=shown, value=math.nan, minimum=low, maximum=high)
            return _Judged(outcome=Outcome.INCONCLUSIVE, measurement=unknown, rows=len(inside))
        measurement = measured(shown, value, interval, minimum=low, maximum=high)
        outcome = verdict(interval, minimum=low, maximum=high)
        return _Judged(outcome=outcome, measurement=measurement, rows=len(inside))

    def _case(  # noqa: PLR0913  what a case tells
        self,
        name: str,
        judged: Sequence[_Judged],
        measure: Measure,
        *,
        small: Sequence[str] = (),
        complete: bool = True,
        features: int | None = None,
    ) -> Case:
        outcomes = {one.outcome for one in judged}
        outcome = Outcome.PASSED
        if Outcome.FAILED in outcomes:
            outcome = Outcome.FAILED
        elif not complete or (self.strict and Outcome.INCONCLUSIVE in outcomes):
            outcome = Outcome.INCONCLUSIVE
        better = measure.sign if self.max_gap is None else -1
        ranked = sorted(judged, key=lambda one: better * one.measurement.value)
        detail = self._detail(ranked, features)
        detail += f"; too few rows to judge: {', '.join(small[:10])}" if small else ""
        detail += "" if complete else f"; not all pairs of features were looked at in {self.max_seconds:g} s"
        return Case(
            name=name,
            outcome=outcome,
            detail=detail,
            measurements=tuple(one.measurement for one in judged),
            figures=_table(ranked, metric_name(self.metric)),
        )

    def _detail(self, ranked: Sequence[_Judged], features: int | None) -> str:
        wanted = bounds_in_words(self.minimum, self.maximum)
        if self.max_gap is not None:
            wanted = f"at most {self.max_gap:g} worse than all other rows"
        bad = [one for one in ranked if one.outcome is Outcome.FAILED]
        looked = f"{len(ranked)} slices" if features is None else f"{len(ranked)} segments found in {features} features"
        if not bad:
            worst = next((one for one in ranked if not math.isnan(one.measurement.value)), None)
            text = f"none of {looked} is proven not to be {wanted}"
            return text + (f"; the worst: {_told(worst)}" if worst else "")
        listed = ", ".join(_told(one) for one in bad[:5])
        return f"{len(bad)} of {looked} are proven not to be {wanted}: {listed}"


def _gap(
    measure: Measure, inside: Answers, rest: Answers, confidence: float, rng: np.random.Generator
) -> tuple[float, Interval]:
    """Say by how much the metric is worse inside than in the rest."""
    one, other = measure.value(inside), measure.value(rest)
    ends = independent_difference(
        one, measure.interval(inside, confidence, rng), other, measure.interval(rest, confidence, rng)
    )
    low, high = sorted((-measure.sign * ends.low, -measure.sign * ends.high))
    return measure.sign * (other - one), Interval.between(low, high, confidence)


def _told(judged: _Judged) -> str:
    one = judged.measurement
    return f"{one.name} is {one.value:.4g} ({one.low:.4g} to {one.high:.4g} on {judged.rows} rows)"


def _table(ranked: Sequence[_Judged], metric: str) -> tuple[Figure, ...]:
    """Draw the slices, the worst first, with their intervals and the bounds."""
    known = [one.measurement for one in ranked if one.measurement.low is not None]
    if not known:
        return ()
    series = Series(
        x=tuple(one.name.partition("[")[2].removesuffix("]") for one in known),
        y=tuple(one.value for one in known),
        low=tuple(-math.inf if one.low is None else one.low for one in known),
        high=tuple(math.inf if one.high is None else one.high for one in known),
    )
    bounds = tuple(bound for bound in (known[0].minimum, known[0].maximum) if bound is not None)
    what = known[0].name.partition("[")[0]
    return (Figure(title=f"{metric} by slice", x="slice", y=what, series=(series,), bounds=bounds),)
