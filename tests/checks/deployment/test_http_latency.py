import threading
import time

import numpy as np
import pytest

from airflow_mltest.checks import HttpLatency
from airflow_mltest.checks.deployment.protocol import Answer
from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Outcome

ANSWER = Answer(status=200, text='{"predictions": [1]}')


def at_once(*_):
    return ANSWER


def test_quick_server_passes_with_the_interval_of_its_p95(subject):
    case = HttpLatency(p95_ms=500, rate_per_s=400, requests=100).run(subject(at_once))

    assert case.outcome is Outcome.PASSED, case.detail
    (p95,) = case.measurements
    assert p95.name == "http_latency_p95_ms"
    assert 0 < p95.value <= p95.high < 500
    assert case.facts["answered"] == 100
    assert case.figures


def test_slow_server_fails(subject):
    def slow(*_):
        time.sleep(0.01)
        return ANSWER

    case = HttpLatency(p95_ms=5, rate_per_s=200, requests=60, warmup=0).run(subject(slow))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].low > 5


def test_too_few_requests_decide_nothing(subject):
    case = HttpLatency(p95_ms=500, rate_per_s=400, requests=20).run(subject(at_once))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "59 requests needed" in case.detail


def test_stall_counts_for_every_request_that_was_due_meanwhile(subject):
    # Were each request sent when the one before was answered, one of 100 would be slow, and no p95 would show it.
    asked = []

    def stalls_once(*_):
        asked.append(1)
        time.sleep(0.5 if len(asked) == 20 else 0)
        return ANSWER

    check = HttpLatency(p95_ms=100, rate_per_s=100, requests=100, arrivals="constant", warmup=0)
    case = check.run(subject(stalls_once))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].value > 350


def test_as_many_requests_are_under_way_as_there_are_clients(subject):
    under_way, most, lock = [0], [0], threading.Lock()

    def counts(*_):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.02)
        with lock:
            under_way[0] -= 1
        return ANSWER

    case = HttpLatency(p95_ms=5000, clients=4, rate_per_s=1000, requests=60, warmup=0).run(subject(counts))

    assert most == [4]
    assert case.name == "http_latency[4 clients]"
    assert case.measurements[0].name == "http_latency_p95_ms[4 clients]"


def test_one_error_fails_and_is_told(subject):
    asked = []

    def errs_once(*_):
        asked.append(1)
        return Answer(status=503, text="busy") if len(asked) == 30 else ANSWER

    case = HttpLatency(p95_ms=500, rate_per_s=400, requests=100).run(subject(errs_once))

    assert case.outcome is Outcome.FAILED
    assert "99 of 100 requests answered" in case.detail
    assert "1 errors, such as: 503: busy" in case.detail


def test_server_that_never_answers_in_time_fails_without_a_number(subject):
    case = HttpLatency(p95_ms=500, rate_per_s=400, requests=60, warmup=0).run(
        subject(lambda *_: Answer(status=500, text="oops"))
    )

    assert case.outcome is Outcome.FAILED
    assert np.isnan(case.measurements[0].value)
    assert "p95 without end" in case.detail


def test_requests_that_were_due_and_not_sent_in_time_count_as_never_answered(subject):
    def slow(*_):
        time.sleep(0.1)
        return ANSWER

    check = HttpLatency(p95_ms=200, rate_per_s=1000, requests=100, warmup=0, max_seconds=0.3)
    case = check.run(subject(slow))

    assert case.outcome is Outcome.FAILED
    assert case.facts["answered"] < 10


def test_server_that_dies_under_load_is_broken_with_its_last_words(subject):
    asked = []

    def dies(*_):
        asked.append(1)
        return ANSWER if len(asked) < 20 else None

    with pytest.raises(BrokenRunError, match=r"ended under load, after 19 of 100 requests(.|\n)*farewell"):
        HttpLatency(p95_ms=500, rate_per_s=400, requests=100, warmup=0).run(subject(dies))


def test_arrivals_are_fixed_by_the_seed_and_as_many_a_second_as_asked():
    check = HttpLatency(p95_ms=1, rate_per_s=50, requests=5000)
    due_s = check.due_s(np.random.default_rng(3))

    assert due_s[0] == 0
    assert np.array_equal(due_s, check.due_s(np.random.default_rng(3)))
    assert 1 / np.diff(due_s).mean() == pytest.approx(50, rel=0.05)
    assert np.diff(due_s).std() == pytest.approx(1 / 50, rel=0.1)
    constant = HttpLatency(p95_ms=1, rate_per_s=50, requests=5, arrivals="constant")
    assert constant.due_s(np.random.default_rng(3)) == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])


@pytest.mark.parametrize(
    "wrong", [{"p95_ms": 0}, {"rate_per_s": 0}, {"clients": 0}, {"requests": 0}, {"batch_rows": 0}, {"arrivals": "odd"}]
)
def test_what_cannot_be_measured_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=f"HttpLatency: {next(iter(wrong))} is"):
        HttpLatency(**{"p95_ms": 1, **wrong})
