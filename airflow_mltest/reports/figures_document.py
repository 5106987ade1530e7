"""A figure as JSON, and back: of what is damaged, nothing."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.figure import Figure, Matrix, Series
from airflow_mltest.reports.thinning import coarse, thinned

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_POINTS = 400
_MOST_ROWS = 100


def figure_to_document(figure: Figure | Matrix) -> dict[str, Any]:
    """
    Give *figure* with at most 400 points a series, or 100 rows and columns: more nobody sees.

    Numbers are given as they are: who writes them as JSON turns what it has no form for into null.
    """
    if isinstance(figure, Matrix):
        return {"type": "matrix", **asdict(coarse(figure, _MOST_ROWS))}
    thin = replace(figure, series=tuple(thinned(series, _MOST_POINTS) for series in figure.series))
    return {"type": "figure", **asdict(thin)}


def figures_from_document(documents: Any) -> tuple[Figure | Matrix, ...]:
    """Read back what `figure_to_document` gave; a picture that is damaged is not worth its case, and is left out."""
    found: list[Figure | Matrix] = []
    for document in documents if isinstance(documents, list) else ():
        try:
            if document["type"] == "matrix":
                found.append(_matrix(document))
            elif document["type"] == "figure":
                found.append(_figure(document))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
    return tuple(found)


def _figure(document: Mapping[str, Any]) -> Figure:
    return Figure(
        **{key: _text(document[key]) for key in ("title", "x", "y")},
        series=tuple(_series(series) for series in document["series"]),
        bounds=_numbers(document["bounds"]),
        diagonal=document["diagonal"] is True,
        log_x=document["log_x"] is True,
    )


def _series(document: Mapping[str, Any]) -> Series:
    places = document["x"]
    named = any(isinstance(place, str) for place in places)
    series = Series(
        name=_text(document["name"]),
        x=_texts(places) if named else _numbers(places),
        **{key: _numbers(document[key]) for key in ("y", "low", "high")},
        style={"line": "line", "points": "points", "steps": "steps"}[document["style"]],  # type: ignore[arg-type]
    )
    if len(series.x) != len(series.y) or not {len(series.low), len(series.high)} <= {0, len(series.x)}:
        msg = "the parts of a series have different lengths"
        raise ValueError(msg)
    return series


def _matrix(document: Mapping[str, Any]) -> Matrix:
    matrix = Matrix(
        **{key: _text(document[key]) for key in ("title", "rows", "columns")},
        row_names=_texts(document["row_names"]),
        column_names=_texts(document["column_names"]),
        values=tuple(_numbers(row) for row in document["values"]),
    )
    if len(matrix.values) != len(matrix.row_names) or {len(row) for row in matrix.values} - {len(matrix.column_names)}:
        msg = "the numbers of a matrix are more or fewer than its names"
        raise ValueError(msg)
    return matrix


def _text(value: Any) -> str:
    if not isinstance(value, str):
        msg = f"{value!r:.80} is no text"
        raise TypeError(msg)
    return value


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _numbers(values: list[Any]) -> tuple[float, ...]:
    # NaN has no form in JSON, and came here as null.
    return tuple(math.nan if value is None else value + 0.0 for value in values)
