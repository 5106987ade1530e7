import math
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from airflow_mltest.checks.model.latency_ratio import LatencyRatio, pseudomedian
from airflow_mltest.checks.model.timing import Pairs
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def working(rule, seconds, uri="a rule"):
    def answer(rows):
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
        return np.zeros(len(rows))

    return rule(answer, uri=uri)


def waiting(rule, seconds):
    return rule(lambda rows: (time.sleep(seconds), np.zeros(len(rows)))[1])


@dataclass(frozen=True, kw_only=True)
class Drawn(Pairs):
    """Pairs whose times are drawn: the candidate's are *ratio* times the baseline's, with outliers as under load."""

    ratio: float
    candidate: None = None
    baseline: None = None
    tick_s: float = 1e-9

    def timed(self, number):
        noise = 0.13 * self.rng.standard_t(3, size=(2, 1, 2))
        return 0.001 * np.exp(noise) * np.array([self.ratio, 1.0])[:, None, None]


def decide(check, ratio, rng):
    times_s, found = check._until_decided(Drawn(ratio=ratio, rng=rng), math.inf, lambda *_: None)
    _, interval = found[check.clock]
    return "passed" if interval.high <= check.maximum else "failed" if interval.low > check.maximum else "?", times_s


def test_same_model_passes_and_both_clocks_are_told(subject, rule):
    case = LatencyRatio(maximum=1.5).run(subject(working(rule, 5e-4), working(rule, 5e-4, "models:/m/1")))

    assert case.outcome is Outcome.PASSED
    assert [m.name for m in case.measurements] == ["latency_ratio", "latency_ratio_wall"]
    assert case.measurements[0].maximum == 1.5
    assert case.measurements[1].maximum is None
    assert "models:/m/1" in case.detail
    assert "pairs" in case.detail


def test_slower_model_fails_with_few_pairs_and_is_drawn(subject, rule):
    case = LatencyRatio().run(subject(working(rule, 1e-3), working(rule, 5e-4)))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].value == pytest.approx(2, rel=0.1)
    assert case.facts["pairs"] < 400
    assert [series.name for series in case.figures[0].series] == ["candidate", "baseline"]
    assert case.figures[0].log_x


def test_faster_model_passes(subject, rule):
    case = LatencyRatio().run(subject(working(rule, 5e-4), working(rule, 1e-3)))

    assert case.outcome is Outcome.PASSED
    assert case.measurements[0].high < 1


def test_real_models_are_told_apart(subject, rows, rule):
    from sklearn.ensemble import RandomForestClassifier

    def forest(trees):
        fitted = RandomForestClassifier(trees, max_depth=3, n_jobs=1, random_state=0).fit(rows[["x", "n"]], rows["y"])
        return rule(lambda asked: fitted.predict(asked[["x", "n"]]))

    case = LatencyRatio(max_pairs=60).run(subject(forest(8), forest(1)))

    assert case.outcome is Outcome.FAILED


def test_without_a_baseline_it_is_skipped(subject):
    case = LatencyRatio().run(subject(baseline_absent="there is no champion yet"))

    assert case.outcome is Outcome.SKIPPED
    assert "no champion yet" in case.detail


def test_too_few_pairs_are_inconclusive(subject, rule):
    case = LatencyRatio(max_pairs=3).run(subject(working(rule, 1e-4), working(rule, 1e-4)))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert case.measurements[0].low is None
    assert "too few pairs" in case.detail


def test_inconclusive_says_how_many_pairs_would_decide(subject, rule):
    case = LatencyRatio(maximum=2.0, max_pairs=10).run(subject(working(rule, 1e-3), working(rule, 5.2e-4)))

    assert case.outcome in {Outcome.INCONCLUSIVE, Outcome.PASSED}
    if case.outcome is Outcome.INCONCLUSIVE:
        assert "pairs would decide" in case.detail


def test_time_cap_ends_it_with_what_was_found(subject, rule):
    case = LatencyRatio(max_pairs=1000, max_seconds=1, warmup=0).run(subject(working(rule, 4e-2), working(rule, 4e-2)))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "1 s were over" in case.detail
    assert 1 <= case.facts["pairs"] <= 16


def test_no_pair_within_the_cap_is_an_error(subject, rule):
    with pytest.raises(ConfigurationError, match="did not answer once within 0 s"):
        LatencyRatio(max_seconds=0, warmup=0).run(subject(waiting(rule, 0.01), waiting(rule, 0.01)))


def test_work_that_the_cpu_clock_does_not_see_is_not_judged_by_it(subject, rule):
    models = waiting(rule, 0.02), working(rule, 1e-4)

    with pytest.raises(ConfigurationError, match=r"the model spends .* clock='wall'"):
        LatencyRatio(max_pairs=10, warmup=1).run(subject(*models))
    with pytest.raises(ConfigurationError, match="the baseline spends"):
        LatencyRatio(max_pairs=10, warmup=1).run(subject(*models[::-1]))

    case = LatencyRatio(max_pairs=20, warmup=1, clock="wall").run(subject(*models))
    assert case.outcome is Outcome.FAILED
    assert case.measurements[1].name == "latency_ratio_cpu"


def test_both_models_are_asked_the_same_rows_each_with_its_own_columns(subject, rule, rows):
    seen = {"one": [], "two": []}
    one = rule(
        lambda r: (seen["one"].append(r.index.tolist()), np.zeros(len(r)))[1], inputs={"n": "long", "x": "double"}
    )
    two = rule(lambda r: (seen["two"].append((r.index.tolist(), list(r))), np.zeros(len(r)))[1], inputs={"x": "double"})
    LatencyRatio(batch_rows=3, max_pairs=8, warmup=0).run(subject(one, two))

    assert {tuple(index) for index in seen["one"]} == {tuple(index) for index, _ in seen["two"]}
    assert all(columns == ["x"] and len(index) == 3 for index, columns in seen["two"])


def test_batch_larger_than_the_rows_is_drawn_with_replacement(subject, rule, rows):
    few = subject(working(rule, 1e-4), working(rule, 1e-4), rows=rows.head(3))

    case = LatencyRatio(batch_rows=50, max_pairs=4, warmup=0).run(few)

    assert case.name == "latency_ratio[50 rows]"


def test_model_that_raises_after_some_calls_breaks_it_with_the_reason(subject, rule):
    def answer(rows):
        if len(model.asked) > 30:
            raise MemoryError
        return np.zeros(len(rows))

    model = rule(answer)
    with pytest.raises(ConfigurationError, match=r"a rule raised MemoryError in timed call"):
        LatencyRatio().run(subject(model, working(rule, 1e-4)))


def test_progress_is_told(subject, rule):
    told = []
    asked = subject(working(rule, 1e-4), working(rule, 1e-4), on_progress=lambda *done: told.append(done))
    LatencyRatio(maximum=1.000001, max_pairs=30).run(asked)

    assert told[0] == (10, 30)


@pytest.mark.parametrize(
    "wrong",
    [
        {"maximum": 0},
        {"maximum": math.nan},
        {"maximum": math.inf},
        {"max_pairs": 0},
        {"max_pairs": 100_000},
        {"batch_rows": 0},
        {"confidence": 95},
        {"clock": "sun"},
    ],
)
def test_arguments_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="LatencyRatio"):
        LatencyRatio(**wrong)


@pytest.mark.parametrize("ratio, wrong", [(1.05, "failed"), (1.0501, "passed")])
def test_looking_several_times_errs_no_more_often_than_promised(ratio, wrong):
    rng = np.random.default_rng(4)
    check = LatencyRatio(maximum=1.05, max_pairs=150)

    found = [decide(check, ratio, rng)[0] for _ in range(300)]

    # 5 % of 300 and three standard deviations.
    assert found.count(wrong) <= 15 + 11


def test_equal_models_pass_and_slower_ones_fail_within_the_pairs():
    rng = np.random.default_rng(5)
    check = LatencyRatio(maximum=1.05)

    equal = [decide(check, 1.0, rng) for _ in range(40)]
    slower = [decide(check, 1.1, rng) for _ in range(40)]

    assert [outcome for outcome, _ in equal].count("passed") >= 36
    assert [outcome for outcome, _ in slower].count("failed") >= 36
    assert np.median([len(times) for _, times in equal + slower]) < 400


def test_what_the_looks_spend_is_what_there_is():
    check = LatencyRatio(max_pairs=150)

    assert check._looks() == [19, 38, 75, 150]
    assert check._spent(150) == pytest.approx(0.05)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=30), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=60)
def test_pseudomedian_lies_within_its_interval_and_follows_a_shift(values, level):
    found = pseudomedian(np.array(values), level)
    moved = pseudomedian(np.array(values) + 1, level)

    assert found[1] <= found[0] <= found[2]
    assert moved == pytest.approx(tuple(one + 1 for one in found))


def test_interval_is_that_of_the_exact_signed_rank_test():
    values = np.random.default_rng(3).normal(size=25)
    _, low, high = pseudomedian(values, 0.05)

    assert wilcoxon(values - (low + 1e-9), alternative="greater", method="exact").pvalue > 0.05
    assert wilcoxon(values - (low - 1e-9), alternative="greater", method="exact").pvalue <= 0.05
    assert wilcoxon(values - (high - 1e-9), alternative="less", method="exact").pvalue > 0.05
    assert wilcoxon(values - (high + 1e-9), alternative="less", method="exact").pvalue <= 0.05


def test_few_values_bound_nothing():
    assert pseudomedian(np.array([0.3]), 0.05) == (0.3, -math.inf, math.inf)


def test_frame_without_rows_never_reaches_a_model(subject, rows):
    with pytest.raises(ConfigurationError, match="no rows"):
        subject(rows=pd.DataFrame(rows.head(0)))
