"""Does a single column give the target away?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.columns import column_of
from airflow_mltest.checks.data.column_kinds import comparable
from airflow_mltest.checks.data.finding import Finding
from airflow_mltest.checks.data.moments import to_utc
from airflow_mltest.checks.model.intervals import clopper_pearson, mean_interval
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Figure, Series
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.core.statistics import Interval, auc_influence, auc_interval, measured, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_BINS, _BINS_OF_CLASS, _MOST_CLASSES, _MOST_CATEGORIES = 64, 16, 20, 10_000
# Numbers of more values than this are a quantity to predict, and not classes.
_MOST_LABELS, _MOST_TEXTS = 20, 1000
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """
    How much of the target one column tells, on rows that its bins were not made from.

    Args:
        column: Its name.
        value: 0: as much as nothing does; 1: everything.
        interval: Of *value*.
        measure: In which way it was measured.
    """

    column: str
    value: float
    interval: Interval
    measure: str


def find_giveaways(  # noqa: PLR0913  the two tables, what is asked, and how sure
    reference: pd.DataFrame,
    rows: pd.DataFrame,
    columns: Sequence[str],
    *,
    target: str,
    maximum: float,
    confidence: float,
) -> Finding:
    """
    Judge how well each of *columns* alone predicts the target.

    Its values are put into bins, and each bin answers with what the target is there in the reference. On the
    rows, that answer is worth: of two classes the Gini coefficient, 2 AUC - 1; of more classes the share of errors
    that it saves, Goodman and Kruskal's lambda; of numbers the R2 of their ranks, which no few great values decide. The
    confidence is shared out over the columns (Bonferroni).

    Args:
        reference: What the bins are made from.
        rows: What they are judged on.
        columns: The features.
        target: The column that they must not give away.
        maximum: The most that one column may tell, a share.
        confidence: That no column is called bad that is not, a share.

    Raises:
        ConfigurationError: The target is not there, is the same everywhere, or is of too many classes.

    Source:
        L. A. Goodman and W. H. Kruskal (1954), JASA 49(268), 732-764, doi:10.2307/2281536.
    """
    trained, truth = (
        column_of(table, target, what) for table, what in ((reference, "the reference"), (rows, "the data"))
    )
    known = trained.notna().to_numpy(), truth.notna().to_numpy()
    trained, truth = trained[known[0]].infer_objects(), truth[known[1]].infer_objects()
    if truth.nunique() < 2 or trained.nunique() < 2:  # noqa: PLR2004
        msg = f"target {target!r} has no two values in the data or in the reference: there is nothing to give away."
        raise ConfigurationError(msg)
    if not _is_quantity(trained, truth) and truth.nunique() > _MOST_TEXTS:
        msg = (
            f"target {target!r} has {truth.nunique()} different values that are no numbers: no model predicts so many."
        )
        raise ConfigurationError(msg)
    each = 1 - (1 - confidence) / max(len(columns), 1)
    powers = []
    for name in columns:
        values = reference[name][known[0]], rows[name][known[1]]
        powers.append(_power(str(name), values, (trained, truth), each))
    powers.sort(key=lambda power: -power.value)
    outcomes = [verdict(power.interval, maximum=maximum) for power in powers]
    failing = [power for power, outcome in zip(powers, outcomes, strict=True) if outcome is Outcome.FAILED]
    unclear = [power for power, outcome in zip(powers, outcomes, strict=True) if outcome is Outcome.INCONCLUSIVE]
    outcome = Outcome.FAILED if failing else Outcome.INCONCLUSIVE if unclear else Outcome.PASSED
    return Finding(
        outcome=outcome,
        words=_words(target, failing or unclear or powers[:1], outcome, maximum, int(known[1].sum())),
        measurements=tuple(
            measured(f"target_told_by[{power.column}]", power.value, power.interval, maximum=maximum)
            for power in powers
        ),
        figures=(_figure(powers[:_SHOWN], target, maximum),) if powers else (),
    )


def _words(target: str, powers: Sequence[Power], outcome: Outcome, maximum: float, rows: int) -> str:
    told = ", ".join(
        f"{power.column} ({power.measure} {power.value:.3g}, {power.interval.low:.3g} to {power.interval.high:.3g})"
        for power in powers
    )
    if outcome is Outcome.FAILED:
        return f"{told} alone gives {target} away, more than {maximum:g}: is it known before the target is?"
    if outcome is Outcome.INCONCLUSIVE:
        return f"{told} may give {target} away, more than {maximum:g}: {rows} rows are too few to tell"
    return f"no column alone gives {target} away; most does {told}, {maximum:g} allowed"


def _figure(powers: Sequence[Power], target: str, maximum: float) -> Figure:
    series = Series(
        x=tuple(power.column for power in powers),
        y=tuple(power.value for power in powers),
        low=tuple(max(power.interval.low, -1.0) for power in powers),
        high=tuple(min(power.interval.high, 1.0) for power in powers),
    )
    return Figure(
        title=f"How much each column alone tells of {target}",
        x="column",
        y="0: nothing, 1: all",
        series=(series,),
        bounds=(maximum,),
    )


def _power(
    name: str,
    values: tuple[pd.Series[Any], pd.Series[Any]],
    targets: tuple[pd.Series[Any], pd.Series[Any]],
    confidence: float,
) -> Power:
    if _is_quantity(*targets):
        return _of_numbers(name, _binned(values, None), _ranks(targets), confidence)
    labels = _labels(targets)
    return _of_classes(name, _binned(values, labels[0]), labels, confidence)


def _is_quantity(trained: pd.Series[Any], truth: pd.Series[Any]) -> bool:
    return all(target.dtype.kind in "iuf" for target in (trained, truth)) and trained.nunique() > _MOST_LABELS


def _ranks(targets: tuple[pd.Series[Any], pd.Series[Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Give each value's share of the reference's values below it, ties in their middle."""
    ordered = np.sort(targets[0].to_numpy(dtype=float))
    one, other = (
        (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2 / len(ordered)
        for values in (target.to_numpy(dtype=float) for target in targets)
    )
    return one, other


def _labels(targets: tuple[pd.Series[Any], pd.Series[Any]]) -> tuple[np.ndarray, np.ndarray]:
    import pandas as pd

    codes = pd.factorize(np.concatenate([target.astype(object).to_numpy() for target in targets]))[0]
    return codes[: len(targets[0])], codes[len(targets[0]) :]


def _of_numbers(
    name: str, bins: tuple[np.ndarray, np.ndarray], targets: tuple[np.ndarray, np.ndarray], confidence: float
) -> Power:
    trained, truth = targets
    size = int(max(part.max() for part in bins)) + 1
    counts = np.bincount(bins[0], minlength=size)
    sums = np.bincount(bins[0], weights=trained, minlength=size)
    means = np.where(counts, sums / np.maximum(counts, 1), trained.mean())
    spread = max(float(truth.var()), np.finfo(float).tiny)
    errors = (truth - means[bins[1]]) ** 2 / spread
    lost = mean_interval(errors, confidence)
    interval = Interval.between(1 - lost.high, 1 - lost.low, confidence)
    return Power(column=name, value=1 - float(errors.mean()), interval=interval, measure="R2 of ranks")


def _of_classes(
    name: str, bins: tuple[np.ndarray, np.ndarray], labels: tuple[np.ndarray, np.ndarray], confidence: float
) -> Power:
    classes = int(max(part.max() for part in labels)) + 1
    size = int(max(part.max() for part in bins)) + 1
    overall = np.bincount(labels[0], minlength=classes) / len(labels[0])
    table = np.bincount(bins[0] * classes + labels[0], minlength=size * classes).reshape(size, classes)
    # One row's worth of what is so everywhere: a bin of one row proves little.
    shares = (table + overall) / (table.sum(axis=1, keepdims=True) + 1)
    if classes == 2:  # noqa: PLR2004
        return _gini(name, shares[bins[1], 1], labels[1], confidence)
    right = int((shares.argmax(axis=1)[bins[1]] == labels[1]).sum())
    base = float(np.bincount(labels[1], minlength=classes).max() / len(labels[1]))
    seen = clopper_pearson(right, len(labels[1]), confidence)
    value, low, high = ((share - base) / (1 - base) for share in (right / len(labels[1]), seen.low, seen.high))
    return Power(column=name, value=value, interval=Interval.between(low, high, confidence), measure="lambda")


def _gini(name: str, score: np.ndarray, labels: np.ndarray, confidence: float) -> Power:
    positive = labels == 1
    hits = int(positive.sum())
    area, influence = auc_influence(positive, score)
    found = auc_interval(area, float(influence @ influence), hits, len(labels) - hits, confidence)
    interval = Interval.between(2 * found.low - 1, 2 * found.high - 1, confidence)
    return Power(column=name, value=2 * area - 1, interval=interval, measure="Gini coefficient")


def _binned(values: tuple[pd.Series[Any], pd.Series[Any]], classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Number the bins of both columns; what is missing has one of its own, and a category each value."""
    (one, other), kinds = zip(*map(comparable, values), strict=True)
    if kinds == ("times", "times"):
        trained, asked = (to_utc(column, str(column.name)).seconds() for column in (one, other))
    elif kinds == ("numbers", "numbers"):
        trained, asked = (column.to_numpy(dtype=float, na_value=np.nan) for column in (one, other))
    else:
        return _categories(one, other)
    edges = _edges(trained, classes)
    # From edge to edge, and each edge itself: a value that many rows have is a bin of its own.
    return tuple(  # type: ignore[return-value]  # two
        np.where(np.isnan(part), 0, 1 + np.searchsorted(edges, part, "left") + np.searchsorted(edges, part, "right"))
        for part in (trained, asked)
    )


def _categories(one: pd.Series[Any], other: pd.Series[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Give each of the most common values a bin, and one to all others."""
    import pandas as pd

    texts = [column.astype(object).map(str, na_action="ignore").to_numpy(dtype=object) for column in (one, other)]
    codes = pd.factorize(np.concatenate(texts))[0] + 1
    common = np.argsort(-np.bincount(codes[: len(one)]), kind="stable")[:_MOST_CATEGORIES]
    bins = np.full(int(codes.max()) + 1, len(common))
    bins[common] = np.arange(len(common))
    return bins[codes[: len(one)]], bins[codes[len(one) :]]


def _edges(values: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """Choose the edges of bins: quantiles of all values, and of those of each class, however rare it is."""
    known = ~np.isnan(values)
    parts = [(values[known], _BINS)]
    if classes is not None:
        common = np.argsort(-np.bincount(classes))[:_MOST_CLASSES]
        parts += [(values[known & (classes == label)], _BINS_OF_CLASS) for label in common]
    found = [np.quantile(part, np.linspace(0, 1, bins + 1), method="nearest") for part, bins in parts if part.size]
    return np.unique(np.concatenate(found)) if found else np.empty(0)
