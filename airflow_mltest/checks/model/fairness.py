"""Does the model treat groups alike?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.answers import Answers
from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.checks.model.metric import bounds_in_words, require_bounds, require_confidence
from airflow_mltest.core.errors import ConfigurationError, MissingExtraError
from airflow_mltest.core.figure import Figure, Series
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.resampling import drawn_cells, shrinkage
from airflow_mltest.core.statistics import Interval, measured, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    from airflow_mltest.checks.model.subject import ModelSubject

_RESAMPLES = 2000
_BARS_CONFIDENCE = 0.975  # each end; both together are the usual 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """
    A metric of fairness between the groups of a column keeps its bound, beyond luck.

    The metrics are fairlearn's (the extra `fairness`), of two classes, the greater being the positive one.
    The interval rests on a bootstrap of the rows, drawn by their cells (group, truth, answer); what the
    luckiest and the unluckiest of several groups differ by luck alone is taken out of its low end.

    Args:
        by: The column with the groups.
        metric: `demographic_parity_difference`, `equalized_odds_difference`, `equal_opportunity_difference`,
            or one of these with `_ratio` in place of `_difference`.
        maximum: The most it may be; for a difference, of which 0 is fair.
        minimum: The least it may be; for a ratio, of which 1 is fair.
        min_rows: Groups of fewer rows are named, and not compared.
        confidence: That the true value is not beyond the end that is compared, a share.
    """

    by: str
    metric: str = "demographic_parity_difference"
    maximum: float | None = None
    minimum: float | None = None
    min_rows: int = 30
    confidence: float = 0.95

    def __post_init__(self) -> None:
        what = f"Fairness(by={self.by!r})"
        require_bounds(what, self.minimum, self.maximum)
        require_confidence(what, self.confidence)
        if self.metric not in _METRICS:
            msg = f"{what}: metric is one of {', '.join(_METRICS)}, not {self.metric!r}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Compare the groups."""
        groups = subject.column(self.by).astype(object)
        names, counts = np.unique(groups.where(groups.notna(), "missing").astype(str), return_counts=True)
        small = [str(name) for name in names[counts < self.min_rows]]
        large = [str(name) for name in names[counts >= self.min_rows]]
        if len(large) < 2:  # noqa: PLR2004
            msg = f"Fairness compares groups, and {self.by!r} has {len(large)} of {self.min_rows} rows or more."
            raise ConfigurationError(msg)
        group = groups.where(groups.notna(), "missing").astype(str).to_numpy()
        kept = np.isin(group, large)
        truth, answer = _binary(Answers.of(subject, scores=False)[kept])
        cells = _cells(large, group[kept], truth, answer)
        self._require_classes(large, cells)
        value = _fairlearn(self.metric, truth, answer, group[kept])
        interval = _interval(self.metric, value, cells, self.confidence, subject.rng())
        outcome = verdict(interval, minimum=self.minimum, maximum=self.maximum)
        return Case(
            name=f"fairness({self.by})",
            outcome=outcome,
            detail=self._detail(outcome, value, interval, cells, large) + _left_out(small),
            measurements=(self._measurement(value, interval),),
            figures=(_rates(self.by, large, cells),),
        )

    def _require_classes(self, names: list[str], cells: np.ndarray) -> None:
        if self.metric.startswith("demographic_parity"):
            return
        needed = [1] if self.metric.startswith("equal_opportunity") else [0, 1]
        lacking = [name for name, table in zip(names, cells, strict=True) if (table.sum(axis=1)[needed] == 0).any()]
        if lacking:
            msg = (
                f"{self.metric} needs rows of each class in each group, and one is absent in {self.by}="
                f"{', '.join(lacking)}: raise `min_rows`, or compare `demographic_parity_difference`."
            )
            raise ConfigurationError(msg)

    def _measurement(self, value: float, interval: Interval) -> Measurement:
        return measured(f"{self.metric}[{self.by}]", value, interval, minimum=self.minimum, maximum=self.maximum)

    def _detail(self, outcome: Outcome, value: float, interval: Interval, cells: np.ndarray, names: list[str]) -> str:
        rows = int(cells.sum())
        chosen = cells[..., 1].sum(axis=-1) / cells.sum(axis=(-1, -2))
        least, most = int(chosen.argmin()), int(chosen.argmax())
        detail = (
            f"{self.metric} between {len(names)} groups of {self.by} is {value:.4g}, between {interval.low:.4g} and "
            f"{interval.high:.4g} on {rows} rows; wanted {bounds_in_words(self.minimum, self.maximum)}; the positive "
            f"answer is given to {chosen[most]:.1%} of {names[most]} and {chosen[least]:.1%} of {names[least]}"
        )
        if outcome is Outcome.INCONCLUSIVE:
            needed = rows_needed(value, interval, rows, minimum=self.minimum, maximum=self.maximum)
            detail += would_decide(needed)
        return detail


def group_metric(metric: str, rates: np.ndarray) -> np.ndarray:
    """
    Compute one of fairlearn's metrics from the rates of groups, for many draws at once.

    Args:
        metric: Its name.
        rates: See `group_rates`, shape (..., rates, groups).

    Returns:
        Metrics, shape (...); a ratio of nothing to nothing is NaN, as fairlearn's.
    """
    most, least = rates.max(axis=-1), rates.min(axis=-1)
    if metric.endswith("difference"):
        return np.asarray((most - least).max(axis=-1))
    with np.errstate(invalid="ignore"):
        return np.asarray((least / most).min(axis=-1))


def group_rates(metric: str, cells: np.ndarray) -> np.ndarray:
    """
    Give the rates that a metric compares.

    Args:
        metric: Its name.
        cells: Rows by group, truth and answer, shape (..., groups, 2, 2).

    Returns:
        Of each group the share of positive answers, of all rows or of those of a class, shape (..., rates, groups).
    """
    if metric.startswith("demographic_parity"):
        return np.asarray((cells[..., 1].sum(axis=-1) / np.maximum(cells.sum(axis=(-1, -2)), 1))[..., None, :])
    by_truth = np.moveaxis(cells[..., 1] / np.maximum(cells.sum(axis=-1), 1), -1, -2)
    return np.asarray(by_truth[..., 1:, :] if metric.startswith("equal_opportunity") else by_truth)


def _interval(metric: str, value: float, cells: np.ndarray, confidence: float, rng: np.random.Generator) -> Interval:
    """Bound the metric; see `shrinkage`. The interval always holds *value*."""
    rates = group_rates(metric, cells)
    common = group_rates(metric, cells.sum(axis=0, keepdims=True))
    luck = group_rates(metric, drawn_cells(cells, rng, _RESAMPLES)) - rates
    most, least = rates.max(axis=-1, keepdims=True), rates.min(axis=-1, keepdims=True)
    # Of all groups with such a range, two camps show the most by luck: each has a luckiest and an unluckiest one.
    camps = np.where(rates > (most + least) / 2, most, least)
    ratio = metric.endswith("ratio")

    def unfairness(true: np.ndarray, factor: float, noise: np.ndarray) -> np.ndarray:
        found = group_metric(metric, np.clip(common + factor * (true - common) + noise, 0, 1))
        return 1 - found if ratio else found

    none = np.zeros(1)
    seen = float(unfairness(rates, 1.0, none))
    _, _, greatest = shrinkage(lambda factor: unfairness(rates, factor, luck), seen, confidence)
    smallest, _, _ = shrinkage(lambda factor: unfairness(camps, factor, luck), seen, confidence)
    ends = float(unfairness(camps, smallest, none)), float(unfairness(rates, greatest, none))
    low, high = sorted(1 - end for end in ends) if ratio else ends
    return Interval.between(min(low, value), max(high, value), confidence)


def _binary(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    classes = np.union1d(answers.classes, answers.predictions)
    if len(classes) != 2:  # noqa: PLR2004
        msg = f"Fairness is defined for two classes, and there are {len(classes)}: {', '.join(map(str, classes[:5]))}."
        raise ConfigurationError(msg)
    return (answers.labels == classes[1]).astype(int), (answers.predictions == classes[1]).astype(int)


def _cells(names: list[str], group: np.ndarray, truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Count rows by group, truth and answer, shape (groups, 2, 2)."""
    where = np.searchsorted(np.array(names), group)
    return np.bincount(where * 4 + truth * 2 + answer, minlength=4 * len(names)).reshape(-1, 2, 2)


def _fairlearn(metric: str, truth: np.ndarray, answer: np.ndarray, group: np.ndarray) -> float:
    try:
        import fairlearn.metrics as fairlearn
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "fairlearn":
            raise
        msg = "fairlearn is not installed: run `pip install 'airflow-mltest[fairness]'` where this task runs."
        raise MissingExtraError(msg, name="fairlearn") from error
    function: Any = getattr(fairlearn, metric)
    value = float(function(truth, answer, sensitive_features=group))
    if not np.isfinite(value):
        msg = f"{metric} is not defined here: no group gets the positive answer."
        raise ConfigurationError(msg)
    return value


def _left_out(small: list[str]) -> str:
    return f"; too few rows to compare: {', '.join(small[:10])}" if small else ""


def _rates(by: str, names: list[str], cells: np.ndarray) -> Figure:
    rows, chosen = cells.sum(axis=(-1, -2)), cells[..., 1].sum(axis=-1)
    bars = [clopper_pearson(int(k), int(n), _BARS_CONFIDENCE) for k, n in zip(chosen, rows, strict=True)]
    series = Series(
        x=tuple(names),
        y=tuple(float(one) for one in chosen / rows),
        low=tuple(one.low for one in bars),
        high=tuple(one.high for one in bars),
    )
    return Figure(title=f"Positive answers by {by}", x=by, y="share of rows", series=(series,))


_METRICS = tuple(
    f"{kind}_{how}"
    for kind in ("demographic_parity", "equalized_odds", "equal_opportunity")
    for how in ("difference", "ratio")
)
