"""Great Expectations: data larger than memory, in batches where an expectation allows it, else column by column."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.gx_case import EXAMPLES, Answer, Rules, columns_of
from airflow_mltest.integrations.gx_validator import answers, batch_of, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from airflow_mltest.core.recording import Recording

# Whether a value is as expected depends on it alone: counts of batches add up.
_VALUES = (
    *("between", "in_set", "not_be_in_set", "not_be_null", "null", "match_regex", "not_match_regex"),
    *("match_regex_list", "not_match_regex_list", "match_strftime_format", "dateutil_parseable"),
    *("json_parseable", "match_json_schema"),
)
_BY_VALUE = frozenset(
    [f"expect_column_values_to_{name if name.startswith(('match', 'not_')) else f'be_{name}'}" for name in _VALUES]
    + [f"expect_column_value_lengths_to_{name}" for name in ("be_between", "equal")]
    + [f"expect_column_pair_values_{name}" for name in ("a_to_be_greater_than_b", "to_be_equal", "to_be_in_set")]
    + ["expect_multicolumn_sum_to_equal", "expect_multicolumn_values_to_be_equal"]
    + ["expect_select_column_values_to_be_unique_within_record"]
)
# The largest of the largest is the largest of all.
_BY_EXTREME = frozenset(f"expect_column_{name}_to_be_between" for name in ("max", "min", "sum"))
_BY_MEAN = frozenset(["expect_column_mean_to_be_between"])
_BY_ROW_COUNT = frozenset(["expect_table_row_count_to_be_between", "expect_table_row_count_to_equal"])
_BY_SCHEMA = frozenset(
    ["expect_column_to_exist", "expect_table_columns_to_match_ordered_list", "expect_table_columns_to_match_set"]
    + [f"expect_table_column_count_to_{name}" for name in ("be_between", "equal")]
)
_COLUMNS_AT_ONCE = 5
_NO_ROWS = "the data has no rows: a test of nothing would pass for no reason."


class Source(Protocol):
    """Rows that are not in memory."""

    @property
    def columns(self) -> list[str]:
        """Name the columns, in order."""

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read all rows of some columns, or of all."""

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Read the rows in parts."""


def needs_whole(expectation: Any) -> bool:
    """Say whether the answer to *expectation* is not made of the answers for parts of the rows."""
    kind = expectation.configuration.type
    if kind in _BY_EXTREME | _BY_MEAN and expectation.configuration.kwargs.get("row_condition"):
        return True  # which would be asked of the parts' answers, too
    return kind not in _BY_VALUE | _BY_EXTREME | _BY_MEAN | _BY_ROW_COUNT | _BY_SCHEMA


def validate_batches(source: Source, expectations: Sequence[Any], recording: Recording, rules: Rules) -> None:
    """
    Ask all *expectations* of *source* without holding all of it in memory.

    Expectations on single values, extremes, sums, means and numbers of rows are asked batch by batch; any other
    is asked of its columns, whole, and its case says so. An expectation of the user's own, or one that
    has a row condition and needs the whole, is asked of all columns.

    Raises:
        ConfigurationError: There are no rows.
    """
    with _forgetful():
        found = _all(source, expectations, recording)
    record(expectations, [found[place] for place in range(len(expectations))], recording, rules, source.columns)


@contextmanager
def _forgetful() -> Iterator[None]:
    """Make it cheap to collect garbage: Great Expectations' objects hold each other, and with them their rows."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _all(source: Source, expectations: Sequence[Any], recording: Recording) -> dict[int, Answer]:
    in_parts = {place: one for place, one in enumerate(expectations) if not needs_whole(one)}
    found = _in_parts(source, in_parts, recording)
    whole: dict[tuple[str, ...], list[int]] = {}
    for place, one in enumerate(expectations):
        if place not in in_parts:
            whole.setdefault(tuple(_columns(source, [one])), []).append(place)
    for columns, places in whole.items():
        recording.progress(f"reading {', '.join(columns)} whole")
        gc.collect()
        told = answers(batch_of(source.read(columns)), [expectations[place] for place in places])
        all_of_them = "every column" if len(columns) == len(source.columns) else ", ".join(columns)
        note = f"cannot be judged batch by batch: {all_of_them} was read whole"
        found |= {place: replace(answer, note=note) for place, answer in zip(places, told, strict=True)}
    return found


def _columns(source: Source, expectations: Iterable[Any]) -> list[str]:
    """Give the columns that *expectations* look at; all where that cannot be told."""
    wanted: set[str] = set()
    for expectation in expectations:
        configuration = expectation.configuration
        own = columns_of(expectation)
        if configuration.type in _BY_ROW_COUNT and not configuration.kwargs.get("row_condition"):
            continue
        theirs = type(expectation).__module__.startswith("great_expectations.")
        if not own or not theirs or configuration.kwargs.get("row_condition"):
            return source.columns
        wanted.update(own)
    # One of the smallest holds the number of rows as well as all.
    return [column for column in source.columns if column in wanted] or source.columns[:1]


def _in_parts(source: Source, expectations: dict[int, Any], recording: Recording) -> dict[int, Answer]:
    by_schema = {place: one for place, one in expectations.items() if one.configuration.type in _BY_SCHEMA}
    by_rows = {place: one for place, one in expectations.items() if place not in by_schema}
    found: dict[int, Answer] = {}
    for columns, members in _passes(source, by_rows):
        found |= _in_one_pass(source, columns, members, recording)
    if by_schema:
        first = next(source.batches(), None)
        if first is None:
            raise ConfigurationError(_NO_ROWS)
        found |= zip(by_schema, answers(batch_of(first.head(1)), list(by_schema.values())), strict=True)
    return found


def _passes(source: Source, expectations: dict[int, Any]) -> list[tuple[list[str], dict[int, Any]]]:
    """Share the expectations out so that only a few columns are in memory at once."""
    found: list[tuple[list[str], dict[int, Any]]] = []
    for place, one in expectations.items():
        columns = _columns(source, [one])
        for known, members in found:
            new = [name for name in columns if name not in known]
            if not new or len(known) + len(new) <= _COLUMNS_AT_ONCE:
                known.extend(new)
                members[place] = one
                break
        else:
            found.append((columns, {place: one}))
    return found


def _in_one_pass(
    source: Source, columns: Sequence[str], expectations: dict[int, Any], recording: Recording
) -> dict[int, Answer]:
    parts: dict[int, list[Answer]] = {place: [] for place in expectations}
    rows = 0
    for frame in source.batches(columns):
        rows += len(frame)
        told = answers(batch_of(frame), list(expectations.values()))
        for place, answer in zip(expectations, told, strict=True):
            parts[place].append(_weighed(expectations[place], answer, frame))
        gc.collect()
        recording.progress(f"{', '.join(columns)}: {rows} rows asked")
    if not rows:
        raise ConfigurationError(_NO_ROWS)
    return {place: _sum_up(expectations[place], one) for place, one in parts.items()}


def _weighed(expectation: Any, answer: Answer, frame: pd.DataFrame) -> Answer:
    """Add to the mean of a part of how many values it is."""
    if answer.raised or expectation.configuration.type not in _BY_MEAN:
        return answer
    values = int(frame[expectation.configuration.kwargs["column"]].count())
    return replace(answer, result={**answer.result, "values": values})


def _sum_up(expectation: Any, parts: Sequence[Answer]) -> Answer:
    kind = expectation.configuration.type
    raised = next((answer for answer in parts if answer.raised), None)
    if raised:
        return raised
    if kind in _BY_VALUE:
        return _counted(expectation, [answer.result for answer in parts])
    observed = [answer.result["observed_value"] for answer in parts]
    if kind in _BY_ROW_COUNT:
        count = sum(observed)
        return Answer(success=_within(count, expectation.configuration.kwargs), result={"observed_value": count})
    if kind in _BY_MEAN:
        return _mean(expectation, [answer.result for answer in parts])
    return _extreme(expectation, [value for value, answer in zip(observed, parts, strict=True) if not answer.nothing])


def _counted(expectation: Any, results: Sequence[Any]) -> Answer:
    count, unexpected, missing = (
        sum(result.get(key) or 0 for result in results)
        for key in ("element_count", "unexpected_count", "missing_count")
    )
    mostly = expectation.configuration.kwargs.get("mostly")
    judged = count - missing
    examples = [value for result in results for value in result["partial_unexpected_list"]]
    result = {
        "element_count": count,
        "unexpected_count": unexpected,
        "unexpected_percent": 100 * unexpected / judged if judged else None,
        "partial_unexpected_list": examples[:EXAMPLES],
    }
    if "missing_count" in results[0]:
        result |= {"missing_count": missing, "missing_percent": 100 * missing / count if count else None}
    success = not judged or (judged - unexpected) / judged >= (1 if mostly is None else mostly)
    return Answer(success=success, result=result)


def _mean(expectation: Any, results: Sequence[Any]) -> Answer:
    values = sum(result["values"] for result in results)
    if not values:
        return Answer(success=False, result={}, nothing="all values are missing, so there was nothing to judge")
    mean = sum(result["observed_value"] * (result["values"] / values) for result in results if result["values"])
    return Answer(success=_within(mean, expectation.configuration.kwargs), result={"observed_value": mean})


def _extreme(expectation: Any, observed: Sequence[Any]) -> Answer:
    """Ask of the parts' answers what was asked of the parts: a sum of sums, the largest of the largest."""
    import pandas as pd

    values = [value for value in observed if value is not None]
    if not values:
        return Answer(success=False, result={}, nothing="all values are missing, so there was nothing to judge")
    frame = pd.DataFrame({expectation.configuration.kwargs["column"]: values})
    return answers(batch_of(frame), [expectation])[0]


def _within(count: float, kwargs: Any) -> bool:
    if "value" in kwargs:
        return bool(count == kwargs["value"])
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = low is None or (count > low if kwargs.get("strict_min") else count >= low)
    return above and (high is None or (count < high if kwargs.get("strict_max") else count <= high))
