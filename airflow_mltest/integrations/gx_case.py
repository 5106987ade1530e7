"""Great Expectations: what it answers to one expectation, as a case; what it passes for no reason is broken."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
EXAMPLES = 5
_COLUMN_KEYS = ("column", "column_A", "column_B")
_COUNTS = ("element_count", "unexpected_count", "missing_count")
# Of these an observed value is no value of the column.
_TELLS_NO_VALUE = ("count", "proportion", "mean", "stdev", "type", "divergence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    How answers become cases.

    Args:
        fail_on: The least severe expectation that fails its suite; what is less severe is only told.
        redact: Columns whose values may not be shown, `*` for all.
    """

    fail_on: Severity = "critical"
    redact: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.fail_on not in SEVERITIES:
            msg = f"fail_on={self.fail_on!r} is no severity: name one of {', '.join(SEVERITIES)}."
            raise ConfigurationError(msg)
        if isinstance(self.redact, str):
            msg = f"redact={self.redact!r} is one text: give a list of columns, [{self.redact!r}]."
            raise ConfigurationError(msg)

    def hides(self, expectation: Any) -> bool:
        """Say whether the answer to *expectation* may hold what may not be shown."""
        if not self.redact or "*" in self.redact:
            return bool(self.redact)
        columns = columns_of(expectation)
        # What names no column may show any: a query gives whole rows.
        return bool({*columns} & {*self.redact}) if columns else not _kind(expectation).startswith("expect_table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What was answered, whoever put it together.

    Args:
        success: What Great Expectations would say.
        result: Counts, examples, the observed value.
        raised: Why it could not be judged; empty when it could.
        nothing: Why there was nothing to judge; empty when there was something.
        note: What else is worth knowing, such as that the column was read whole.
    """

    success: bool
    result: Mapping[str, Any]
    raised: str = ""
    nothing: str = ""
    note: str = ""


def answer_of(given: Any) -> Answer:
    """Take what Great Expectations answered."""
    if given is None:
        return Answer(success=False, result={}, raised="Great Expectations gave no answer to it")
    raised = raised_in(given.exception_info)
    return Answer(success=bool(given.success), result=given.result or {}, raised=raised)


def raised_in(info: Mapping[str, Any] | None) -> str:
    """Find the message in either of the two shapes that `exception_info` comes in; empty: nothing was raised."""
    if not info:
        return ""
    if "raised_exception" in info:
        return str(info.get("exception_message")) if info["raised_exception"] else ""
    messages = (value.get("exception_message") for value in info.values() if isinstance(value, dict))
    return next((str(message) for message in messages if message), "")


def columns_of(expectation: Any) -> list[str]:
    """Give the columns that an expectation names as its own."""
    kwargs = expectation.configuration.kwargs
    columns = [kwargs[key] for key in _COLUMN_KEYS if kwargs.get(key)]
    if not _kind(expectation).startswith("expect_table"):
        columns += kwargs.get("column_list") or ()
    return columns


def name_of(expectation: Any) -> str:
    """Tell an expectation by what it asks of which columns: `values_to_be_between(distance)`."""
    kind = _kind(expectation).removeprefix("expect_").removeprefix("column_").removeprefix("table_")
    columns = columns_of(expectation)
    return f"{kind}({', '.join(columns)})" if columns else kind


def names_of(expectations: Sequence[Any]) -> list[str]:
    """Name each expectation so that no two of a suite are called the same."""
    names: list[str] = []
    for place, expectation in enumerate(expectations):
        name = name_of(expectation)
        names.append(f"{name} #{place + 1}" if name in names else name)
    return names


def case_of(name: str, expectation: Any, answer: Answer, rules: Rules, columns: Collection[str]) -> Case:
    """
    Judge *answer*.

    Args:
        name: What to call the case.
        expectation: What was asked.
        answer: What was answered.
        rules: What fails, and what may not be shown.
        columns: Those that the data has.
    """
    hidden = rules.hides(expectation)
    if answer.raised:
        return Case(name=name, outcome=Outcome.BROKEN, detail=_why_not(expectation, answer, columns, hidden=hidden))
    result = _without_values(expectation, answer.result) if hidden else answer.result
    outcome, detail = _judge(expectation, replace(answer, result=result), rules, hidden=hidden)
    return Case(
        name=name,
        outcome=outcome,
        detail="; ".join(filter(None, (detail, answer.note))),
        measurements=_measurements(name, expectation, result),
        facts={
            "expectation": plain(expectation.configuration.kwargs),
            "result": plain(result),
            "success": bool(answer.success),
        },
    )


def _kind(expectation: Any) -> str:
    return str(expectation.configuration.type)


def _why_not(expectation: Any, answer: Answer, columns: Collection[str], *, hidden: bool) -> str:
    for column in columns_of(expectation):
        # Asked for what must not be there, its absence is no reason.
        if columns and column not in columns:
            near = difflib.get_close_matches(column, [str(name) for name in columns], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the data has {', '.join(map(str, columns))}."
            return f"could not be judged: there is no column {column!r}; {hint}"
    cause = "the cause may hold values of a redacted column" if hidden else answer.raised
    return f"could not be judged: {cause}"


def _judge(expectation: Any, answer: Answer, rules: Rules, *, hidden: bool) -> tuple[Outcome, str]:
    count, missing = answer.result.get("element_count"), answer.result.get("missing_count")
    if answer.nothing:
        return Outcome.BROKEN, answer.nothing
    if count == 0:
        return Outcome.BROKEN, "no row meets its row condition, so there was nothing to judge"
    if count is not None and count == missing:
        return Outcome.BROKEN, f"all {count} values are missing, so there was nothing to judge"
    if answer.success:
        return Outcome.PASSED, ""
    seen = _seen(answer.result, hidden=hidden)
    severity = str(getattr(expectation.severity, "value", expectation.severity))
    if SEVERITIES.index(severity) > SEVERITIES.index(rules.fail_on):
        return Outcome.PASSED, f"{severity}: {seen}"
    return Outcome.FAILED, seen if severity == "critical" else f"{severity}: {seen}"


def _seen(result: Mapping[str, Any], *, hidden: bool) -> str:
    if result.get("unexpected_count") and "element_count" in result:
        examples = "values redacted" if hidden else ", ".join(map(repr, result.get("partial_unexpected_list") or ()))
        share = result.get("unexpected_percent") or 0.0
        return f"{result['unexpected_count']} of {result['element_count']} values ({share:.3g} %) are not: {examples}"
    if hidden and "observed_value" not in result:
        return "the observed value is redacted"
    return f"observed {plain(result.get('observed_value'))}"


def _without_values(expectation: Any, result: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in result.items() if key in _COUNTS or "percent" in key}
    if any(word in _kind(expectation) for word in _TELLS_NO_VALUE):
        kept |= {key: value for key, value in result.items() if key == "observed_value"}
    return kept


def _measurements(name: str, expectation: Any, result: Mapping[str, Any]) -> tuple[Measurement, ...]:
    kwargs = expectation.configuration.kwargs
    if result.get("unexpected_percent") is not None:
        mostly = kwargs.get("mostly")
        value = result["unexpected_percent"] / 100
        allowed = 0.0 if mostly is None else round(1 - mostly, 12)
        return (Measurement(name=f"{name}.unexpected_share", value=value, maximum=allowed),)
    observed = result.get("observed_value")
    if isinstance(observed, bool) or not isinstance(observed, (int, float)):
        return ()
    bounds = {"minimum": kwargs.get("min_value"), "maximum": kwargs.get("max_value")}
    bounds = {key: float(value) if isinstance(value, (int, float)) else None for key, value in bounds.items()}
    return (Measurement(name=name, value=float(observed), **bounds),)


def plain(value: Any) -> Any:
    """Make strict JSON of a result: numpy's scalars, timestamps and NaN have none of their own."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
