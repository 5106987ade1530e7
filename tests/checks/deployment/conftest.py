"""A server that is a function of its requests, and rows that it is asked about."""

import json
from dataclasses import dataclass, field

import pandas as pd
import pytest

from airflow_mltest.checks.deployment.protocol import Answer
from airflow_mltest.checks.deployment.subject import DeploymentSubject
from airflow_mltest.core.errors import BrokenRunError


@dataclass
class Doubles:
    """A model whose answer is twice `x`."""

    uri: str = "doubles"
    inputs: object = field(default_factory=lambda: {"x": "double", "label": "string"})

    def predict(self, rows):
        return (rows["x"] * 2).to_numpy()


def doubled(body, content_type):
    """Answer as a good server of it would."""
    if content_type != "application/json":
        return Answer(status=415, text="no JSON")
    try:
        split = json.loads(body)["dataframe_split"]
        rows = pd.DataFrame(split["data"], columns=split["columns"])
        return Answer(status=200, text=json.dumps({"predictions": [float(x) * 2 for x in rows["x"]]}))
    except (ValueError, KeyError, TypeError) as error:
        return Answer(status=400, text=repr(error))


@dataclass
class Function:
    """A server that is the function `answer`; once that gives None, it is dead."""

    answer: object = doubled
    asked: list = field(default_factory=list)
    alive: bool = True
    last_words: str = "; the last that it printed:\nfarewell"
    stopped: bool = False

    def post(self, body, content_type="application/json"):
        self.asked.append(body)
        answer = self.answer(body, content_type) if self.alive else None
        if answer is None:
            self.alive = False
            raise BrokenRunError("it did not answer" + self.last_words)
        return answer

    def stop(self):
        self.stopped = True


@pytest.fixture
def good():
    return doubled


@pytest.fixture
def rows():
    return pd.DataFrame({"x": [n / 7 for n in range(300)], "label": "a", "y": 1})


@pytest.fixture
def subject(rows):
    """Make the subject of a server that answers with a function; the servers that it has started are in `servers`."""

    def make(answer=doubled, model=None, rows=rows, **more):
        servers = []

        def start():
            servers.append(Function(answer))
            return servers[-1]

        made = DeploymentSubject(model=model or Doubles(), rows=rows, start=start, **more)
        made.servers = servers
        return made

    return make


@pytest.fixture
def doubles():
    return Doubles
