"""Rows that a check has changed, before and after, as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from airflow_mltest.reports.axis import written

if TYPE_CHECKING:
    from airflow_mltest.core.outcome import Case

_MOST_EXAMPLES, _MOST_COLUMNS = 10, 12
_KEYS = ("row", "before", "after", "answers")
_NO_ANSWERS = ("", "")  # rows of data, which nobody was asked about
_FEWEST_FIGURES, _MOST_FIGURES = 4, 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """
    One row, and what was made of it.

    Args:
        row: Which one; empty where that is not known.
        changed: Column, value before and value after, of the first columns that differ.
        more: How many more columns differ.
        same: The first of the columns that do not, and their values.
        answers: The model's, before and after.
        also: What else is told of it, such as the budget that was spent.
    """

    row: str
    changed: tuple[tuple[str, str, str], ...]
    more: int
    same: tuple[tuple[str, str], ...]
    answers: tuple[str, str]
    also: tuple[tuple[str, str], ...]


def examples_of(case: Case) -> list[Example]:
    """
    Read the first ten of `facts["examples"]`.

    Each is an object with `row`, `before` and `after` (values by column; `after` may hold only
    those that differ), and `answers` (two, of a model); what else it has is told as it is. Empty where there
    are none, or any is something else.
    """
    told = case.facts.get("examples")
    if not isinstance(told, (list, tuple)) or not all(_is_example(example) for example in told):
        return []
    return [_example(example) for example in told[:_MOST_EXAMPLES]]


def _is_example(told: Any) -> bool:
    if not isinstance(told, Mapping):
        return False
    answers = told.get("answers", _NO_ANSWERS)
    return (
        isinstance(told.get("before"), Mapping)
        and isinstance(told.get("after"), Mapping)
        and isinstance(answers, (list, tuple))
        and len(answers) == len(("before", "after"))
    )


def _example(told: Mapping[str, Any]) -> Example:
    before, after = told["before"], told["after"]
    columns = [*before, *(column for column in after if column not in before)]
    differing = [column for column in columns if column in after and not _equal(before.get(column), after[column])]
    same = [column for column in columns if column not in set(differing)]
    shown = differing[:_MOST_COLUMNS]
    return Example(
        row="" if told.get("row") is None else str(told["row"]),
        changed=tuple((str(column), *_apart(before.get(column), after[column])) for column in shown),
        more=len(differing) - len(shown),
        same=tuple((str(column), _said(before.get(column, after.get(column)))) for column in same[:_MOST_COLUMNS]),
        answers=_apart(*told.get("answers", _NO_ANSWERS)),
        also=tuple((str(key), _said(value)) for key, value in told.items() if key not in _KEYS),
    )


def _equal(one: Any, other: Any) -> bool:
    same_kind = isinstance(one, str) == isinstance(other, str)
    return same_kind and _said(one, _MOST_FIGURES) == _said(other, _MOST_FIGURES)


def _apart(before: Any, after: Any) -> tuple[str, str]:
    """Write two values with as many figures as tell them apart."""
    for figures in range(_FEWEST_FIGURES, _MOST_FIGURES + 1):
        said = _said(before, figures), _said(after, figures)
        if said[0] != said[1]:
            break
    return said


def _said(value: Any, figures: int = _FEWEST_FIGURES) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_said(item, figures) for item in value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing"
    if isinstance(value, Real) and not isinstance(value, bool):
        return str(value) if isinstance(value, int) else written(float(value), figures)
    return str(value)
