"""One column of the reference and of the data: what is compared, and what that says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from airflow_mltest.checks.data.cells import Cells, words_of
from airflow_mltest.checks.data.column_kinds import ORDERED, Kind, labels, numbers
from airflow_mltest.checks.data.drift_measures import (
    Method,
    Shift,
    divergence,
    kolmogorov_smirnov,
    share_gap,
    wasserstein,
)
from airflow_mltest.checks.data.steps import Steps
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.figure import Figure, Series

if TYPE_CHECKING:
    import pandas as pd

# What a distance may be if nobody says: 5 of 100 rows moved; what is called a minor change of the index
# (N. Siddiqi, Credit Risk Scorecards, 2006); a small effect (J. Cohen, Statistical Power Analysis, 2nd ed., 1988), and
# about the same of the others.
MAXIMA: dict[Method, float] = {
    "ks": 0.05,
    "psi": 0.1,
    "jensen_shannon": 0.1,
    "chi_squared": 0.1,
    "wasserstein": 0.1,
}
_HIDDEN = "what changed is redacted"
METHODS = ("auto", *get_args(Method))
_BINS = 10
_DRAWN_BINS = 30
_DRAWN_NAMES = 12
# Names that repeat so seldom are text, such as comments and keys.
_LEAST_COVERED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Aspect:
    """
    Something that was compared.

    Args:
        name: Of which column, and what of it.
        measure: What was measured.
        maximum: The most that is allowed.
        shift: What it is.
        rows: Of the smaller sample.
        change: What changed, in words.
        figure: Both distributions side by side; None where a picture says no more.
    """

    name: str
    measure: str
    maximum: float
    shift: Shift
    rows: int
    change: str
    figure: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    How columns are compared.

    Args:
        method: As for `Drift`.
        maximum: As for `Drift`.
        max_missing: As for `Drift`.
        confidence: As for `Drift`.
        text: Names that hardly repeat are compared as text: by their length and by their words.
        told_names: So many of the names whose share moved are told.
        hidden: No value is told, and none drawn.
    """

    method: Method | None
    maximum: float | None
    max_missing: float
    confidence: float
    text: bool = True
    told_names: int = 3
    hidden: bool = False

    @classmethod
    def of(cls, what: str, method: str, maximum: float | None, max_missing: float, confidence: float) -> Comparison:
        """
        Read what the check *what* was given.

        Raises:
            ConfigurationError: It makes no sense.
        """
        if method not in METHODS:
            msg = f"{what}: there is no method {method!r}: {', '.join(METHODS)}."
            raise ConfigurationError(msg)
        if not (maximum is None or 0 <= maximum < math.inf) or not 0 <= max_missing <= 1:
            msg = f"{what}: maximum is 0 or more, and max_missing a share, not {maximum} and {max_missing}."
            raise ConfigurationError(msg)
        require_confidence(what, confidence)
        # By name, since "auto" is none of them.
        chosen: Method | None = next((one for one in get_args(Method) if one == method), None)
        return cls(method=chosen, maximum=maximum, max_missing=max_missing, confidence=confidence)

    def aspects(
        self, name: str, reference: pd.Series[Any], current: pd.Series[Any], kind: Kind, rng: np.random.Generator
    ) -> list[Aspect]:
        """Compare one column, as *kind*, in all that it has."""
        if kind in ORDERED:
            values = numbers(reference, kind), numbers(current, kind)
            known = tuple(one[~np.isnan(one)] if np.isnan(one).any() else one for one in values)
            found = self._missing(name, [len(one) for one in values], [len(one) for one in known])
            if all(len(one) for one in known):
                found.append(self._of_steps(name, Steps.of(known[0], known[1]), kind))
            return found
        names = labels(reference, kind), labels(current, kind)
        rows = [int(one.notna().sum()) for one in names]
        found = self._missing(name, [len(one) for one in names], rows)
        return found + (self._of_names(name, names, rng) if all(rows) else [])

    def _missing(self, name: str, rows: list[int], known: list[int]) -> list[Aspect]:
        if rows == known:
            return []
        hits = rows[0] - known[0], rows[1] - known[1]
        return [
            Aspect(
                name=f"drift_missing[{name}]",
                measure=f"share of missing or infinite values in {name}",
                maximum=self.max_missing,
                shift=share_gap(hits, (rows[0], rows[1]), self.max_missing, self.confidence),
                rows=min(rows),
                change=f"{_percent(hits[0], rows[0])} became {_percent(hits[1], rows[1])}",
            )
        ]

    def _of_names(
        self, name: str, names: tuple[pd.Series[Any], pd.Series[Any]], rng: np.random.Generator
    ) -> list[Aspect]:
        cells = Cells.of(*names, rng)
        if not self.text or cells.covered >= _LEAST_COVERED:
            return [self.of_cells(name, cells)]
        lengths = [one.dropna().astype(str).str.len().to_numpy(dtype=float) for one in names]
        words = Cells.of(words_of(names[0], rng), words_of(names[1], rng), rng)
        length = self._of_steps(f"{name}, length", Steps.of(lengths[0], lengths[1]), Kind.NUMBER)
        return [length, self.of_cells(f"{name}, words", words)]

    def of_cells(self, name: str, cells: Cells) -> Aspect:
        """Compare how rows spread over names: by Cramér's V, if the method needs an order that names have not."""
        fits = self.method in {"psi", "jensen_shannon", "chi_squared"}
        method: Method = self.method if self.method and fits else "chi_squared"
        maximum = self._maximum(method, fits=fits)
        return Aspect(
            name=f"drift[{name}]",
            measure=f"{_WORDS[method]} of {name}",
            maximum=maximum,
            shift=divergence(method, cells.reference, cells.current, maximum, self.confidence),
            rows=int(min(cells.reference.sum(), cells.current.sum())),
            change=_HIDDEN if self.hidden else self._moved(cells),
            figure=None if self.hidden else _names_figure(name, cells),
        )

    def _moved(self, cells: Cells) -> str:
        """Name whose share moved beyond luck."""
        rows = int(cells.reference.sum()), int(cells.current.sum())
        # Any name might have been one of these, up or down.
        confidence = 1 - (1 - self.confidence) / (2 * len(cells.names))
        told = []
        for one in cells.moved(self.told_names):
            hits = int(cells.reference[one]), int(cells.current[one])
            if share_gap(hits, rows, 0.0, confidence).interval.low > 0:
                told.append(f"{cells.names[one]!r} {_percent(hits[0], rows[0])} became {_percent(hits[1], rows[1])}")
        return ", ".join(told) or "no share moved beyond luck"

    def _of_steps(self, name: str, steps: Steps, kind: Kind) -> Aspect:
        method = self.method or "ks"
        maximum = self._maximum(method, fits=True)
        if method == "ks":
            shift = kolmogorov_smirnov(steps, maximum, self.confidence)
        elif method == "wasserstein":
            shift = wasserstein(steps, maximum, self.confidence)
        else:
            shift = divergence(method, *steps.binned(_BINS), maximum, self.confidence)
        was, now = (_written(steps.quantile(0.5, of=one), kind) for one in (0, 1))
        return Aspect(
            name=f"drift[{name}]",
            measure=f"{_WORDS[method]} of {name}",
            maximum=maximum,
            shift=shift,
            rows=min(steps.rows),
            change=_HIDDEN if self.hidden else f"the median {was} became {now}",
            figure=None if self.hidden else _steps_figure(name, steps, kind),
        )

    def _maximum(self, method: Method, *, fits: bool) -> float:
        # With a method that a column has no order for, the bound is in another unit.
        own = self.maximum if fits or self.method is None else None
        return MAXIMA[method] if own is None else own


def require_rows(rows: pd.DataFrame, what: str) -> None:
    """
    Refuse to judge nothing.

    Raises:
        ConfigurationError: There are no rows.
    """
    if rows.empty:
        msg = f"{what}: the data has no rows, and nothing can be said of them."
        raise ConfigurationError(msg)


_WORDS: dict[Method, str] = {
    "ks": "Kolmogorov-Smirnov distance",
    "psi": "population stability index",
    "jensen_shannon": "Jensen-Shannon distance",
    "chi_squared": "Cramér's V",
    "wasserstein": "Wasserstein distance in deviations",
}


def _percent(hits: int, rows: int) -> str:
    return f"{100 * hits / rows:.3g} %"


def _written(value: float, kind: Kind) -> str:
    if kind in {Kind.TIME, Kind.ZONED}:
        return str(np.datetime64(round(value * 86_400), "s"))
    return f"{value:.6g} days" if kind is Kind.DURATION else f"{value:.6g}"


def _steps_figure(name: str, steps: Steps, kind: Kind) -> Figure | None:
    """Draw both as histograms over what all but the outermost rows have in common."""
    ends = [steps.quantile(share, of=one) for share in (0.005, 0.995) for one in (0, 1)]
    low, high = min(ends), max(ends)
    # Rounding takes the last edge beyond the end, where numbers may have their own.
    if not math.isfinite(2 * (high - low)):
        return None
    # A constant is drawn, too.
    edges = np.linspace(low, high, _DRAWN_BINS + 1) if low < high else np.array([low - 0.5, low + 0.5])
    places = np.searchsorted(steps.at, edges, "left")
    drawn = []
    begin = edges[0] if kind in {Kind.TIME, Kind.ZONED} else 0.0
    for title, shares in zip(("reference", "data"), steps.shares, strict=True):
        below = np.append(shares, 1.0)[places]
        heights = np.diff(below)
        # The last bin holds its end, too.
        heights[-1] += np.append(shares, 1.0)[np.searchsorted(steps.at, edges[-1], "right")] - below[-1]
        y = (*heights.tolist(), float(heights[-1]))
        drawn.append(Series(name=title, x=tuple((edges - begin).tolist()), y=y, style="steps"))
    unit = f"days since {_written(begin, kind)}" if begin else ("days" if kind is Kind.DURATION else name)
    return Figure(title=f"Distribution of {name}", x=unit, y="share of rows", series=tuple(drawn))


def _names_figure(name: str, cells: Cells) -> Figure:
    places = cells.moved(_DRAWN_NAMES)
    names = tuple(str(cells.names[one]) for one in places)
    drawn = tuple(
        Series(name=title, x=names, y=tuple(float(shares[one]) for one in places), style="points")
        for title, shares in zip(("reference", "data"), cells.shares, strict=True)
    )
    return Figure(title=f"Distribution of {name}, what moved most", x=name, y="share of rows", series=drawn)
