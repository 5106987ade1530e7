import os
import runpy
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pandas as pd
import pytest

from airflow_mltest.core.deployment import Deployment
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.integrations.mlflow_serving import ScoringServer
from airflow_mltest.testing.mlflow_store import new_store
from airflow_mltest.testing.tiny_model import train_tiny_model

SERVERS = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "servers.py")))
LIVING = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "living.py")))


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


def test_deployed_server_has_the_variables_that_are_named_and_no_others_and_an_empty_folder(stub, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PROD", "postgres://u:swordfish@db")
    python = stub('echo "$(ls -A) $SEED $TMPDIR $PWD"; env; exit 1')
    deployment = Deployment(python=python, env={"SEED": "7", "TOKEN": "hunter2hunter2"})

    with pytest.raises(BrokenRunError) as caught:
        ScoringServer("models:/tiny/1", deployment=deployment, files="/models/tiny").__enter__()

    said = str(caught.value)
    assert "AIRFLOW" not in said
    assert "swordfish" not in said
    assert "TOKEN=***" in said
    assert "hunter2" not in said
    assert "__pyfunc_model_path__=/models/tiny" in said
    first = said.partition("printed:\n")[2].splitlines()[0].split()
    assert first[0] == "7"
    assert first[1] == first[2]
    assert not Path(first[1]).exists()


def test_users_own_command_is_started_with_host_port_and_model_and_asked_on_its_own_paths(tmp_path):
    script = SERVERS.BASE.replace("/up", "/up/{model}").replace("{model}", "tiny") + "server.serve_forever()"
    deployment = Deployment(command=SERVERS.command_of(sys.executable, tmp_path, script), health="/up/tiny")

    with ScoringServer("own", deployment=deployment) as server:
        assert server.predict(pd.DataFrame({"x": [1.5, 2]})) == [3, 4]
        assert server.post("no JSON").status == 400
        assert {process.pid for process in server.processes} < set(LIVING.alive(str(tmp_path / "serve.py")))

    assert not LIVING.alive(str(tmp_path / "serve.py"))


def test_users_own_command_that_is_never_healthy_says_what_it_answered(tmp_path):
    command = SERVERS.command_of(sys.executable, tmp_path, SERVERS.ORDERLY)
    server = ScoringServer("own", deployment=Deployment(command=command, health="/down"), startup_timeout_s=1.0)

    with pytest.raises(BrokenRunError, match=r"did not answer GET /down with 200, but: 404 within 1 s"):
        server.__enter__()

    assert not LIVING.alive(str(tmp_path / "serve.py"))


def test_command_that_is_not_there_is_named():
    with pytest.raises(BrokenRunError, match=r"could not start(.|\n)*/no/such/command"):
        ScoringServer("own", deployment=Deployment(command=("/no/such/command", "{port}"))).__enter__()


def test_server_that_takes_more_memory_than_it_is_given_is_killed_and_says_so(tmp_path):
    script = SERVERS.ORDERLY.replace("return [row[x] * 2", "Handler.kept = b'x' * 200_000_000; return [row[x] * 2")
    command = SERVERS.command_of(sys.executable, tmp_path, script)

    with ScoringServer("own", deployment=Deployment(command=command, health="/up", memory_gib=0.1)) as server:
        with suppress(BrokenRunError):  # it may be killed before it has answered
            server.predict(pd.DataFrame({"x": [1]}))
        LIVING.wait_until(lambda: not server.alive)
        with pytest.raises(BrokenRunError, match=r"took 0\.\d+ GiB of memory, is given 0\.1, and was killed for it"):
            server.post("{}")

    assert not LIVING.alive(str(tmp_path / "serve.py"))


def test_several_workers_serve_one_model_and_end_in_order(tiny):
    with ScoringServer(tiny.uri, deployment=Deployment(workers=2, env=own_store())) as server:
        assert len(server.predict(tiny.inputs)) == len(tiny.inputs)
        assert len(server.processes) >= 3
        server.terminate()
        stopped = server.ended(20.0)

    assert (stopped.code, stopped.left) == (0, 0)


def own_store():
    return {name: os.environ[name] for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}


def test_nothing_of_mlflow_is_imported_to_ask_a_server():
    code = "import sys, airflow_mltest.integrations.mlflow_serving; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
