import gc
import time

import numpy as np
import pytest

from airflow_mltest.checks.model.latency import Latency
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def sleeping(rule, seconds):
    return rule(lambda rows: (time.sleep(seconds), np.zeros(len(rows)))[1])


def test_fast_model_passes_on_a_proven_percentile(subject):
    case = Latency(p50_ms=500, p95_ms=1000, calls=80, warmup=5).run(subject())

    assert case.outcome is Outcome.PASSED
    assert [m.name for m in case.measurements] == ["latency_p50_ms", "latency_p95_ms"]
    assert all(m.value <= m.high for m in case.measurements[:1])


def test_slow_model_fails(subject, rule):
    case = Latency(p50_ms=1, calls=20, warmup=1).run(subject(sleeping(rule, 0.005)))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].value >= 5


def test_too_few_calls_are_inconclusive_and_say_how_many_are_needed(subject):
    case = Latency(p95_ms=1000, calls=20, warmup=1).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "59 calls needed" in case.detail


def test_time_limit_ends_the_calls(subject, rule):
    case = Latency(p50_ms=1000, calls=1000, warmup=0, max_seconds=0.1).run(subject(sleeping(rule, 0.02)))

    assert "5 calls" in case.detail or "4 calls" in case.detail or "6 calls" in case.detail


def test_batches_are_named_and_warm_up_does_not_count(subject, sensible):
    case = Latency(p50_ms=1000, batch_rows=50, calls=10, warmup=3).run(subject())

    assert case.measurements[0].name == "latency_p50_ms[50 rows]"
    assert sensible.asked == [50] * 13


def test_garbage_collector_is_off_while_it_measures_and_on_afterwards(subject, rule):
    seen = []
    Latency(p50_ms=1000, calls=3, warmup=0).run(
        subject(rule(lambda r: (seen.append(gc.isenabled()), np.zeros(len(r)))[1]))
    )

    assert seen == [False] * 3
    assert gc.isenabled()


def test_no_call_within_the_limit_is_an_error(subject):
    with pytest.raises(ConfigurationError, match="did not answer once"):
        Latency(p50_ms=1, warmup=0, max_seconds=0).run(subject())


@pytest.mark.parametrize("wrong", [{}, {"p95_ms": 0}, {"p95_ms": float("nan")}, {"p95_ms": 1, "calls": 0}])
def test_bounds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Latency"):
        Latency(**wrong)
