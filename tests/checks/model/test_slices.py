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
    assert "the worst: roc_auc[" in case.detail


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


def odd_one_out(rows, rule, seed=0):
    """A model that is nearly always wrong where x is high in one country, and seldom elsewhere."""
    rng = np.random.default_rng(seed)
    planted = ((rows["x"] > 0.5) & (rows["country"] == "nl")).to_numpy()
    wrong = rng.random(len(rows)) < np.where(planted, 0.9, 0.1)
    return rule(lambda r: np.where(wrong[: len(r)], 1 - rows["y"], rows["y"])[: len(r)])


@pytest.mark.parametrize("by", ["auto", None])
def test_segment_that_nobody_named_is_found_and_told_in_words(subject, rule, rows, by):
    case = Slices(by=by, metric="accuracy", minimum=0.7, min_rows=60).run(subject(odd_one_out(rows, rule), rows=rows))

    assert case.outcome is Outcome.FAILED
    assert "country = nl" in case.detail
    assert "x >= 0.5" in case.detail
    assert case.measurements[0].high < 0.7
    assert case.figures[0].bounds == (0.7,)
    assert case.facts["segments"][0]["segment"] in case.detail
    assert 240 < case.facts["segments"][0]["rows"] < 360


def test_segment_is_compared_with_the_other_rows(subject, rule, rows):
    model = odd_one_out(rows, rule)
    wide, narrow = (
        Slices(by="auto", metric="accuracy", max_gap=gap, min_rows=60).run(subject(model, rows=rows))
        for gap in (0.95, 0.2)
    )

    assert wide.outcome is Outcome.PASSED
    assert narrow.outcome is Outcome.FAILED
    assert narrow.measurements[0].name.startswith("accuracy_gap[")
    assert narrow.measurements[0].value == pytest.approx(0.8, abs=0.1)
    assert "at most 0.2 worse than all other rows" in narrow.detail


def test_named_slice_is_compared_with_the_other_rows_whichever_way_the_metric_points(subject, rule, rows):
    rows["y"] = rows["x"]
    model = rule(lambda r: (r["x"] + np.where(r["country"] == "nl", 3.0, 1.0)).to_numpy())
    case = Slices(by="country", metric="mean_absolute_error", max_gap=1.0).run(subject(model, rows=rows))

    assert case.outcome is Outcome.FAILED
    assert [m.value for m in case.measurements] == pytest.approx([-2.0, 2.0])


def test_noise_is_not_reported(subject, rule, rows):
    reported = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        for column in range(4):
            rows[f"noise {column}"] = rng.normal(size=len(rows))
        wrong = rng.random(len(rows)) < 0.2
        model = rule(lambda r, wrong=wrong: np.where(wrong, 1 - rows["y"], rows["y"]))
        case = Slices(by="auto", metric="accuracy", max_gap=0.0).run(subject(model, rows=rows, seed=seed))
        reported += case.outcome is Outcome.FAILED

    assert reported <= 2


def test_same_seed_finds_the_same(subject, rule, rows):
    check = Slices(by="auto", metric="accuracy", minimum=0.7, min_rows=60)
    one, other = (check.run(subject(odd_one_out(rows, rule), rows=rows)) for _ in range(2))

    assert one == other


def test_metric_that_is_no_mean_over_rows_is_refused_by_name(subject):
    with pytest.raises(ConfigurationError, match=r"mean over rows.*roc_auc is none"):
        Slices(by="auto", metric="roc_auc", minimum=0.5).run(subject())


def test_rows_too_few_for_a_segment_and_columns_without_values_are_errors(subject, rows):
    with pytest.raises(ConfigurationError, match=r"of 150 rows a segment may have from 100 to half"):
        Slices(by="auto", metric="accuracy", minimum=0.5).run(subject(rows=rows[:150]))
    with pytest.raises(ConfigurationError, match="0 columns have more than one value"):
        Slices(by="auto", metric="accuracy", minimum=0.5).run(subject(rows=rows[["y"]].assign(x=1.0, country="nl")))


def test_search_that_has_no_time_is_inconclusive(subject):
    case = Slices(by="auto", metric="accuracy", minimum=0.1, max_seconds=0.0).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "not all pairs of features were looked at in 0 s" in case.detail


def test_slice_with_three_rows_is_named_as_too_few(subject, rows):
    rows.loc[:2, "country"] = "be"
    case = Slices(by="country", metric="accuracy", minimum=0.6).run(subject(rows=rows))

    assert "too few rows to judge: country=be" in case.detail
    assert set(case.figures[0].series[0].x) == {"country=de", "country=nl"}


@pytest.mark.parametrize(
    "wrong", [{}, {"max_gap": -1.0}, {"max_gap": 0.1, "minimum": 0.5}, {"minimum": 0.5, "min_rows": 0}]
)
def test_slices_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Slices"):
        Slices(by="auto", metric="accuracy", **wrong)


def test_a_function_of_your_own_judges_slices(subject):
    def share_right(truth, answers):
        return float((truth == answers).mean())

    case = Slices(by="country", metric=share_right, minimum=0.6).run(subject())

    assert case.outcome is Outcome.PASSED
    assert case.measurements[0].name == "share_right[country=de]"
