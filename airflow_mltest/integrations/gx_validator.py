"""Great Expectations: data and expectations in, a suite out."""

from __future__ import annotations

import json
import logging
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from airflow_mltest.core.recording import Recording

_PLACE = "airflow_mltest_place"
_EXAMPLES = 5


def read_expectations(source: str | Sequence[Mapping[str, Any]] | Callable[[], Any]) -> list[Any]:
    """
    Turn what the user wrote into Great Expectations' own objects, in order.

    Great Expectations drops an expectation that it does not know, with a line in the log; here it
    is an error, since a suite with fewer questions passes more.

    Raises:
        ConfigurationError: The file cannot be read, or an expectation does not exist or has a
            wrong argument; the message names it.
    """
    if isinstance(source, str):
        source = _read_file(source)
    if callable(source):
        _import_gx()
        return list(source().expectations)
    if not isinstance(source, (list, tuple)) or not all(
        isinstance(item, dict) or hasattr(item, "configuration") for item in source
    ):
        msg = "expectations must be a list of objects, each with `type` and `kwargs`."
        raise ConfigurationError(msg)
    return [_expectation(place, item) for place, item in enumerate(source)]


def validate(rows: pd.DataFrame, expectations: Sequence[Any], recording: Recording) -> None:
    """Ask all *expectations* of *rows* at once, and record the answers in the order of the questions."""
    gx = _import_gx()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars={"globally": False},
    )
    # A context of one's own for each run: a shared one hands threads each other's rows.
    context = gx.get_context(mode="ephemeral", project_config=config)
    batch = context.data_sources.pandas_default.read_dataframe(rows)
    for place, expectation in enumerate(expectations):
        expectation.meta = {**(expectation.meta or {}), _PLACE: place}
    suite = gx.ExpectationSuite(name=recording.name, expectations=list(expectations))
    answers = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": _EXAMPLES})
    by_place = {answer.expectation_config.meta[_PLACE]: answer for answer in answers.results}
    for place, expectation in enumerate(expectations):
        recording.add(_case(place, expectation, by_place.get(place), recording))


def _import_gx() -> Any:
    # Two hundred lines of "registering function" would fill the task's log at the import.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    # Releases before 1.10 sent usage statistics.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with extra("data", provides="great_expectations"):
        import great_expectations as gx
    return gx


def _read_file(path: str) -> Any:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"expectations file {path!r} cannot be read: {type(error).__name__}: {error}"
        raise ConfigurationError(msg) from error
    # A suite that Great Expectations itself has saved keeps its list under this key.
    return content["expectations"] if isinstance(content, dict) and "expectations" in content else content


def _expectation(place: int, item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    _import_gx()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    if (item.get("kwargs") or {}).get("condition_parser") == "pandas":
        msg = f"expectation {place + 1} has a row condition for pandas, which can run any code: use a typed condition."
        raise ConfigurationError(msg)
    try:
        return ExpectationConfiguration(**item).to_domain_obj()
    except Exception as error:
        msg = (
            f"expectation {place + 1}, {item.get('type', 'without a type')!r} with {item.get('kwargs')}, is no "
            f"question for Great Expectations: {type(error).__name__}: {error}{_nearest(item)}"
        )
        raise ConfigurationError(msg) from error


def _nearest(item: Mapping[str, Any]) -> str:
    import difflib

    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = list_registered_expectation_implementations()
    near = difflib.get_close_matches(str(item.get("type", "")), known, n=1)
    return f" Did you mean {near[0]!r}?" if near and item.get("type") not in known else ""


def _case(place: int, expectation: Any, answer: Any, recording: Recording) -> Case:
    name = _name(expectation)
    if any(case.name == name for case in recording.cases):
        name = f"{name} #{place + 1}"
    if answer is None:
        return Case(name=name, outcome=Outcome.BROKEN, detail="Great Expectations gave no answer to it")
    raised = _raised(answer.exception_info)
    if raised:
        return Case(name=name, outcome=Outcome.BROKEN, detail=f"could not be judged: {raised}")
    result = answer.result or {}
    measurements = _measurements(name, expectation, result)
    facts = {"expectation": _plain(expectation.configuration.kwargs), "result": _plain(result)}
    outcome, detail = _judge(expectation, success=bool(answer.success), result=result)
    return Case(name=name, outcome=outcome, detail=detail, measurements=measurements, facts=facts)


def _judge(expectation: Any, *, success: bool, result: Mapping[str, Any]) -> tuple[Outcome, str]:
    count, missing = result.get("element_count"), result.get("missing_count")
    if count is not None and missing is not None and count == missing:
        return Outcome.BROKEN, f"all {count} values are missing, so there was nothing to judge"
    seen = _seen(result)
    if success:
        return Outcome.PASSED, ""
    if str(getattr(expectation.severity, "value", expectation.severity)) in {"warning", "info"}:
        return Outcome.PASSED, f"{expectation.severity.value}: {seen}"
    return Outcome.FAILED, seen


def _seen(result: Mapping[str, Any]) -> str:
    if result.get("unexpected_count"):
        examples = ", ".join(map(repr, result.get("partial_unexpected_list") or ()))
        share = result.get("unexpected_percent") or 0.0
        return f"{result['unexpected_count']} of {result['element_count']} values ({share:.3g} %) are not: {examples}"
    return f"observed {_plain(result.get('observed_value'))}"


def _name(expectation: Any) -> str:
    """Tell an expectation by what it asks of which columns: `values_to_be_between(distance)`."""
    kwargs = expectation.configuration.kwargs
    columns = [kwargs[key] for key in ("column", "column_A", "column_B") if kwargs.get(key)]
    if not expectation.configuration.type.startswith("expect_table"):
        columns += kwargs.get("column_list") or ()
    kind = expectation.configuration.type.removeprefix("expect_").removeprefix("column_").removeprefix("table_")
    return f"{kind}({', '.join(columns)})" if columns else kind


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


def _raised(info: Mapping[str, Any] | None) -> str | None:
    """Find the message in either of the two shapes that `exception_info` comes in."""
    if not info:
        return None
    if "raised_exception" in info:
        return str(info.get("exception_message")) if info["raised_exception"] else None
    messages = (value.get("exception_message") for value in info.values() if isinstance(value, dict))
    return next((str(message) for message in messages if message), None)


def _plain(value: Any) -> Any:
    """Make strict JSON of a result: numpy's scalars, timestamps and NaN have none of their own."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
