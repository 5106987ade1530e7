"""Pictures as the numbers they are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    Points that belong together.

    Args:
        name: What the legend calls them; empty where there is one series only.
        x: Where they stand, shape (n,): numbers, or names such as slices, which become one line each.
        y: Their values, shape (n,).
        low: Lower ends of their intervals, shape (n,); empty without.
        high: Upper ends, likewise.
        style: How they are drawn where `x` are numbers.
    """

    name: str = ""
    x: tuple[float, ...] | tuple[str, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    style: Literal["line", "points", "steps"] = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    Series over common axes.

    Args:
        title: What it shows, in a few words.
        x: What is along the horizontal axis, with its unit.
        y: What is along the vertical axis, with its unit.
        series: What is drawn.
        bounds: Values that `y` had to keep.
        diagonal: Draw where both axes are equal, as in a reliability curve.
        log_x: The horizontal axis is logarithmic; then all `x` are above 0.
    """

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    bounds: tuple[float, ...] = ()
    diagonal: bool = False
    log_x: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """
    A table of numbers that is read as a picture, such as a confusion matrix.

    Args:
        title: What it shows, in a few words.
        rows: What its rows are.
        columns: What its columns are.
        row_names: A name for each row, shape (n,).
        column_names: A name for each column, shape (m,).
        values: The numbers, row by row, shape (n, m).
    """

    title: str
    rows: str
    columns: str
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
