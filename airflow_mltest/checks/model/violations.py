"""How many rows are answered as they must not be, and which are they?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mltest.checks.model.intervals import clopper_pearson
from airflow_mltest.checks.model.metric import require_confidence
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.statistics import measured, rows_needed, verdict, would_decide

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.core.outcome import Measurement

_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """
    Rows before and after a change, and what was said of them.

    Args:
        before: The rows, n of them.
        after: The same rows, changed.
        answers: What was said of each before, shape (n,).
        answers_after: What was said of each after, shape (n,).
    """

    before: pd.DataFrame
    after: pd.DataFrame
    answers: np.ndarray
    answers_after: np.ndarray

    def examples(self, wrong: np.ndarray) -> list[dict[str, Any]]:
        """Show the first of the rows that are *wrong*, shape (n,): whole, what changed, the answers; strict JSON."""
        return [self._example(int(place)) for place in np.flatnonzero(wrong)[:_EXAMPLES]]

    def _example(self, place: int) -> dict[str, Any]:
        # Column by column: a row of mixed types would make floats of its whole numbers.
        before, after = (
            {str(name): plain(rows[name].iloc[place]) for name in rows.columns} for rows in (self.before, self.after)
        )
        return {
            "row": plain(self.before.index[place]),
            "before": before,
            "after": {name: value for name, value in after.items() if value != before[name]},
            "answers": [plain(self.answers[place]), plain(self.answers_after[place])],
        }


def judged_share(
    name: str, hits: int, rows: int, *, maximum: float, confidence: float
) -> tuple[Outcome, Measurement, str]:
    """
    Judge the share of rows that are wrong, bounded exactly.

    With *maximum* 0 one wrong row fails, and none passes: no number of rows proves a share of 0. How
    many could still be wrong is in the interval.

    Args:
        name: The measurement's.
        hits: Rows that are wrong.
        rows: Rows that could be; at least one.
        maximum: The greatest share that is allowed.
        confidence: That the true share is not beyond the end that is compared, a share.

    Returns:
        The outcome, the share, and what would decide, as the end of a sentence; empty if it is decided.
    """
    interval = clopper_pearson(hits, rows, confidence)
    at_zero = Outcome.FAILED if hits else Outcome.PASSED
    outcome = verdict(interval, maximum=maximum) if maximum else at_zero
    open_ = outcome is Outcome.INCONCLUSIVE
    rest = would_decide(rows_needed(hits / rows, interval, rows, maximum=maximum)) if open_ else ""
    return outcome, measured(name, hits / rows, interval, maximum=maximum), rest


def violation_case(  # noqa: PLR0913  what was counted, and in which words it is told
    name: str, wrong: np.ndarray, changed: Changed, *, what: str, maximum: float, confidence: float
) -> Case:
    """
    Make a case of the share of rows that are wrong, as `judged_share` judges it.

    Args:
        name: The case's.
        wrong: Which rows are, shape (n,), of those that could be.
        changed: Those rows, for the examples.
        what: What a wrong row does: "are answered otherwise".
        maximum: The greatest share that is allowed.
        confidence: That the true share is not beyond the end that is compared, a share.
    """
    hits, rows = int(wrong.sum()), len(wrong)
    outcome, share, rest = judged_share(f"{name}_violations_share", hits, rows, maximum=maximum, confidence=confidence)
    examples = changed.examples(wrong)
    detail = f"{hits} of {rows} rows {what}, a share of {share.value:.3g}, at most {share.high:.3g}; "
    detail += f"{maximum:g} allowed{rest}"
    return Case(
        name=name,
        outcome=outcome,
        detail=detail + "".join(f"\n{_in_words(example)}" for example in examples),
        measurements=(share,),
        facts={"examples": examples},
    )


def require_share(what: str, *, maximum: float, tolerance: float, confidence: float) -> None:
    """
    Refuse settings of a check that counts rows which make no sense.

    Raises:
        ConfigurationError: The allowed share is not at least 0 and below 1, or the tolerance below 0.
    """
    require_confidence(what, confidence)
    if not (0 <= maximum < 1 and 0 <= tolerance < float("inf")):
        msg = f"{what}: the share that is allowed is 0 or more and below 1, and tolerance 0 or more; "
        msg += f"not {maximum} and {tolerance}."
        raise ConfigurationError(msg)


def plain(value: Any) -> Any:
    """Give a value as strict JSON has it: what is no number, truth value or text becomes text, and missing None."""
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    found = value.item() if isinstance(value, np.generic) else value
    if isinstance(found, float) and not np.isfinite(found):
        return str(found)
    return found if isinstance(found, (bool, int, float, str)) else str(found)


def _in_words(example: dict[str, Any]) -> str:
    moves = ", ".join(f"{name} {example['before'][name]} -> {new}" for name, new in example["after"].items())
    return f"row {example['row']}: {moves}: answered {example['answers'][0]} -> {example['answers'][1]}"
