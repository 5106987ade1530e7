import json
import math
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.mlflow_serving import ScoringServer, payload_of
from airflow_mltest.testing.mlflow_store import new_store
from airflow_mltest.testing.tiny_model import train_tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    with new_store(tmp_path_factory.mktemp("mlflow")):
        yield train_tiny_model()


@pytest.fixture(scope="module")
def server(tiny):
    with ScoringServer(tiny.uri) as server:
        yield server


@pytest.fixture
def stub(tmp_path):
    """An interpreter of which only the name is right."""

    def stub(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return stub


def test_served_model_answers_as_the_loaded_one_in_each_form_of_rows(server, tiny):
    rows = tiny.inputs.head(20)
    expected = list(mlflow.pyfunc.load_model(tiny.uri).predict(rows))

    assert server.predict(rows) == expected
    assert server.predict(rows.to_dict("records")) == expected
    assert server.predict(rows[["months", "calls"]]) == expected


def test_rows_that_the_model_does_not_take_are_refused_in_its_own_words(server, tiny):
    with pytest.raises(ConfigurationError, match=r"models:/tiny/1 at http://127\.0\.0\.1:\d+ answered 400.*months"):
        server.predict(tiny.inputs[["calls"]])


def test_whatever_is_posted_has_an_answer(server):
    assert server.post("no JSON").status == 400
    assert server.post("calls,months\n1,2\n", "text/csv").status == 200
    assert server.post(b"\x00", "image/png").status == 415


def test_several_serve_at_once_and_none_is_left(server, tiny):
    with ScoringServer(tiny.uri) as other:
        pid = other._process.pid
        family = [pid, *children(pid)]
        assert other.url != server.url
        assert other.predict(tiny.inputs.head(1)) == server.predict(tiny.inputs.head(1))

    assert len(family) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in family)
    with pytest.raises(BrokenRunError, match="did not answer"):
        other.predict(tiny.inputs)


def test_model_that_is_not_there_is_an_error_with_mlflows_words(tiny):
    with pytest.raises(BrokenRunError, match=r"models:/absent/1 could not start, and ended with(.|\n)*absent"):
        ScoringServer("models:/absent/1").__enter__()


def test_server_that_ends_before_it_answers_shows_what_it_said(stub):
    python = stub("echo no libraries here >&2; exit 3")

    with pytest.raises(BrokenRunError, match=r"exit code 3; the last that it printed:\nno libraries here"):
        ScoringServer("models:/tiny/1", python=python).__enter__()


def test_server_that_never_answers_is_ended(stub):
    server = ScoringServer("models:/tiny/1", python=stub("echo loading; exec sleep 1000031"), startup_timeout_s=0.5)
    started_s = time.monotonic()

    with pytest.raises(BrokenRunError, match=r"did not answer within 0\.5 s; the last that it printed:\nloading"):
        server.__enter__()

    assert time.monotonic() - started_s < 30
    assert server._process.poll() is not None


def test_server_is_told_its_model_and_the_environment_it_is_given(stub):
    python = stub('echo "$__pyfunc_model_path__ $SEED"; exit 1')

    with pytest.raises(BrokenRunError, match="models:/tiny@champion 7"):
        ScoringServer("models:/tiny@champion", python=python, env={"SEED": "7"}).__enter__()


def children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(pid):
            found.append(int(path.parent.name))
    return found


numbers = st.floats(allow_nan=True, allow_infinity=False)


@given(st.lists(st.tuples(numbers, st.integers(-(2**53), 2**53), st.text()), min_size=1))
def test_every_digit_of_a_data_frame_arrives_and_gaps_are_null(rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])

    said = json.loads(json.dumps(payload_of(frame), allow_nan=False))["dataframe_split"]

    assert said["columns"] == ["a", "b", "c"]
    assert said["data"] == [[None if math.isnan(a) else a, b, c] for a, b, c in rows]


def test_rows_of_each_kind_are_said_in_the_servers_words():
    assert payload_of([{"a": np.int64(1), "b": math.nan}]) == {"dataframe_records": [{"a": 1, "b": None}]}
    assert payload_of(np.array([[1.5, 2.0]])) == {"inputs": [[1.5, 2.0]]}
    assert payload_of([[1, 2]]) == {"inputs": [[1, 2]]}
    when = pd.DataFrame({"when": pd.to_datetime(["2026-01-02T03:04:05Z", None])})
    assert payload_of(when)["dataframe_split"]["data"] == [["2026-01-02T03:04:05+00:00"], [None]]


def test_nothing_of_mlflow_is_imported_to_ask_a_server():
    code = "import sys, airflow_mltest.integrations.mlflow_serving; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
