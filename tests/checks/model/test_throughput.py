import time

import numpy as np
import pytest

from airflow_mltest.checks.model.throughput import Throughput
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def sleeping(rule, seconds):
    return rule(lambda rows: (time.sleep(seconds), np.zeros(len(rows)))[1])


def test_quick_model_passes_and_both_clocks_are_told(subject):
    case = Throughput(minimum_rows_per_s=10_000, batches=10).run(subject())

    assert case.outcome is Outcome.PASSED
    assert case.name == "throughput[10000 rows]"
    assert [m.name for m in case.measurements] == [
        "throughput_rows_per_s[10000 rows]",
        "throughput_cpu_rows_per_s[10000 rows]",
    ]
    assert case.measurements[0].low <= case.measurements[0].value <= case.measurements[0].high


def test_slow_model_fails(subject, rule):
    case = Throughput(minimum_rows_per_s=10_000, batch_rows=100, batches=8).run(subject(sleeping(rule, 0.02)))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].value <= 5000


def test_clock_of_the_cpu_does_not_see_waiting(subject, rule):
    case = Throughput(minimum_rows_per_s=10_000, batch_rows=100, batches=8, clock="cpu").run(
        subject(sleeping(rule, 0.02))
    )

    assert case.outcome is Outcome.PASSED
    assert case.measurements[1].name == "throughput_wall_rows_per_s[100 rows]"


def test_too_few_batches_are_inconclusive_and_say_how_many_would_do(subject):
    case = Throughput(minimum_rows_per_s=1, batches=4).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "about 5 batches would decide" in case.detail
    assert case.measurements[0].low is None


def test_time_limit_ends_it_with_what_was_found(subject, rule):
    case = Throughput(minimum_rows_per_s=1, batch_rows=10, batches=1000, warmup=0, max_seconds=0.2).run(
        subject(sleeping(rule, 0.05))
    )

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "4 batches" in case.detail or "3 batches" in case.detail or "2 batches" in case.detail


def test_no_batch_within_the_limit_is_an_error(subject):
    with pytest.raises(ConfigurationError, match="did not answer once"):
        Throughput(minimum_rows_per_s=1, warmup=0, max_seconds=0).run(subject())


def test_real_model_is_measured(subject, rows, rule):
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(rows[["x", "n"]], rows["y"])
    model = rule(lambda asked: fitted.predict(asked[["x", "n"]]))

    assert Throughput(minimum_rows_per_s=1000, batches=6).run(subject(model)).outcome is Outcome.PASSED


def test_progress_is_told(subject):
    told = []
    Throughput(minimum_rows_per_s=1, batches=3).run(subject(on_progress=lambda *done: told.append(done)))

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_answer_without_time_is_no_division_by_zero():
    rate, interval = Throughput(minimum_rows_per_s=1)._rate(np.zeros(6))

    assert (rate, interval.high) == (np.inf, np.inf)


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum_rows_per_s": 0},
        {"minimum_rows_per_s": float("nan")},
        {"minimum_rows_per_s": 1, "batches": 0},
        {"minimum_rows_per_s": 1, "batch_rows": 0},
        {"minimum_rows_per_s": 1, "confidence": 1},
        {"minimum_rows_per_s": 1, "clock": "sun"},
    ],
)
def test_arguments_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Throughput"):
        Throughput(**wrong)
