"""What asks for more memory than its pod has: a test, a check of a model, the task itself; and what is told of it."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.operators.data import DataTestOperator
from airflow_mltest.operators.model import ModelTestOperator
from airflow_mltest.operators.pytest import PytestOperator
from airflow_mltest.operators.report import ReportOperator
from airflow_mltest.placement import Environment, on

FOLDER = Path(os.environ["MLTEST_STACK"])
TIGHT, ALL_OR_NOTHING = (Environment.from_file(FOLDER / "environments.yaml", name) for name in ("tight", "large"))
RETRIED = {"retries": 1, "retry_delay": timedelta(seconds=1)}


@dataclass(frozen=True)
class Asks:
    """A check that needs memory."""

    name: str
    gib: float

    def run(self, subject):
        """Take it, and say so."""
        taken = bytearray(int(self.gib * 2**30))
        return Case(name=self.name, outcome=Outcome.PASSED, detail=f"{len(taken)} bytes are there")


def rows():
    """Give a few rows."""
    import pandas as pd

    return pd.DataFrame({"x": [0.0, 1.0], "y": [0, 1]})


def too_many_rows():
    """Give more than there is memory for."""
    import numpy as np
    import pandas as pd

    return pd.DataFrame({"x": np.ones(2**28)})


def predict(inputs):
    """Be a model."""
    return (inputs["x"] > 0).astype(int)


with DAG("memory", schedule=None, default_args=RETRIED):
    tests = PytestOperator(task_id="tests", project=str(FOLDER / "greedy"), **on(TIGHT))
    model = ModelTestOperator(
        task_id="model",
        model=predict,
        data=rows,
        target="y",
        checks=[Asks("little", 0.01), Asks("much", 4.0), Asks("little_again", 0.01)],
        **on(TIGHT),
    )
    data = DataTestOperator(task_id="data", data=too_many_rows, checks=[Asks("little", 0.01)], **on(TIGHT))
    whole_pod = PytestOperator(task_id="whole_pod", project=str(FOLDER / "greedy"), **on(ALL_OR_NOTHING))
    steps = [tests, model, data, whole_pod]
    steps >> ReportOperator(task_id="report", required=[step.task_id for step in steps], **on(TIGHT))
