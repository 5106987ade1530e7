"""Expectations: our time over Great Expectations' own, and memory beside reading a file whole with pandas."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.table import in_turns

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.table import Table

ROUNDS = 7
FRESH_ROUNDS = 5
ROWS = 10_000_000
CHUNK = 1_000_000
FLOATS, INTEGERS, TEXTS = 10, 6, 4
MOST_MEMORY = 0.25

# Peak of a process that does nothing else, in MiB.
_PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
_THEIRS = "import sys, pandas as pd; rows = pd.read_parquet(sys.argv[1]); assert len(rows)"
_OURS = """
import json, sys
from airflow_mltest.core.recording import Recording
from airflow_mltest.operators.data import DataTestOperator
operator = DataTestOperator(task_id="data", data=sys.argv[1], expectations=json.loads(sys.argv[2]))
recording = Recording("data", "data")
operator.record(recording, {})
assert recording.suite().passed, recording.suite().failures
"""
# A task's process has imported this much before it knows what its task is.
_FRESH = "import json, sys, time, airflow.sdk; start_s = time.process_time()"
_FIRST = """
from airflow_mltest.core.recording import Recording
from airflow_mltest.operators.data import DataTestOperator
told = []
operator = DataTestOperator(task_id="data", data=sys.argv[1], expectations=json.loads(sys.argv[2]))
recording = Recording("data", "data", on_case=lambda *_: told or told.append(time.process_time()))
operator.record(recording, {})
print(told[0] - start_s)
"""
_FIRST_PLAINLY = """
import pandas as pd
import great_expectations as gx
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
context = gx.get_context(mode="ephemeral")
batch = context.data_sources.pandas_default.read_dataframe(pd.read_parquet(sys.argv[1]))
asked = [ExpectationConfiguration(**one).to_domain_obj() for one in json.loads(sys.argv[2])]
assert batch.validate(gx.ExpectationSuite(name="data", expectations=asked), result_format="BASIC").success
print(time.process_time() - start_s)
"""


def expectations(table: Table, scratch: Path) -> None:
    """Measure what is promised of expectations."""
    os.environ.setdefault("AIRFLOW_HOME", str(scratch))
    table.section("Expectations beside the same Great Expectations calls (ratio: ours / theirs)")
    _time(table, scratch)
    table.section(
        f"Expectations: peak memory, {ROWS:,} rows x 20 columns of Parquet (theirs: pandas.read_parquet alone)"
    )
    _memory(table, scratch)


def suite(*, whole: bool) -> list[dict[str, Any]]:
    """Give 20 expectations: batches answer all of them, or, with *whole*, all but three, which need a column whole."""
    floats = [("values_to_be_between", f"f{number}", {"min_value": 0, "max_value": 1}) for number in range(FLOATS - 2)]
    integers = [("values_to_not_be_null", f"i{number}", {}) for number in range(1, INTEGERS)]
    letters = {"value_set": [*"abcdefgh"]}
    texts = [("values_to_be_in_set", f"s{number}", letters) for number in range(TEXTS - 1)]
    more: list[tuple[str, str, dict[str, Any]]] = [
        ("max_to_be_between", "f8", {"max_value": 1}),
        ("stdev_to_be_between" if whole else "mean_to_be_between", "f9", {"min_value": 0.2, "max_value": 0.6}),
        ("values_to_be_unique" if whole else "min_to_be_between", "i0", {} if whole else {"min_value": 0}),
        ("distinct_values_to_be_in_set" if whole else "values_to_be_in_set", "s3", letters),
    ]
    return [
        {"type": f"expect_column_{kind}", "kwargs": {"column": column, **kwargs}}
        for kind, column, kwargs in (*floats, *integers, *texts, *more)
    ]


def write(path: Path, rows: int) -> None:
    """Write *rows* rows of 20 columns, a million at a time."""
    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        columns: dict[str, Any] = {f"f{number}": rng.random(count) for number in range(FLOATS)}
        columns |= {f"i{number}": np.arange(start, start + count) * (number + 1) for number in range(INTEGERS)}
        letters = np.array([*"abcdefgh"])
        columns |= {f"s{number}": letters[rng.integers(0, 8, count)] for number in range(TEXTS)}
        part = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, part.schema, compression="lz4")
        writer.write_table(part)
    if writer:
        writer.close()


def _time(table: Table, scratch: Path) -> None:
    from airflow_mltest.core.recording import Recording
    from airflow_mltest.operators.data import DataTestOperator

    path = scratch / "small.parquet"
    write(path, 100_000)
    operator = DataTestOperator(task_id="data", data=str(path), expectations=suite(whole=True))

    def ours() -> float:
        start_s = time.perf_counter()
        recording = Recording("data", "data")
        operator.record(recording, {})
        assert recording.suite().passed  # noqa: S101
        return time.perf_counter() - start_s

    def theirs() -> float:
        start_s = time.perf_counter()
        assert _plainly(path)  # noqa: S101
        return time.perf_counter() - start_s

    # Some cells of its own page it cannot write, and tells of each with two stacks, which take time.
    logging.getLogger("great_expectations.render").setLevel(logging.CRITICAL)
    ours(), theirs()
    what = "20 expectations on 100,000 rows x 20 columns, and their Data Docs page"
    table.ratio(what, *in_turns(ROUNDS, ours, theirs), most=1.05)
    arguments = (str(path), json.dumps(suite(whole=True)))
    first = in_turns(FRESH_ROUNDS, lambda: _told(_FIRST, *arguments), lambda: _told(_FIRST_PLAINLY, *arguments))
    table.ratio("the first result in a fresh task, with the import (CPU)", *first, most=1.1)


def _told(code: str, *arguments: str) -> float:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{_FRESH}\n{code}", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.split()[-1])


def _plainly(path: Path) -> bool:
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]  # as its documentation sets it
    batch = context.data_sources.pandas_default.read_dataframe(pd.read_parquet(path))
    asked = [ExpectationConfiguration(**one).to_domain_obj() for one in suite(whole=True)]
    result = batch.validate(gx.ExpectationSuite(name="data", expectations=asked), result_format="BASIC")
    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result))
    return bool(result.success and page)


def _memory(table: Table, scratch: Path) -> None:
    path = scratch / "large.parquet"
    write(path, ROWS)
    theirs, theirs_s = _peak(_THEIRS, str(path))
    ours, ours_s = _peak(_OURS, str(path), json.dumps(suite(whole=False)))
    ratio = ours / theirs
    table.row(
        "20 expectations that batches answer", f"{ours:.0f} MiB", f"{theirs:.0f} MiB",
        ratio=ratio, goal=f"<= {MOST_MEMORY}", kept=ratio <= MOST_MEMORY,
    )  # fmt: skip
    table.note(f"ours took {ours_s:.0f} s, reading with pandas {theirs_s:.0f} s")
    more, _ = _peak(_OURS, str(path), json.dumps(suite(whole=True)))
    table.row(
        "20 expectations, 3 of which need a column whole (stdev, unique, distinct)",
        f"{more:.0f} MiB", f"{theirs:.0f} MiB", ratio=more / theirs, goal="(stated)",
    )  # fmt: skip


def _peak(code: str, *arguments: str) -> tuple[float, float]:
    start_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + "\n" + _PEAK, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1]), time.perf_counter() - start_s
