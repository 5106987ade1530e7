"""A figure as one self-contained SVG that loads and runs nothing, and says in words what it shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_mltest.core.figure import Matrix
from airflow_mltest.reports.axis import written
from airflow_mltest.reports.curves import draw_curves, known_points, said
from airflow_mltest.reports.drawing import FONT, SERIES, WIDTH, escaped, shape
from airflow_mltest.reports.heat_map import MOST_NUMBERED, draw_heat_map
from airflow_mltest.reports.named_rows import MOST_ROWS, draw_named_rows, rows_of
from airflow_mltest.reports.thinning import is_named, thinned

if TYPE_CHECKING:
    from airflow_mltest.core.figure import Figure, Series

# Enough to follow a curve by ear.
_TOLD_POINTS = 12


def svg(figure: Figure | Matrix) -> str:
    """
    Draw *figure* for the classes of `report.css`, as wide as there is room.

    The title is its `title` element, and is not drawn. Whatever is not a number is left out.

    Returns:
        An `svg` element, for a page of HTML or a file of its own.
    """
    if isinstance(figure, Matrix):
        (parts, height), told = draw_heat_map(figure), _matrix_in_words(figure)
    elif any(is_named(series) for series in figure.series):
        (parts, height), told = draw_named_rows(figure), _rows_in_words(figure)
    else:
        (parts, height), told = draw_curves(figure), _curves_in_words(figure)
    return shape(
        "svg",
        shape("title", escaped(figure.title or "Figure")) + shape("desc", escaped(told)) + parts,
        kind="chart",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {height:.0f}",
        role="img",
        font_size=FONT,
    )


def _curves_in_words(figure: Figure) -> str:
    found = [_curve_in_words(series) for series in figure.series[:SERIES]] or ["nothing"]
    return f"{figure.y} by {figure.x}: {' '.join(found)}{_bounds_in_words(figure)}"


def _curve_in_words(series: Series) -> str:
    known = [point for point in known_points(thinned(series, _TOLD_POINTS)) if point]
    told = "; ".join(f"at {written(point.x)} {said(point)}" for point in known) or "nothing known"
    some = f" (of {len(series.x)} points)" if len(series.x) > _TOLD_POINTS else ""
    return f"{series.name}{some}: {told}." if series.name else f"{told}{some}."


def _rows_in_words(figure: Figure) -> str:
    rows = rows_of(figure)
    several = len(figure.series) > 1
    told = []
    for name, points in list(rows.items())[:MOST_ROWS]:
        values = [f"{figure.series[n - 1].name} {said(p)}" if several else said(p) for n, p in sorted(points.items())]
        told.append(f"{name}: {', '.join(values) or 'unknown'}")
    more = f" {len(rows) - MOST_ROWS} more are not drawn." if len(rows) > MOST_ROWS else ""
    return f"{figure.y} by {figure.x}: {'; '.join(told)}.{more}{_bounds_in_words(figure)}"


def _bounds_in_words(figure: Figure) -> str:
    known = [written(bound) for bound in figure.bounds if math.isfinite(bound)]
    return f" Bounds: {', '.join(known)}." if known else ""


def _matrix_in_words(matrix: Matrix) -> str:
    if max(len(matrix.row_names), len(matrix.column_names)) > MOST_NUMBERED:
        known = [value for row in matrix.values for value in row if math.isfinite(value)]
        ends = f", from {written(min(known))} to {written(max(known))}" if known else ""
        size = f"{len(matrix.row_names)} by {len(matrix.column_names)}"
        return f"{matrix.rows} by {matrix.columns}: {size} numbers{ends}."
    told = []
    for name, row in zip(matrix.row_names, matrix.values, strict=False):
        cells = zip(matrix.column_names, row, strict=False)
        told.append(f"{name}: {', '.join(f'{column} {written(value)}' for column, value in cells)}")
    return f"{matrix.rows} by {matrix.columns}: {'; '.join(told)}."
