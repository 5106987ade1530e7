"""Are requests that make no sense refused, and does the server outlive them?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.deployment.protocol import OK, body_of, payload_of
from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltest.checks.deployment.protocol import Answer
    from airflow_mltest.checks.deployment.subject import DeploymentSubject

_JSON = "application/json"
_REFUSED = range(400, 500)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRequests:
    """
    Each malformed request gets a status of 400 to 499, and the next good one the answer that it got before.

    Asked are: no JSON, half a JSON, an empty body, JSON of another shape, a content type that no model
    reads, a missing column, text where a number belongs. A 200 would be an answer to nonsense; a 500
    says that nobody thought of it, and lets a caller try again for ever.
    """

    def run(self, subject: DeploymentSubject) -> Case:
        """Ask a good question, and after each bad one again."""
        row = subject.drawn(1)
        good = body_of(row)
        before = subject.server.post(good)
        if before.status != OK:
            msg = f"a request of one row, which is right, was answered {before.excerpt}"
            raise BrokenRunError(msg)
        bad, wrong, said = malformed(row, subject.model.inputs), [], {}
        for done, (what, (body, content_type)) in enumerate(bad.items()):
            answer = _posted(subject, body, content_type)
            said[what] = "no answer" if answer is None else answer.status
            if answer is None or answer.status not in _REFUSED:
                wrong.append(f"{what}: {'no answer' if answer is None else answer.excerpt}; 4xx was wanted")
            after = _posted(subject, good, _JSON)
            if after != before:
                how = "not answered" if after is None else f"answered {after.excerpt}"
                wrong.append(f"the good request after that ({what}) was {how}; before it was {before.excerpt}")
            subject.progress(done + 1, len(bad))
        return Case(
            name="bad_requests",
            outcome=Outcome.FAILED if wrong else Outcome.PASSED,
            detail="\n".join(wrong) or f"{len(bad)} malformed requests refused with 4xx; good ones answered as before",
            facts={"statuses": said},
        )


def malformed(row: pd.DataFrame, inputs: Any) -> dict[str, tuple[str, str]]:
    """
    Write requests that are wrong in one way each.

    Args:
        row: One row that is right.
        inputs: The columns of the model's signature and their types; None without one.

    Returns:
        Body and content type, by what is wrong. A column is missing, or of another type, only where the
        signature makes it so: a model without one may know what to do without.
    """
    good = body_of(row)
    found = {
        "no JSON": ("when does it rain?", _JSON),
        "half a JSON": (good[: len(good) // 2], _JSON),
        "an empty body": ("", _JSON),
        "JSON of another shape": ("[1, 2, 3]", _JSON),
        "JSON without rows": ("{}", _JSON),
        "a content type that no model reads": (good, "image/png"),
    }
    if not inputs:
        return found
    required = [name for name in inputs if name in row.columns and row[name].notna().all()]
    if required:
        found[f"without the column {required[0]!r}"] = (body_of(row.drop(columns=required[0])), _JSON)
    numbers = [name for name in required if row[name].dtype.kind in "iuf"]
    if numbers:
        split = payload_of(row)["dataframe_split"]
        split["data"][0][split["columns"].index(numbers[0])] = "a great deal"
        found[f"text in the number {numbers[0]!r}"] = (json.dumps({"dataframe_split": split}), _JSON)
    return found


def _posted(subject: DeploymentSubject, body: str, content_type: str) -> Answer | None:
    try:
        return subject.server.post(body, content_type)
    except BrokenRunError:
        return None
