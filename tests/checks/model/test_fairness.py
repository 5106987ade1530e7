import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.checks.model.fairness import Fairness, _interval, group_metric, group_rates
from airflow_mltest.core.errors import ConfigurationError, MissingExtraError
from airflow_mltest.core.outcome import Outcome

METRICS = [
    f"{kind}_{how}"
    for kind in ("demographic_parity", "equalized_odds", "equal_opportunity")
    for how in ("difference", "ratio")
]


def counted(group, truth, answer, groups):
    return np.bincount(group * 4 + truth * 2 + answer, minlength=4 * groups).reshape(groups, 2, 2)


def denying(rule, country, share):
    """A model that says no to a share of one country's rows whatever they are."""

    def answer(rows):
        unlucky = (rows["country"] == country) & (np.random.default_rng(1).random(len(rows)) < share)
        return np.where(unlucky, 0, rows["x"] > 0).astype(int)

    return rule(answer)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_metrics_of_counts_are_fairlearns(metric, rows):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    # Every group has every class and every answer once: what fairlearn makes of nothing is another matter.
    rows = [*rows, *((group, truth, answer) for group in range(3) for truth in (0, 1) for answer in (0, 1))]
    group, truth, answer = (np.array(one) for one in zip(*rows, strict=True))
    expected = getattr(fairlearn, metric)(truth, answer, sensitive_features=group)

    assert group_metric(metric, group_rates(metric, counted(group, truth, answer, 3))) == pytest.approx(expected)


@pytest.mark.parametrize("groups,gap", [(2, 0.1), (6, 0.0), (6, 0.2)])
def test_groups_that_are_alike_are_called_unlike_at_most_about_one_time_in_twenty(groups, gap):
    rng, unlike, held, trials = np.random.default_rng(0), 0, 0, 100
    for seed in range(trials):
        group = rng.integers(0, groups, 1000)
        answer = (rng.random(1000) < 0.3 + gap * (group == 0)).astype(int)
        cells = counted(group, rng.integers(0, 2, 1000), answer, groups)
        metric = "demographic_parity_difference"
        value = float(group_metric(metric, group_rates(metric, cells)))
        found = _interval(metric, value, cells, 0.95, np.random.default_rng(seed))
        unlike += found.low > gap + 1e-9
        held += found.high >= gap

    # 0.05 and three standard errors.
    assert unlike / trials <= 0.116
    assert held / trials >= 0.884


@pytest.mark.parametrize("metric", METRICS)
def test_model_that_denies_a_group_fails_and_one_that_does_not_passes(subject, rule, metric):
    pytest.importorskip("fairlearn")
    bound = {"maximum": 0.15} if metric.endswith("difference") else {"minimum": 0.7}
    unfair, fair = (
        Fairness(by="country", metric=metric, **bound).run(subject(denying(rule, "nl", share))) for share in (0.8, 0.0)
    )

    assert unfair.outcome is Outcome.FAILED
    assert "of de" in unfair.detail
    assert fair.outcome is Outcome.PASSED
    assert unfair.figures[0].series[0].x == ("de", "nl")


def test_few_rows_are_inconclusive_and_say_how_many_would_decide(subject, rows):
    pytest.importorskip("fairlearn")
    case = Fairness(by="country", maximum=0.1).run(subject(rows=rows[:80]))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "would decide" in case.detail


def test_group_with_three_rows_is_named_and_not_compared(subject, rows):
    pytest.importorskip("fairlearn")
    rows.loc[:2, "country"] = "be"
    case = Fairness(by="country", maximum=0.2).run(subject(rows=rows))

    assert case.outcome is Outcome.PASSED
    assert "too few rows to compare: be" in case.detail


def test_rows_without_a_group_are_one(subject, rows):
    pytest.importorskip("fairlearn")
    rows.loc[:400, "country"] = None
    case = Fairness(by="country", maximum=0.2).run(subject(rows=rows))

    assert "between 3 groups" in case.detail


def test_a_single_group_is_compared_with_nobody(subject, rows):
    with pytest.raises(ConfigurationError, match="'country' has 1 of 30 rows or more"):
        Fairness(by="country", maximum=0.2).run(subject(rows=rows.assign(country="de")))


def test_group_without_a_class_has_no_odds(subject, rows):
    rows.loc[rows["country"] == "de", "y"] = 0
    with pytest.raises(ConfigurationError, match=r"absent in country=de: raise `min_rows`"):
        Fairness(by="country", metric="equalized_odds_difference", maximum=0.2).run(subject(rows=rows))


def test_three_classes_are_refused(subject, rows, rule):
    rows["y"] = rows["n"] % 3
    with pytest.raises(ConfigurationError, match="two classes, and there are 3"):
        Fairness(by="country", maximum=0.2).run(subject(rule(lambda r: (r["n"] % 3).to_numpy()), rows=rows))


def test_column_that_is_not_there_is_named_with_the_nearest(subject):
    with pytest.raises(ConfigurationError, match="did you mean 'country'"):
        Fairness(by="county", maximum=0.2).run(subject())


def test_without_fairlearn_its_extra_is_named(subject, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("fairlearn"):
            raise ModuleNotFoundError(name, name="fairlearn")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"airflow-mltest\[fairness\]"):
        Fairness(by="country", maximum=0.2).run(subject())


@pytest.mark.parametrize("wrong", [{}, {"maximum": 0.1, "metric": "parity"}, {"maximum": 0.1, "confidence": 1}])
def test_bounds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Fairness"):
        Fairness(by="country", **wrong)
