import numpy as np
import pytest

from airflow_mltest.checks.model.slices import Slices
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome


def blind_in(country, rule):
    def answer(rows):
        right = (rows["x"] > 0).astype(int)
        return np.where(rows["country"] == country, 1 - right, right)

    return rule(answer)


def test_slice_in_which_the_model_is_blind_fails_though_the_whole_is_fine(subject, rule, rows):
    rows["country"] = np.where(np.arange(2000) < 200, "be", rows["country"])
    case = Slices(by="country", metric="accuracy", minimum=0.6).run(subject(blind_in("be", rule), rows=rows))

    assert case.outcome is Outcome.FAILED
    assert "1 of 3 slices" in case.detail
    assert "accuracy[country=be]" in case.detail
    assert [m.name for m in case.measurements] == [f"accuracy[country={c}]" for c in ("be", "de", "nl")]


def test_slices_that_keep_the_bound_pass_and_the_worst_is_told(subject):
    case = Slices(by=("country", "n"), metric="roc_auc", minimum=0.6).run(subject())

    assert case.outcome is Outcome.PASSED
    assert len(case.measurements) == 11
    assert "the worst is roc_auc[" in case.detail


def test_many_slices_do_not_fail_by_luck(subject, rows, rule):
    failed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows["bucket"] = rng.integers(0, 15, size=len(rows))
        rows["y"] = rng.integers(0, 2, size=len(rows))
        model = rule(lambda r, rng=rng: rng.integers(0, 2, size=len(r)))
        failed += Slices(by="bucket", metric="accuracy", minimum=0.5).run(subject(model, rows=rows)).outcome == "failed"

    assert failed <= 5


def test_small_slices_are_named_and_decide_nothing(subject, rule, rows):
    rows.loc[:9, "country"] = "be"
    case = Slices(by="country", metric="accuracy", minimum=0.6).run(subject(blind_in("be", rule), rows=rows))

    assert case.outcome is Outcome.PASSED
    assert "too few rows to judge: country=be" in case.detail


def test_slice_of_one_class_proves_nothing_unless_strict(subject, rows):
    rows.loc[rows["country"] == "de", "y"] = 1
    loose, strict = (
        Slices(by="country", metric="roc_auc", minimum=0.6, strict=strict).run(subject(rows=rows))
        for strict in (False, True)
    )

    assert loose.outcome is Outcome.PASSED
    assert strict.outcome is Outcome.INCONCLUSIVE


def test_rows_without_a_value_are_a_slice(subject, rows):
    rows.loc[:499, "country"] = None
    case = Slices(by="country", metric="accuracy", minimum=0.6).run(subject(rows=rows))

    assert "accuracy[country missing]" in {m.name for m in case.measurements}


def test_column_that_is_not_there_and_slices_that_are_all_small_are_errors(subject):
    with pytest.raises(ConfigurationError, match="did you mean 'country'"):
        Slices(by="county", metric="accuracy", minimum=0.5).run(subject())
    with pytest.raises(ConfigurationError, match="no value of x has 100 rows"):
        Slices(by="x", metric="accuracy", minimum=0.5).run(subject())


def test_metric_that_cannot_be_computed_at_all_does_not_pass_as_slices_that_cannot_tell(subject, rows):
    with pytest.raises(ConfigurationError, match="rows of two classes"):
        Slices(by="country", metric="roc_auc", minimum=0.6).run(subject(rows=rows.assign(y=1)))
