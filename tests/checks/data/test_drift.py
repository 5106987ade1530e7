import json
import time
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.checks.data.cells import Cells
from airflow_mltest.checks.data.drift import Drift
from airflow_mltest.checks.data.drift_columns import METHODS
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome
from airflow_mltest.reports.figure import svg


def table(seed, rows=8000):
    rng = np.random.default_rng(seed)
    words = np.array(["good", "bad", "car", "house", "dog", "cat"])
    return pd.DataFrame(
        {
            "amount": rng.lognormal(size=rows),
            "count": rng.poisson(3, rows),
            "flag": rng.random(rows) < 0.3,
            "country": rng.choice(["nl", "de", "fr", "es"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "size": pd.Categorical(rng.choice(["s", "m", "l"], rows)),
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.random(rows) * 90, unit="D"),
            "took": pd.to_timedelta(rng.exponential(size=rows), unit="h"),
            "comment": [
                f"{' '.join(one)} {number:06d}"
                for one, number in zip(rng.choice(words, (rows, 3)), rng.integers(10**6, size=rows), strict=True)
            ],
            "gaps": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
        }
    )


@pytest.fixture(scope="module")
def reference():
    return table(0)


@pytest.fixture(scope="module")
def another():
    return table(1)


@pytest.fixture
def rows(another):
    return another.copy()


def ask(rows, reference, **arguments):
    return Drift(**arguments).run(DataSubject(rows=rows, reference=reference))


def column(values, *, reference, **arguments):
    """Compare one column."""
    return ask(pd.DataFrame({"x": values}), pd.DataFrame({"x": reference}), **arguments)


def named(case):
    return {one.name: one for one in case.measurements}


@pytest.mark.parametrize("method", METHODS)
def test_another_sample_of_the_same_shows_no_drift(rows, reference, method):
    case = ask(rows, reference, method=method)

    assert case.outcome is Outcome.PASSED
    assert set(named(case)) == {
        *(f"drift[{name}]" for name in ("amount", "count", "flag", "country", "size", "at", "took", "gaps")),
        "drift[comment, length]",
        "drift[comment, words]",
        "drift_missing[gaps]",
    }
    assert "11 of 11 comparisons show no drift" in case.detail
    assert case.figures == ()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "name, change",
    [
        ("amount", lambda values: values * 1.7),
        ("count", lambda values: values + 1),
        ("flag", lambda values: values | (np.arange(len(values)) % 3 == 0)),
        ("country", lambda values: values.replace("fr", "it")),
        ("size", lambda values: values.astype(str).replace("s", "m").astype("category")),
        ("at", lambda values: values + pd.Timedelta(days=30)),
        ("took", lambda values: values * 2),
        ("comment, length", lambda values: values + "!!"),
        ("comment, words", lambda values: values.str.replace("good", "fine").str.replace("bad", "poor")),
        ("gaps", lambda values: values + 0.5),
    ],
)
def test_column_that_changed_fails_and_is_named_first_and_drawn(rows, reference, method, name, change):
    where = name.partition(",")[0]
    case = ask(rows.assign(**{where: change(rows[where])}), reference, method=method)

    assert case.outcome is Outcome.FAILED
    assert f" of {name} is " in case.detail.splitlines()[0]
    assert case.detail.splitlines()[0].endswith("has drifted")
    assert case.measurements[0].low > case.measurements[0].maximum
    assert case.figures[0].title.startswith(f"Distribution of {name}")
    assert [series.name for series in case.figures[0].series] == ["reference", "data"]
    assert svg(case.figures[0]).startswith("<svg")


def test_what_changed_is_told_in_the_columns_own_words(rows, reference):
    rows["at"] += pd.Timedelta(days=60)
    rows["country"] = rows["country"].replace("fr", "it")
    rows["took"] *= 3
    detail = ask(rows, reference).detail

    assert "the median 2026-02-" in detail
    assert "became 2026-04-" in detail
    assert "'it' 0 % became 19.7 %" in detail
    assert "'fr' 20.3 % became 0 %" in detail
    assert "'de'" not in detail
    assert "days became" in detail


def test_histograms_side_by_side_hold_all_rows(rows, reference):
    rows["count"] += 2
    (figure,) = ask(rows, reference, columns=["count"]).figures

    for series in figure.series:
        assert sum(series.y[:-1]) == pytest.approx(1, abs=0.03)
        assert series.style == "steps"


def test_million_rows_do_not_make_a_trifle_a_drift():
    rng = np.random.default_rng(0)
    reference = pd.DataFrame({"x": rng.normal(size=400_000), "c": rng.choice(["a", "b"], 400_000)})
    rows = pd.DataFrame({"x": rng.normal(0.03, 1, 400_000), "c": rng.choice(["a", "b"], 400_000, p=[0.51, 0.49])})

    assert ask(rows, reference).outcome is Outcome.PASSED
    assert ask(rows, reference, maximum=0.0).outcome is Outcome.FAILED


def test_too_few_rows_are_inconclusive_and_say_how_many_would_do():
    rng = np.random.default_rng(0)
    case = column(rng.normal(0.2, 1, 200), reference=rng.normal(size=5000))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "200 rows cannot tell; about " in case.detail
    assert "rows would decide" in case.detail


@pytest.mark.parametrize("method", METHODS)
def test_one_row_never_fails_and_never_passes(reference, method):
    rows = reference.head(1)

    assert ask(rows, reference, method=method).outcome is Outcome.INCONCLUSIVE


def test_two_halves_of_one_sample_have_drifted_in_at_most_five_of_a_hundred_runs():
    outcomes = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        both = pd.DataFrame(rng.normal(size=(800, 6))).add_prefix("x")
        both["c"] = rng.choice(list("abcdefgh"), 800)
        outcomes.append(ask(both[:400], both[400:], maximum=0.0, max_missing=0.0).outcome)

    # With a maximum of 0 nothing but the test stands between luck and an alarm.
    assert outcomes.count(Outcome.FAILED) <= 5 + 4


def test_of_the_columns_called_drifted_few_have_not():
    false, found = 0, 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        old, new = (pd.DataFrame(rng.normal(size=(500, 30))).add_prefix("x") for _ in range(2))
        new.iloc[:, :10] += 0.6
        detail = ask(new, old, maximum=0.0).detail
        alarms = [line.split(" is ")[0].rpartition("x")[2] for line in detail.splitlines() if "has drifted" in line]
        false += sum(int(one) >= 10 for one in alarms)
        found += len(alarms)

    assert found >= 0.95 * 250
    assert false <= 0.05 * found


def test_order_of_rows_changes_nothing_and_neither_does_asking_again(rows, reference):
    case = ask(rows, reference)
    again = ask(rows, reference)
    mixed = ask(rows.sample(frac=1, random_state=0), reference, columns=["amount", "country"])

    assert case == again
    assert set(mixed.measurements) <= set(case.measurements)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.none() | st.floats() | st.integers() | st.text(max_size=3) | st.booleans(), min_size=1, max_size=30),
    st.sampled_from(METHODS),
)
def test_data_has_not_drifted_from_itself_whatever_it_is(values, method):
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})

    assert ask(frame, frame, method=method).outcome is not Outcome.FAILED


def test_missing_column_and_another_kind_of_value_fail_and_others_are_told(rows, reference):
    rows = rows.rename(columns={"amount": "amuont"}).assign(count=["n/a", "7"] * 4000, flag=rows["flag"].astype(int))
    case = ask(rows, reference)

    assert case.outcome is Outcome.FAILED
    assert case.detail.splitlines()[:2] == [
        "amount is missing",
        "count held numbers, and holds text: 4000 are no numbers, such as 'n/a'",
    ]
    assert "not in the reference: amuont" in case.detail
    assert "stored as another type: " in case.detail
    assert "flag (bool, now int64)" in case.detail
    assert "drift[flag]" in named(case)


def test_more_missing_values_are_a_drift_of_their_own(rows, reference):
    rows["gaps"] = rows["gaps"].mask(np.arange(len(rows)) % 5 == 0)
    case = ask(rows, reference)

    assert case.outcome is Outcome.FAILED
    assert "share of missing or infinite values in gaps" in case.detail
    assert named(case)["drift_missing[gaps]"].low > 0.05
    assert named(case)["drift[gaps]"].high <= 0.05


def test_infinite_values_count_as_missing_and_not_as_values():
    rng = np.random.default_rng(0)
    reference, rows = rng.normal(size=5000), rng.normal(size=5000)
    rows[:1000] = np.inf
    rows[1000:1500] = -np.inf

    for method in METHODS:
        case = column(rows, reference=reference, method=method)

        assert case.outcome is Outcome.FAILED
        assert "0 % became 30 %" in case.detail
        assert named(case)["drift[x]"].low < named(case)["drift[x]"].maximum


def test_column_without_values_fails_where_there_were_some_and_passes_where_there_were_none():
    empty = [None] * 5000

    assert column(empty, reference=np.arange(5000.0)).outcome is Outcome.FAILED
    assert column(np.arange(5000.0), reference=empty).outcome is Outcome.FAILED
    assert column(["a"] * 5000, reference=[np.nan] * 5000).outcome is Outcome.FAILED
    assert column(empty, reference=[np.nan] * 5000).outcome is Outcome.PASSED


def test_mixed_types_in_a_column_are_compared_by_value_and_type():
    mixed = [1, "1", "x", 2.5] * 1000
    case = column(mixed, reference=mixed)
    moved = column([1, 1, "x", 2.5] * 1000, reference=mixed)

    assert case.outcome is Outcome.PASSED
    assert moved.outcome is Outcome.FAILED
    assert "'1 (str)' 25 % became 0 %" in moved.detail
    held = column(mixed, reference=range(4000))
    assert held.outcome is Outcome.FAILED
    assert "x held numbers, and holds values of several types: 1000 are no numbers, such as 'x'" in held.detail


def test_times_without_a_zone_beside_times_with_one_cannot_be_compared():
    naive = pd.date_range("2026-01-01", periods=5000, freq="h")
    aware = naive.tz_localize("Asia/Tokyo")
    case = column(aware, reference=naive)

    assert case.outcome is Outcome.FAILED
    assert case.detail.startswith("x held times without a time zone, and holds times with a time zone")
    assert column(aware.tz_convert("Europe/Amsterdam"), reference=aware).outcome is Outcome.PASSED
    both = pd.Series([datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)] * 500, dtype=object)  # noqa: DTZ001
    assert "values of several types" in column(both, reference=naive).detail
    assert column(both, reference=both).outcome is not Outcome.FAILED


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([Decimal(one) / 3 for one in range(3000)]),
        pd.Series([date(2026, 1, 1) + timedelta(days=one) for one in range(3000)]),
        pd.Series(
            [datetime(9999, 12, 31, tzinfo=UTC)] * 1500 + [datetime(2026, 1, 1, tzinfo=UTC)] * 1500, dtype=object
        ),
        pd.Series([timedelta(days=one % 7) for one in range(3000)], dtype=object),
        pd.Series([[1], [2], [2]] * 1000),
        pd.Series([b"a", b"b"] * 1500),
        pd.Series(range(3000), dtype="Int64").mask(lambda values: values < 100),
        pd.Series([True, None, False] * 1000, dtype="boolean"),
        pd.Series([1, 2, 3] * 1000, dtype="category"),
        pd.Series(["a", "b", None] * 1000, dtype="string"),
        pd.Series(np.full(3000, 7, dtype=np.int8)),
        pd.Series(["constant"] * 3000),
        pd.Series(1j * np.arange(3000)),
    ],
    ids=lambda values: f"{values.dtype} of {type(values.iloc[-1]).__name__}",
)
@pytest.mark.parametrize("method", ["auto", "psi", "wasserstein"])
def test_columns_of_every_type_are_compared(values, method):
    assert column(values, reference=values.sample(frac=1, random_state=0), method=method).outcome is Outcome.PASSED


def test_categories_are_compared_however_they_are_stored():
    letters = np.array(["a", "b", "c"] * 1000)
    stored = [pd.Series(letters), pd.Series(letters, dtype=object), pd.Series(letters, dtype="category")]
    for one in stored:
        for other in stored:
            assert column(one, reference=other).outcome is Outcome.PASSED
    assert column([1, 2] * 1000, reference=pd.Series(["1", "2"] * 1000, dtype="category")).outcome is Outcome.PASSED


@pytest.mark.parametrize("method", METHODS)
def test_constant_that_changed_fails_and_one_that_did_not_passes(method):
    assert column(np.full(3000, 5.0), reference=np.full(3000, 5.0), method=method).outcome is Outcome.PASSED
    for other in (4.0, 6.0):
        assert column(np.full(3000, other), reference=np.full(3000, 5.0), method=method).outcome is Outcome.FAILED


def test_half_a_million_distinct_names_are_compared_in_seconds_and_little_memory():
    names = pd.Series(np.char.add("user-", (10**6 + np.arange(500_000)).astype(str)), dtype="str")
    start_s = time.process_time()
    case = column(names[::2], reference=names[1::2])
    took_s = time.process_time() - start_s
    tracemalloc.start()
    cells = Cells.of(names[:100_000], names[100_000:200_000], np.random.default_rng(0))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert case.outcome is Outcome.PASSED
    assert set(named(case)) == {"drift[x, length]", "drift[x, words]"}
    assert took_s < 5
    assert len(cells.names) <= 1000
    # What 20,000 names take that are looked at, and a few numbers a row.
    assert peak_bytes < 10e6 + 100 * 100_000


def test_time_that_is_over_leaves_the_rest_undecided(rows, reference):
    case = ask(rows, reference, max_seconds=0.0)

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "not compared within 0 s: amount, count," in case.detail


def test_progress_is_told(rows, reference):
    told = []
    Drift().run(DataSubject(rows=rows, reference=reference, on_progress=lambda *done: told.append(done)))

    assert told == [(done, 9) for done in range(9)]


def test_at_most_six_figures_and_twenty_lines_are_shown():
    rng = np.random.default_rng(0)
    reference = pd.DataFrame(rng.normal(size=(1000, 30))).add_prefix("x")
    case = ask(reference + 1, reference)

    assert len(case.figures) == 6
    assert len(case.measurements) == 30
    assert "10 more are among the measurements" in case.detail
    assert json.dumps([one.value for one in case.measurements], allow_nan=False)


def test_what_cannot_be_compared_is_an_error_that_says_what_to_do(rows, reference):
    with pytest.raises(ConfigurationError, match="give the operator a `reference`"):
        ask(rows, None)
    with pytest.raises(ConfigurationError, match="reference that has rows"):
        ask(rows, reference.head(0))
    with pytest.raises(ConfigurationError, match="the data has no rows"):
        ask(rows.head(0), reference)
    with pytest.raises(ConfigurationError, match="no column 'amout'; did you mean 'amount'"):
        ask(rows, reference, columns=["amout"])
    with pytest.raises(ConfigurationError, match="no column 'amount'"):
        ask(rows.drop(columns="amount"), reference, columns=["amount"])
    with pytest.raises(ConfigurationError, match="no column in common"):
        ask(rows.add_prefix("other "), reference)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"method": "kolmogorov"}, "no method 'kolmogorov'"),
        ({"maximum": -0.1}, "maximum is 0 or more"),
        ({"maximum": float("nan")}, "maximum is 0 or more"),
        ({"max_missing": 5}, "max_missing a share"),
        ({"confidence": 95}, "a share above 0.5"),
        ({"columns": "amount"}, "columns is a list"),
        ({"columns": []}, "columns is a list"),
    ],
)
def test_senseless_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Drift(**arguments)


def test_bound_counts_in_its_methods_unit_only(rows, reference):
    measured = named(ask(rows, reference, method="wasserstein", maximum=0.3))

    assert measured["drift[amount]"].maximum == 0.3
    assert measured["drift[country]"].maximum == 0.1
    assert {one.maximum for one in ask(rows, reference, maximum=0.2, columns=["amount", "flag"]).measurements} == {0.2}
