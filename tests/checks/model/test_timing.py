import gc
import math
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.checks.model.timing import (
    Calls,
    Pairs,
    distribution,
    drawn,
    load_in_words,
    named,
    require_answers,
    tick_s,
    uncollected,
)
from airflow_mltest.core.errors import ConfigurationError

FRAME = pd.DataFrame({"x": np.arange(5.0)})


def coarse():
    return time.process_time() // 0.001 * 0.001


def working(rule, seconds):
    def answer(rows):
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass
        return np.zeros(len(rows))

    return rule(answer)


def test_both_clocks_are_read_and_a_model_that_waits_takes_no_cpu(rule):
    waiting = rule(lambda rows: (time.sleep(0.5), np.zeros(len(rows)))[1])

    wall_s, cpu_s = Calls(model=waiting, batches=[FRAME]).timed(0)

    assert wall_s >= 0.5
    assert cpu_s < 0.4  # what the threads of numpy's library still spin after earlier work is counted, too


def test_work_in_another_thread_is_on_the_cpu_clock(rule):
    from concurrent.futures import ThreadPoolExecutor

    worker = working(rule, 0.02)
    with ThreadPoolExecutor(1) as pool:
        threaded = rule(lambda rows: pool.submit(worker.predict, rows).result())
        _, cpu_s = Calls(model=threaded, batches=[FRAME]).timed(0)

    assert cpu_s >= 0.02


def test_several_calls_of_a_sample_are_averaged(rule):
    model = rule(lambda rows: (time.sleep(0.005), np.zeros(len(rows)))[1])

    wall_s, _ = Calls(model=model, batches=[FRAME]).timed(0, repeats=3)

    assert len(model.asked) == 3
    assert 0.005 <= wall_s < 0.05


def test_model_that_writes_into_its_rows_changes_no_other_call(rule):
    seen = []

    def answer(rows):
        seen.append(rows["x"].sum())
        rows["x"] = 0.0
        return np.zeros(len(rows))

    calls = Calls(model=rule(answer), batches=[FRAME])
    calls.timed(0, repeats=2)
    calls.timed(1)

    assert seen == [10.0] * 3


def test_model_that_raises_is_named_with_the_call_and_its_reason(rule):
    def answer(rows):
        if len(model.asked) == 3:
            int("no more")
        return np.zeros(len(rows))

    model = rule(answer)
    calls = Calls(model=model, batches=[FRAME])

    with pytest.raises(ConfigurationError, match=r"a rule raised ValueError in timed call 3: .*no more"):
        [calls.timed(number) for number in range(3)]


def test_calls_quicker_than_the_clocks_step_are_timed_several_at_once(rule):
    calls = Calls(model=working(rule, 0.0005), batches=[FRAME], cpu_clock=coarse)
    step_s = tick_s(coarse)
    repeats = calls.repeats_for(step_s)

    assert step_s == pytest.approx(0.001, abs=0.004)
    assert repeats >= 16
    assert calls.timed(0, repeats)[1] == pytest.approx(0.0005, rel=0.9)


def test_calls_that_are_long_beside_a_step_are_timed_alone(rule):
    assert Calls(model=working(rule, 0.005), batches=[FRAME]).repeats_for(1e-6) == 1


def test_model_that_waits_is_not_asked_until_its_cpu_clock_moves(rule):
    waiting = rule(lambda rows: (time.sleep(0.01), np.zeros(len(rows)))[1])

    Calls(model=waiting, batches=[FRAME], cpu_clock=lambda: 0.0).repeats_for(0.001)

    assert sum(waiting.asked) / len(FRAME) < 64


def test_copies_for_one_sample_stay_few_when_batches_are_large(rule):
    large = pd.DataFrame({"x": np.zeros(150_000)})

    assert Calls(model=rule(lambda rows: rows["x"]), batches=[large], cpu_clock=lambda: 0.0).repeats_for(1.0) == 1


def test_warm_up_ends_at_its_time(rule):
    model = rule(lambda rows: (time.sleep(0.01), np.zeros(len(rows)))[1])

    Calls(model=model, batches=[FRAME]).warm_up(100, time.perf_counter() + 0.03)

    assert 1 <= len(model.asked) <= 4


@pytest.mark.parametrize("on", [True, False])
def test_garbage_collector_is_afterwards_as_it_was(on):
    was = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        with pytest.raises(ZeroDivisionError), uncollected():
            divmod(1, gc.isenabled())
        assert gc.isenabled() is on
    finally:
        (gc.enable if was else gc.disable)()


@given(st.integers(1, 50), st.integers(1, 300_000), st.integers(1, 5000))
def test_batches_are_of_the_asked_size_and_fit_in_memory(rows, batch_rows, calls):
    picks = drawn(np.random.default_rng(0), rows, batch_rows=batch_rows, calls=calls)

    assert 1 <= len(picks) <= calls
    assert all(len(pick) == batch_rows and pick.max() < rows for pick in picks[:3])
    assert len(picks) * batch_rows <= max(200_000, batch_rows)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=500))
def test_distribution_rises_to_one_over_times_that_a_logarithm_takes(times):
    series = distribution("t", {"a": np.array(times)}).series[0]

    assert list(series.x) == sorted(series.x)
    assert list(series.y) == sorted(series.y)
    assert series.x[0] > 0
    assert series.x[-1] == max(*times, series.x[0])
    assert series.y[-1] == 1
    assert len(series.x) <= 200


def test_what_is_allowed_is_a_point_in_the_distribution():
    figure = distribution("t", {"a": np.array([1.0, 2.0])}, {0.95: 50.0})

    assert figure.log_x
    assert (figure.series[1].name, figure.series[1].x, figure.series[1].y) == ("allowed", (50.0,), (0.95,))


def test_high_load_is_told_and_a_low_one_is_not(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (500.0, 1.0, 1.0))
    assert "load average is 500" in load_in_words()
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 1.0, 1.0))
    assert not load_in_words()


def test_nothing_measured_is_refused():
    require_answers(1, 5)
    with pytest.raises(ConfigurationError, match="did not answer once within 5 s"):
        require_answers(0, 5)


def test_batches_are_in_the_name():
    assert named("latency", 1) == "latency"
    assert named("latency", 20) == "latency[20 rows]"


def test_step_of_a_fine_clock_is_fine():
    assert 0 < tick_s(time.perf_counter) < 1e-4
    assert math.isfinite(tick_s())


def pairs(rule, *seconds):
    one, other = (Calls(model=working(rule, each), batches=[FRAME]) for each in seconds)
    return Pairs(candidate=one, baseline=other, rng=np.random.default_rng(0), tick_s=1e-6)


def test_quick_models_are_called_several_times_for_a_pair_and_slow_ones_once(rule):
    soon = time.perf_counter() + 60

    assert pairs(rule, 1e-4, 1e-4).warmed(5, soon).calls > 1
    assert pairs(rule, 1e-4, 1e-2).warmed(2, soon).calls == 1
    assert pairs(rule, 1e-4, 1e-4).warmed(0, soon).calls == 1


def test_warm_up_of_pairs_ends_at_its_time(rule):
    both = pairs(rule, 1e-4, 1e-4)

    assert both.warmed(5, time.perf_counter() - 1) is both
    assert not both.candidate.model.asked


def test_pair_is_judged_by_its_quickest_calls(rule):
    times_s = np.array([[[2.0, 9.0], [1.0, 9.0]], [[0.5, 9.0], [8.0, 9.0]]])
    both = pairs(rule, 0, 0)

    assert both.logs([times_s], "wall").tolist() == pytest.approx([np.log(2)])
    assert both.logs([times_s * 0], "cpu").tolist() == [0]


def test_order_within_a_pair_is_by_chance_and_repeats_with_the_seed(rule):
    def order(seed):
        seen = []
        one, other = (
            Calls(model=rule(lambda rows, which=which: seen.append(which)), batches=[FRAME]) for which in "ab"
        )
        both = Pairs(candidate=one, baseline=other, rng=np.random.default_rng(seed), tick_s=1e-6)
        for number in range(40):
            both.timed(number)
        return seen

    assert 8 <= sum(which == "a" for which in order(1)[::2]) <= 32
    assert order(1) == order(1)
    assert order(1) != order(2)
