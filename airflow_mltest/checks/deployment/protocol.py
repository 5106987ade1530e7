"""What is said to a scoring server and what it says, in the words of MLflow's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What the server said.

    Args:
        status: HTTP's.
        text: The body.
    """

    status: int
    text: str

    @property
    def excerpt(self) -> str:
        """The answer in short, for a person."""
        return f"{self.status}: {' '.join(self.text.split())[:300]}"


def payload_of(rows: Any) -> dict[str, Any]:
    """Say *rows* in the server's own words, every digit of every number kept, and NaN as null."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        known = rows.astype(object).where(rows.notna(), None)
        return {"dataframe_split": {"columns": list(rows.columns), "data": _plain(known.to_numpy().tolist())}}
    said = _plain(rows.tolist() if hasattr(rows, "tolist") else list(rows))
    return {"dataframe_records" if said and isinstance(said[0], dict) else "inputs": said}


def body_of(rows: Any) -> str:
    """Write the request that asks about *rows*."""
    return json.dumps(payload_of(rows))


def predictions_in(text: str) -> list[Any]:
    """
    Read one answer a row; that of a table of one column is the value in it.

    Raises:
        ValueError: They are no predictions.
    """
    said = json.loads(text)
    if not isinstance(said, dict) or not isinstance(said.get("predictions"), list):
        msg = 'it is no object with a list of "predictions"'
        raise ValueError(msg)  # noqa: TRY004  of what it says, as json's own
    return [_single(one) for one in said["predictions"]]


def said_offline(answers: Any) -> list[Any]:
    """Write what a model gave, an array, a series, a frame or a list, as the server would write it."""
    if hasattr(answers, "to_dict"):
        frame = answers if hasattr(answers, "columns") else answers.to_frame()
        known = frame.astype(object).where(frame.notna(), None)
        return [_single(_plain(record)) for record in known.to_dict(orient="records")]
    return [_single(one) for one in _plain(answers.tolist() if hasattr(answers, "tolist") else list(answers))]


def _plain(value: Any) -> Any:
    """Replace what JSON does not know: NaN, numpy's numbers, dates."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    return None if value != value else value  # noqa: PLR0124  only NaN differs from itself


def _single(answer: Any) -> Any:
    return next(iter(answer.values())) if isinstance(answer, dict) and len(answer) == 1 else answer
