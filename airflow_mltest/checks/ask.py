"""Ask several questions, and answer with a suite."""

from __future__ import annotations

import re
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError, MltestError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.ports import Check
    from airflow_mltest.core.recording import Recording


def ask(checks: Sequence[Check], subject: Any, recording: Recording) -> None:
    """
    Ask every check of *subject*, one after the other, and record each answer as it comes.

    A check that raises is a broken case with the reason, and the next one is asked.

    Raises:
        ConfigurationError: There is nothing to ask.
    """
    if not checks:
        msg = "there are no checks: a suite that asks nothing passes nothing."
        raise ConfigurationError(msg)
    recording.expect(max(recording.total or 0, len(recording.cases) + len(checks)))
    for check in checks:
        start_s = time.monotonic()
        case = _answer(check, subject)
        case = replace(case, name=_unique(case.name, recording), duration_s=time.monotonic() - start_s)
        recording.add(case)


def _answer(check: Check, subject: Any) -> Case:
    try:
        case = check.run(subject)
    except MltestError as error:
        return Case(name=name_of(check), outcome=Outcome.BROKEN, detail=str(error))
    except Exception as error:  # noqa: BLE001  a library's or a user's; the other checks are still asked
        if getattr(subject, "redact", ()):
            detail = f"{type(error).__name__}: the cause may hold values of a redacted column"
            return Case(name=name_of(check), outcome=Outcome.BROKEN, detail=detail)
        detail = f"{type(error).__name__}: {error}"
        return Case(name=name_of(check), outcome=Outcome.BROKEN, detail=detail, output=traceback.format_exc())
    if not isinstance(case, Case):
        detail = f"{type(check).__name__}.run answered with {type(case).__name__}, not with a Case"
        return Case(name=name_of(check), outcome=Outcome.BROKEN, detail=detail)
    return case


def name_of(check: Check) -> str:
    """Call a check by its name, else by its class: `NotWorseThan` is `not_worse_than`."""
    return getattr(check, "name", "") or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(check).__name__).lower()


def _unique(name: str, recording: Recording) -> str:
    taken = {case.name for case in recording.cases}
    candidates = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)
