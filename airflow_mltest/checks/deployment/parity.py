"""Does the server say what the model says?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltest.checks.deployment.protocol import OK, body_of, predictions_in, said_offline
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from airflow_mltest.checks.deployment.subject import DeploymentSubject

_EXAMPLES = 5
_TELL_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """
    Rows are answered over HTTP as the loaded model answers them here, each alone and all in one request.

    Offline the model is given the rows in the types of the data; the server is sent them as JSON, as
    production sends them: gaps as null, dates as text. What the way there changes is a difference too.
    Numbers and lists of them are compared within *tolerance*; NaN equals NaN and null, and all else only itself.

    Args:
        rows: How many rows, drawn by the operator's seed.
        alone: How many of them are also sent in a request each.
        tolerance: How far numbers may be apart, relative to the greater one, and a thousandth of that absolutely.
    """

    rows: int = 200
    alone: int = 20
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if self.rows < 1 or self.alone < 0 or not 0 <= self.tolerance < math.inf:
            msg = (
                f"Parity: rows is 1 or more, alone and tolerance are 0 or more, not {self.rows}, {self.alone} and "
                f"{self.tolerance}."
            )
            raise ConfigurationError(msg)

    def run(self, subject: DeploymentSubject) -> Case:
        """Ask both, and compare row by row."""
        rows = subject.drawn(self.rows)
        offline = subject.offline(rows)
        different: dict[int, dict[str, Any]] = {}
        refused: list[str] = []
        requests = list(self._requests(len(rows)))
        for done, places in enumerate(requests):
            online = _asked(subject, rows.iloc[places])
            if isinstance(online, str):
                which = f"{len(places)} rows" if len(places) > 1 else f"row {rows.index[places[0]]} alone"
                refused.append(f"{which}: {online}")
                continue
            for place, said in zip(places, online, strict=True):
                if not agree(offline[place], said, self.tolerance):
                    example = {
                        "row": str(rows.index[place]),
                        "offline": offline[place],
                        "online": said_offline([said])[0],
                    }
                    different.setdefault(place, {**example, "rows_in_request": len(places)})
            if done % _TELL_EVERY == 0:
                subject.progress(done + 1, len(requests))
        return self._case(len(rows), list(different.values()), refused)

    def _requests(self, rows: int) -> Iterator[list[int]]:
        yield list(range(rows))
        for place in range(min(self.alone, rows)):
            yield [place]

    def _case(self, rows: int, different: list[dict[str, Any]], refused: list[str]) -> Case:
        words = [f"not answered: {one}" for one in refused[:_EXAMPLES]]
        if different:
            words.insert(0, f"{len(different)} of {rows} rows are answered otherwise over HTTP")
        words += [
            f"row {one['row']}: {one['offline']!r} offline, {one['online']!r} online "
            f"(one of {one['rows_in_request']} in the request)"
            for one in different[:_EXAMPLES]
        ]
        passed = f"{rows} rows in one request, and {min(self.alone, rows)} of them alone: answered as offline"
        return Case(
            name="parity",
            outcome=Outcome.FAILED if words else Outcome.PASSED,
            detail="\n".join(words) or passed,
            measurements=(Measurement(name="parity_differing_rows", value=len(different), maximum=0),),
            facts={"differing": different[:_EXAMPLES]} if different else {},
        )


def agree(offline: Any, online: Any, tolerance: float) -> bool:
    """
    Say whether two answers to one row are the same.

    Args:
        offline: As JSON would have it: a number, a text, a list, a mapping.
        online: As JSON had it.
        tolerance: As for `Parity`; 0 asks for the same number.
    """
    if isinstance(offline, dict) and isinstance(online, dict):
        return offline.keys() == online.keys() and all(agree(offline[key], online[key], tolerance) for key in offline)
    if isinstance(offline, list) and isinstance(online, list):
        pairs = zip(offline, online, strict=False)
        return len(offline) == len(online) and all(agree(one, other, tolerance) for one, other in pairs)
    if _is_number(offline) and _is_number(online):
        return offline == online or math.isclose(offline, online, rel_tol=tolerance, abs_tol=tolerance / 1000)
    return bool(_known(offline) == _known(online)) and isinstance(offline, bool) == isinstance(online, bool)


def _asked(subject: DeploymentSubject, rows: pd.DataFrame) -> list[Any] | str:
    """Give the server's answers; or in words, why they are none."""
    answer = subject.server.post(body_of(rows))
    if answer.status != OK:
        return answer.excerpt
    try:
        online = predictions_in(answer.text)
    except ValueError as error:
        return f"{answer.excerpt}, and {error}"
    return online if len(online) == len(rows) else f"{len(online)} answers to {len(rows)} rows"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
