"""Does the model still answer right when some rows are wrong as real data is wrong?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from airflow_mltest.checks.model.drop import Drop, asked, drop, require_drop
from airflow_mltest.checks.model.measure import Measure, metric_name
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Figure, Series
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from airflow_mltest.checks.model.subject import ModelSubject

Kind = Literal["units", "swapped", "unseen_category", "stuck"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
_UNSEEN = "never seen before"
_RANKED = (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corruption:
    """
    A metric drops by at most *max_drop* when a share of the rows is wrong in one column each, beyond luck.

    * `units`: a number is in another unit: a thousand times as great or as small, or Fahrenheit for Celsius;
    * `swapped`: two columns of like type have changed places;
    * `unseen_category`: a text or category is one that no row has;
    * `stuck`: a column still says what its last row says.

    Types stay what they were: whole numbers are rounded, and cut off where their type ends. A model that
    does not take such rows fails that kind; leave out a kind that is refused on purpose. The worst kind
    decides, with a confidence shared out over the kinds (Bonferroni), so that none fails by luck.

    Args:
        metric: As for `Metric`.
        max_drop: The most it may drop by any kind, in the metric's own unit.
        kinds: What goes wrong.
        share: Of the rows that are wrong.
        confidence: That no kind is called harmful that is not, a share.
    """

    metric: str | Callable[..., float]
    max_drop: float
    kinds: tuple[Kind, ...] = _KINDS
    share: float = 0.1
    confidence: float = 0.95

    def __post_init__(self) -> None:
        what = f"Corruption({metric_name(self.metric)!r})"
        require_drop(what, max_drop=self.max_drop, share=self.share, confidence=self.confidence)
        if isinstance(self.kinds, str) or not self.kinds or not set(self.kinds) <= set(_KINDS):
            msg = f"{what}: kinds is a tuple of {', '.join(_KINDS)}, not {self.kinds!r}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Spoil the rows in each way, and compare the answers with those to sound rows."""
        _ = subject.predictions  # what the model says of sound rows must not be blamed on the others
        features = subject.features
        eligible = {kind: _eligible(kind, features) for kind in self.kinds}
        kinds = [kind for kind in self.kinds if eligible[kind]]
        if not kinds:
            msg = f"the model takes no column that can go wrong by {', '.join(self.kinds)}."
            raise ConfigurationError(msg)
        found: dict[Kind, Drop | str] = {}
        hurt: dict[str, dict[str, float]] = {}
        for kind in kinds:
            subject.progress(len(found), len(kinds))
            rows, struck = _spoiled(kind, features, eligible[kind], self.share, subject.rng())
            found[kind] = self._asked(subject, rows, len(kinds))
            hurt[kind] = _flipped_by_column(found[kind], struck)
        return self._case(found, hurt, [kind for kind in self.kinds if kind not in kinds])

    def _asked(self, subject: ModelSubject, rows: pd.DataFrame, kinds: int) -> Drop | str:
        measure = Measure.of(self.metric)
        try:
            answers = asked(subject, measure, rows)
        except ConfigurationError as error:
            return str(error)
        confidence = 1 - (1 - self.confidence) / kinds
        return drop(subject, measure, answers, allowed=self.max_drop, confidence=confidence)

    def _case(self, found: dict[Kind, Drop | str], hurt: dict[str, dict[str, float]], absent: list[Kind]) -> Case:
        outcomes, details, measurements = set(), [], []
        for kind, said in found.items():
            name = f"{metric_name(self.metric)}_drop_by_{kind}"
            if isinstance(said, str):
                outcomes.add(Outcome.FAILED)
                measurements.append(Measurement(name=name, value=float("nan"), maximum=self.max_drop))
                details.append(f"{kind}: not answered: {said}")
                continue
            outcomes.add(said.outcome)
            measurements.append(said.measurement(name))
            worst = max(hurt[kind], key=lambda column: hurt[kind][column])
            share = hurt[kind][worst]
            most = f"; most often where it is {worst}: {share:.0%} of those rows" if share else ""
            details.append(f"{kind} in {100 * self.share:.3g}% of the rows: {said.words}{most}")
        if absent:
            details.append(f"no column can go wrong by {', '.join(absent)}")
        return Case(
            name=f"corruption({metric_name(self.metric)})",
            outcome=next(outcome for outcome in _RANKED if outcome in outcomes),
            detail="\n".join(details),
            measurements=tuple(measurements),
            facts={"answers_changed_share_by_column": hurt},
            figures=self._figures({kind: said for kind, said in found.items() if isinstance(said, Drop)}),
        )

    def _figures(self, drops: dict[Kind, Drop]) -> tuple[Figure, ...]:
        if not drops:
            return ()
        series = Series(
            x=tuple(drops),
            y=tuple(one.value for one in drops.values()),
            low=tuple(one.interval.low for one in drops.values()),
            high=tuple(one.interval.high for one in drops.values()),
            style="points",
        )
        metric = metric_name(self.metric)
        title = f"{metric} when {100 * self.share:.3g}% of the rows are wrong"
        return (Figure(title=title, x="kind", y=f"drop of {metric}", series=(series,), bounds=(self.max_drop,)),)


def _eligible(kind: Kind, rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """Give the columns that can go wrong, alone or, to be swapped, in pairs of like type."""
    kinds = {name: _like(rows[name]) for name in rows.columns}
    if kind == "units":
        return [(name,) for name, like in kinds.items() if like == "number"]
    if kind == "unseen_category":
        return [(name,) for name, like in kinds.items() if like == "text"]
    if kind == "stuck":
        return [(name,) for name in kinds if len(rows[name].unique()) > 1]
    names = list(kinds)
    # Neighbours only: files lose or gain a column, and what follows moves by one.
    pairs = [
        (one, next((other for other in names[i + 1 :] if _swap(rows, one, other)), "")) for i, one in enumerate(names)
    ]
    return [pair for pair in pairs if pair[1]]


def _like(column: pd.Series[Any]) -> str:
    from pandas.api.types import is_string_dtype

    if column.dtype.kind in "fiu":
        return "number"
    is_text = column.dtype == "category" or is_string_dtype(column)
    return "text" if is_text else str(column.dtype)


def _swap(rows: pd.DataFrame, one: str, other: str) -> bool:
    return rows[one].dtype == rows[other].dtype and not rows[one].equals(rows[other])


def _spoiled(
    kind: Kind, features: pd.DataFrame, eligible: list[tuple[str, ...]], share: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Spoil *share* of the rows, each in one of the columns drawn for it; and tell which rows in which."""
    rows = features.copy()
    count = max(1, round(share * len(rows)))
    chosen = rng.permutation(len(rows))[:count]
    drawn = rng.integers(len(eligible), size=count)
    struck = {}
    for number, names in enumerate(eligible):
        places = chosen[drawn == number]
        if not places.size:
            continue
        struck[" and ".join(names)] = places
        if kind == "swapped":
            one, other = names
            rows[one], rows[other] = (
                _with(rows[to], places, features[by].iloc[places]) for to, by in ((one, other), (other, one))
            )
        else:
            rows[names[0]] = _spoil(kind, rows[names[0]], places, rng)
    return rows, struck


def _spoil(kind: Kind, column: pd.Series[Any], places: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
    if kind == "units":
        return _in_other_units(column, places, rng)
    if kind == "stuck":
        return _with(column, places, column.iloc[-1])
    if column.dtype == "category":
        column = column.cat.add_categories([_UNSEEN])
    return _with(column, places, _UNSEEN)


def _in_other_units(column: pd.Series[Any], places: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
    dtype: Any = getattr(column.dtype, "numpy_dtype", column.dtype)
    known = places[column.iloc[places].notna().to_numpy()]
    values = column.iloc[known].to_numpy(dtype=float)
    which = rng.integers(3, size=len(known))
    values = np.choose(which, [values * 1000, values / 1000, values * 1.8 + 32])
    if dtype.kind != "f":
        ends = np.iinfo(dtype)
        # The float next to the greatest 64-bit number is above it.
        greatest = np.nextafter(float(ends.max), 0) if float(ends.max) > ends.max else float(ends.max)
        values = np.clip(values.round(), float(ends.min), greatest)
    return _with(column, known, values.astype(dtype))


def _with(column: pd.Series[Any], places: np.ndarray, values: Any) -> pd.Series[Any]:
    changed = column.copy()
    changed.iloc[places] = getattr(values, "array", values)
    return changed


def _flipped_by_column(said: Drop | str, struck: dict[str, np.ndarray]) -> dict[str, float]:
    if isinstance(said, str):
        return {}
    return {names: float(said.flipped[places].mean()) for names, places in struck.items()}
