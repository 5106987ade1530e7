"""Fewer points that look the same."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.figure import Matrix, Series


def thinned(series: Series, most: int) -> Series:
    """
    Keep at most *most* points: of numbers every so many, with both ends; of names the first.

    Args:
        series: What is drawn.
        most: At least 2.
    """
    count = len(series.x)
    if count <= most:
        return series
    kept = range(most) if is_named(series) else [place * (count - 1) // (most - 1) for place in range(most)]

    def of(part: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(part[place] for place in kept if place < len(part))

    return replace(series, x=of(series.x), y=of(series.y), low=of(series.low), high=of(series.high))


def is_named(series: Series) -> bool:
    """Say whether the points stand at names, not at numbers."""
    return any(isinstance(place, str) for place in series.x)


def coarse(matrix: Matrix, most: int) -> Matrix:
    """Give a matrix of at most *most* rows and columns: each number is the mean of a block of known ones."""
    down, across = _blocks(len(matrix.row_names), most), _blocks(len(matrix.column_names), most)
    if all(len(block) == 1 for block in (*down, *across)):
        return matrix
    return replace(
        matrix,
        row_names=tuple(_name(matrix.row_names, block) for block in down),
        column_names=tuple(_name(matrix.column_names, block) for block in across),
        values=tuple(tuple(_mean(matrix.values, rows, columns) for columns in across) for rows in down),
    )


def _blocks(count: int, most: int) -> list[range]:
    size = max(1, -(-count // most))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _name(names: Sequence[str], block: range) -> str:
    return names[block[0]] if len(block) == 1 else f"{names[block[0]]} …"


def _mean(values: Sequence[Sequence[float]], rows: range, columns: range) -> float:
    found = [cell for row in values[rows.start : rows.stop] for cell in row[columns.start : columns.stop]]
    known = [cell for cell in found if math.isfinite(cell)]
    return sum(known) / len(known) if known else math.nan
