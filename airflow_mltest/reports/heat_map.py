"""A table of numbers as squares, the darker the greater."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_mltest.reports.axis import written
from airflow_mltest.reports.drawing import FONT, LETTER, LETTERS, LINE, WIDTH, hint, letters, shape, shortened, words
from airflow_mltest.reports.thinning import coarse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.figure import Matrix

MOST_NUMBERED = 20
_MOST_ROWS = 40
_WIDEST = 44.0
_TILT = 60
_LEGIBLE = 5.0
_GAP = 1.0


def draw_heat_map(matrix: Matrix) -> tuple[str, float]:
    """Draw *matrix*, with numbers up to 20 rows and columns; give the elements, and their height."""
    drawn = coarse(matrix, _MOST_ROWS)
    rows, columns = len(drawn.row_names), len(drawn.column_names)
    left = min(max((letters(name) for name in drawn.row_names), default=1), 16) * LETTER + 8
    size = _size(drawn.column_names, WIDTH - left)
    names, top = _column_names(drawn.column_names, left, size)
    numbers = _cells(drawn, left, top, size, numbered=max(rows, columns) <= MOST_NUMBERED)
    every = max(1, math.ceil(LINE / size)) if rows else 1
    side = [
        words(left - 5, top + (row + 0.5) * size + 4, name, kind="tick", most=16, text_anchor="end")
        for row, name in enumerate(drawn.row_names)
        if row % every == 0
    ]
    bottom = top + rows * size + LINE
    note = _note(matrix, drawn)
    parts = [
        words(0, 12, f"{matrix.rows} ↓ · {matrix.columns} →", kind="axis-name", most=LETTERS),
        names,
        *side,
        numbers,
        words(0, bottom + 2, note, kind="name", most=LETTERS) if note else "",
    ]
    return "".join(parts), bottom + (8 if note else 0)


def _size(names: Sequence[str], room: float) -> float:
    """Make squares as wide as there is room; the last of tilted names leans out of its column."""
    size = min(_WIDEST, room / max(len(names), 1))
    if not _tilted(names, size):
        return size
    return min(_WIDEST, (room - _widest(names) * LETTER * math.cos(math.radians(_TILT))) / len(names))


def _tilted(names: Sequence[str], size: float) -> bool:
    return _widest(names) * LETTER > size - 4


def _widest(names: Sequence[str]) -> int:
    return min(max((letters(name) for name in names), default=1), 12)


def _column_names(names: Sequence[str], left: float, size: float) -> tuple[str, float]:
    """Write the names of the columns, tilted where they are wider than their squares; give also where squares begin."""
    if not _tilted(names, size):
        upright = [
            words(left + (place + 0.5) * size, 2 * LINE, name, kind="tick", most=16, text_anchor="middle")
            for place, name in enumerate(names)
        ]
        return "".join(upright), 2 * LINE + 6
    top = 2 * LINE + _widest(names) * LETTER * math.sin(math.radians(_TILT))
    every = max(1, math.ceil(LINE * 0.8 / size))
    tilted = []
    for place in range(0, len(names), every):
        x, y = left + (place + 0.5) * size + 3, top - 5
        turned = f"rotate(-{_TILT} {x:.1f} {y:.1f})"
        tilted.append(words(x, y, names[place], kind="tick", most=12, transform=turned))
    return "".join(tilted), top


def _cells(matrix: Matrix, left: float, top: float, size: float, *, numbered: bool) -> str:
    cells = [
        (row, column, value)
        for row, values in enumerate(matrix.values[: len(matrix.row_names)])
        for column, value in enumerate(values[: len(matrix.column_names)])
    ]
    most = max((abs(value) for *_, value in cells if math.isfinite(value)), default=0.0) or 1.0
    longest = max((letters(written(value, 3)) for *_, value in cells if math.isfinite(value)), default=1)
    font = min(FONT, (size - 2 * _GAP) / (longest * LETTER / FONT))
    parts = []
    for row, column, value in cells:
        known = math.isfinite(value)
        share = abs(value) / most if known else 0.0
        x, y, side = left + column * size, top + row * size, size - _GAP
        kind = ("heat below" if value < 0 else "heat") if known else "unknown"
        parts.append(shape("rect", kind=kind, x=x, y=y, width=side, height=side, fill_opacity=f"{share:.3f}"))
        where = hint(f"{matrix.row_names[row]}, {matrix.column_names[column]}: {written(value)}") if numbered else ""
        if numbered and font >= _LEGIBLE:
            kind = "on-heat" if share > 0.5 else "number"  # noqa: PLR2004  where the square is dark
            place = {"x": x + side / 2, "y": y + side / 2 + font * 0.35, "font_size": font}
            parts.append(
                shape("text", where + (written(value, 3) if known else "?"), kind=kind, text_anchor="middle", **place)
            )
    return "".join(parts)


def _note(matrix: Matrix, drawn: Matrix) -> str:
    if drawn is matrix:
        return ""
    down, across = (-(-len(whole) // _MOST_ROWS) for whole in (matrix.row_names, matrix.column_names))
    return shortened(f"each square is the mean of up to {down} by {across} numbers", LETTERS)
