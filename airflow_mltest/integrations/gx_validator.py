"""Great Expectations: data and expectations in, a suite out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mltest.integrations.gx_case import EXAMPLES, Answer, Rules, answer_of, case_of, names_of, plain
from airflow_mltest.integrations.gx_suite import import_gx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.recording import Recording

_PLACE = "airflow_mltest_place"
_AS_ASKED = {"result_format": "BASIC", "partial_unexpected_count": EXAMPLES}


def validate(rows: Any, expectations: Sequence[Any], recording: Recording, rules: Rules | None = None) -> None:
    """
    Ask all *expectations* of *rows* at once, and record the answers in the order of the questions.

    Args:
        rows: A data frame: of pandas, or of Spark, where the work then stays.
        expectations: What `read_expectations` gave.
        recording: Takes a case for each.
        rules: What fails, and what may not be shown.
    """
    found = answers(batch_of(rows), expectations)
    record(expectations, found, recording, rules or Rules(), list(rows.columns))


def record(
    expectations: Sequence[Any], found: Sequence[Answer], recording: Recording, rules: Rules, columns: Sequence[str]
) -> None:
    """Record a case for each answer."""
    for name, expectation, answer in zip(names_of(expectations), expectations, found, strict=True):
        recording.add(case_of(name, expectation, answer, rules, columns))


def open_context(**secrets: str) -> Any:
    """
    Open a context of one's own, which leaves nothing behind: a shared one hands threads each other's rows.

    Args:
        secrets: What `${NAME}` stands for in a datasource's configuration, which is never written down.
    """
    gx = import_gx()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars={"globally": False},
    )
    return gx.get_context(mode="ephemeral", project_config=config, runtime_environment=secrets)


def batch_of(rows: Any) -> Any:
    """Give a data frame to Great Expectations."""
    sources = open_context().data_sources
    if type(rows).__module__.startswith("pyspark."):
        asset = sources.add_spark("spark").add_dataframe_asset("rows")
        return asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows})
    return sources.pandas_default.read_dataframe(rows)


def answers(batch: Any, expectations: Sequence[Any]) -> list[Answer]:
    """Ask all *expectations* of *batch* at once; one answer each, in their order."""
    given = _ask(batch, expectations)
    found = [answer_of(one) for one in given]
    # Nothing has a sum of 0 and no value that is not allowed.
    suspect = [place for place, answer in enumerate(found) if _of_nothing(expectations[place], answer)]
    for place, why in zip(suspect, _nothing(batch, [expectations[place] for place in suspect]), strict=True):
        found[place] = replace(found[place], nothing=why)
    return found


def _ask(batch: Any, expectations: Sequence[Any]) -> list[Any]:
    gx = import_gx()
    for place, expectation in enumerate(expectations):
        expectation.meta = {**(expectation.meta or {}), _PLACE: place}
    suite = gx.ExpectationSuite(name="suite", expectations=list(expectations))
    given = batch.validate(suite, result_format=_AS_ASKED)
    by_place = {one.expectation_config.meta[_PLACE]: one for one in given.results}
    return [by_place.get(place) for place in range(len(expectations))]


def _of_nothing(expectation: Any, answer: Answer) -> bool:
    """Say whether it observed what it would of a column without a value, too."""
    from great_expectations.expectations.expectation import ColumnAggregateExpectation

    aggregated = isinstance(expectation, ColumnAggregateExpectation) and not answer.raised
    return aggregated and not plain(answer.result.get("observed_value"))


def _nothing(batch: Any, expectations: Sequence[Any]) -> list[str]:
    """Say why there was nothing to judge for each of *expectations*; empty: there was something."""
    frame: Any = getattr(batch.data, "dataframe", None)
    here = type(frame).__module__.partition(".")[0] == "pandas"
    if here and not any(one.configuration.kwargs.get("row_condition") for one in expectations):
        columns = [frame[one.configuration.kwargs["column"]] for one in expectations]
        return ["" if column.notna().any() else _missing(len(column)) for column in columns]
    told = (
        [answer_of(one).result for one in _ask(batch, [_present(one) for one in expectations])] if expectations else []
    )
    counts = [(result.get("element_count"), result.get("unexpected_count")) for result in told]
    return ["" if count is None or count > missing else _missing(count) for count, missing in counts]


def _present(expectation: Any) -> Any:
    from great_expectations.expectations import ExpectColumnValuesToNotBeNull

    kwargs = expectation.configuration.kwargs
    condition = {key: kwargs[key] for key in ("row_condition", "condition_parser") if kwargs.get(key)}
    return ExpectColumnValuesToNotBeNull(column=kwargs["column"], **condition)


def _missing(count: int) -> str:
    which = f"all {count} values are missing" if count else "no row meets its row condition"
    return f"{which}, so there was nothing to judge"
