import os
import subprocess
import sys

import pytest

from airflow_mltest.checks import ServerMemory
from airflow_mltest.checks.deployment.process_tree import descendants
from airflow_mltest.checks.deployment.protocol import Answer
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Outcome

GROWS = (
    "import sys\nprint('ready', flush=True)\nkept = [b'x' * int(line) for line in sys.stdin if not print(flush=True)]"
)


@pytest.fixture
def grower():
    """A process that keeps as many bytes as each line says; the server's, as far as its memory goes."""
    with subprocess.Popen(
        [sys.executable, "-c", GROWS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("maximum_gib, outcome", [(0.03, Outcome.FAILED), (0.5, Outcome.PASSED)])
def test_memory_that_grows_as_rows_come_is_held_against_the_bound(subject, good, grower, maximum_gib, outcome):
    def answer(body, content_type):
        print(10 * 2**20, file=grower.stdin, flush=True)
        grower.stdout.readline()
        return good(body, content_type)

    made = subject(answer)
    made.server.processes = [one for one in descendants(os.getpid()) if one.pid == grower.pid]
    case = ServerMemory(maximum_gib=maximum_gib, requests=6).run(made)

    assert case.outcome is outcome
    assert 0.045 < case.measurements[0].value < 0.1
    assert "in 1 processes; 6 requests of 1,000 rows" in case.detail


def test_server_that_refuses_the_load_tells_nothing_of_its_memory(subject):
    made = subject(lambda *_: Answer(status=413, text="too much"))
    made.server.processes = []

    with pytest.raises(BrokenRunError, match="1000 rows was answered 413: too much"):
        ServerMemory(maximum_gib=1).run(made)


@pytest.mark.parametrize(
    "wrong", [{"maximum_gib": 0}, {"maximum_gib": float("inf")}, {"requests": 0}, {"batch_rows": 0}]
)
def test_what_cannot_be_measured_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="ServerMemory: "):
        ServerMemory(**{"maximum_gib": 1, **wrong})
