"""Any model that MLflow can load, and a plain function, asked the same way."""

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks import (
    Adversarial,
    Calibration,
    Constraints,
    Deterministic,
    Directional,
    FiniteOutputs,
    Latency,
    LatencyRatio,
    Metric,
    Noise,
    NotWorseThan,
    RoundTrip,
    Signature,
    SimplerModel,
    Slices,
    Staleness,
)
from airflow_mltest.core.outcome import Outcome


@pytest.fixture(scope="module")
def flowers():
    """Three classes by name, four numbers and a category."""
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=900)
    rows = pd.DataFrame(rng.normal(size=(900, 3)) + 2.5 * kind[:, None], columns=["a", "b", "c"])
    rows["place"] = rng.choice(["field", "wood"], size=900)
    rows["kind"] = np.array(["iris", "lily", "rose"])[kind]
    rows["height"] = rows["a"] * 2 - rows["b"] + rng.normal(size=900)
    return rows


@pytest.fixture(scope="module")
def saved(flowers, tmp_path_factory):
    """Folders of models: a pipeline with a signature, one without, a function, and a regression."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    folder = tmp_path_factory.mktemp("models")
    inputs = flowers[["a", "b", "c", "place"]]
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["place"]), remainder="passthrough")
    classes = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(inputs, flowers["kind"])
    heights = RandomForestRegressor(n_estimators=10, random_state=0).fit(flowers[["a", "b"]], flowers["height"])
    requirements = {"pip_requirements": ["scikit-learn"], "serialization_format": "cloudpickle"}
    signature = infer_signature(inputs, classes.predict(inputs))
    mlflow.sklearn.save_model(classes, folder / "signed", signature=signature, **requirements)
    mlflow.sklearn.save_model(classes, folder / "unsigned", **requirements)
    signature = infer_signature(flowers[["a", "b"]], heights.predict(flowers[["a", "b"]]))
    mlflow.sklearn.save_model(heights, folder / "heights", signature=signature, **requirements)

    class Rule(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            import numpy as np

            return np.where(model_input["a"] < 1.2, "iris", np.where(model_input["a"] < 3.7, "lily", "rose"))

    mlflow.pyfunc.save_model(folder / "rule", python_model=Rule(), pip_requirements=["numpy"])
    return folder


@pytest.fixture
def ask(run_task, kept, flowers, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", f'{{"conn_type": "mlflow", "host": "sqlite:///{tmp_path}/m.db"}}')

    def run(model, *checks, target="kind", drop=(), **own):
        from airflow_mltest.operators.model import ModelTestOperator

        rows = flowers.drop(columns=list(drop))
        ran = run_task(
            lambda **kwargs: ModelTestOperator(
                task_id="model", model=model, data=lambda: rows, target=target, checks=checks, **own, **kwargs
            )
        )
        assert "model" in kept(), ran.error
        return {case.name: case for case in kept()["model"].cases}

    return run


def outcomes(cases):
    return {name: str(case.outcome) for name, case in cases.items()}


def test_three_classes_by_name_with_a_signature(ask, saved):
    cases = ask(
        str(saved / "signed"),
        Signature(),
        FiniteOutputs(),
        Deterministic(),
        RoundTrip(),
        Staleness(max_age=1),
        Metric(name="accuracy", minimum=0.85),
        Metric(name="roc_auc_ovr", minimum=0.9),
        Slices(by="place", metric="accuracy", minimum=0.8),
        NotWorseThan(metric="f1_macro", margin=0.02),
        LatencyRatio(maximum=2.0),
        Calibration(max_error=0.1),
        SimplerModel(metric="accuracy", margin=0.0, models=("dummy",)),
        Noise(metric="accuracy", max_drop=0.05),
        Adversarial(minimum=0.3, budget=0.1, rows=100, constraints=Constraints(immutable=("place",))),
        drop=["height"],
        baseline=str(saved / "unsigned"),
    )

    assert outcomes(cases) == dict.fromkeys(cases, "passed")
    assert len(cases) == 14


def test_model_without_a_signature_is_given_all_but_the_target(ask, saved):
    cases = ask(
        str(saved / "unsigned"),
        Metric(name="accuracy", minimum=0.85),
        Signature(),
        Latency(p95_ms=2000),
        drop=["height"],
    )

    assert outcomes(cases) == {"accuracy": "passed", "signature": "failed", "latency": "passed"}


def test_numbers(ask, saved):
    cases = ask(
        str(saved / "heights"),
        Metric(name="r2", minimum=0.8),
        Metric(name="mean_absolute_error", maximum=2.0),
        Slices(by="auto", metric="neg_mean_absolute_error", max_gap=2.0),
        Directional(column="a", by=2.0, expects="not_lower", max_violations=0.3),
        Adversarial(minimum=0.2, budget=0.05, tolerance=2.0, rows=50),
        target="height",
        drop=["kind"],
    )

    assert outcomes(cases) == dict.fromkeys(cases, "passed")


def test_model_that_is_python_code_of_its_author(ask, saved):
    cases = ask(
        str(saved / "rule"),
        Metric(name="accuracy", minimum=0.7),
        RoundTrip(),
        Adversarial(minimum=0.1, budget=0.1, rows=50),
        Metric(name="neg_log_loss", minimum=-1.0),
        drop=["height"],
    )

    assert cases["neg_log_loss"].outcome is Outcome.BROKEN
    assert "probabilities" in cases["neg_log_loss"].detail
    assert {outcome for name, outcome in outcomes(cases).items() if name != "neg_log_loss"} == {"passed"}


def test_function_of_the_callers_module_beside_a_baseline_that_is_one_too(ask, kept):
    def rule(rows):
        return np.where(rows["a"] < 1.2, "iris", np.where(rows["a"] < 3.7, "lily", "rose"))

    def worse(rows):
        return np.full(len(rows), "lily")

    cases = ask(
        rule, Metric(name="accuracy", minimum=0.7), NotWorseThan(metric="accuracy", margin=0.01), baseline=worse
    )

    assert outcomes(cases) == dict.fromkeys(cases, "passed")
    assert kept()["model"].subject["model"].endswith("rule")


def test_what_the_model_was_trained_on_is_read_once_where_airflows_connections_are(ask, flowers, tmp_path):
    from airflow_mltest.checks import Overfit

    read_in = []
    train = flowers.drop(columns=["height"])
    train.to_parquet(tmp_path / "train.parquet")

    def factory():
        read_in.append("here")
        return train

    cases = ask(
        lambda rows: np.where(rows["a"] < 1.2, "iris", np.where(rows["a"] < 3.7, "lily", "rose")),
        Overfit(metric="accuracy", max_gap=0.1, train=str(tmp_path / "train.parquet")),
        Overfit(metric="accuracy", max_gap=0.1, train=factory),
        drop=["height"],
    )

    assert set(outcomes(cases).values()) == {"passed"}
    assert read_in == ["here"]
