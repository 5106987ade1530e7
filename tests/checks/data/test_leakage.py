import json

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.data.leakage import Leakage
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

ROWS = 2000


def drawn(seed, rows=ROWS, start="2026-01-01"):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, 4)), columns=list("abcd"))
    table["kind"] = rng.choice(["x", "y", "z"], rows)
    table["customer"] = rng.permutation(10 * rows)[:rows] * 2 + seed
    table["at"] = pd.Timestamp(start, tz="UTC") + pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s")
    table["y"] = (table["a"] + rng.normal(size=rows) > 0).astype(int)
    return table


@pytest.fixture
def train():
    return drawn(0)


@pytest.fixture
def test_set():
    return drawn(1, start="2026-02-01")


def asked(rows, reference, **more):
    return Leakage(keys="customer", time="at", target="y", **more).run(DataSubject(rows=rows, reference=reference))


def measured(case, name):
    return next(measurement for measurement in case.measurements if measurement.name == name)


def test_sets_that_share_nothing_pass_each_question(train, test_set):
    case = asked(test_set, train)

    assert case.outcome is Outcome.PASSED
    assert [one.name for one in case.measurements][:4] == [
        "rows_shared", "rows_nearly_shared", "keys_shared", "rows_before_end_of_training",
    ]  # fmt: skip
    assert measured(case, "target_told_by[a]").value == pytest.approx(0.6, abs=0.15)
    assert "no column alone gives y away; most does a" in case.detail
    assert "examples" not in case.facts


def test_shared_rows_are_counted_exactly_and_but_for_noise(train, test_set):
    copied = ["a", "b", "c", "d", "kind", "y"]
    test_set.loc[:29, copied] = train.loc[:29, copied]
    test_set.loc[20:29, "a"] += 0.004
    case = asked(test_set, train)

    assert case.outcome is Outcome.FAILED
    assert measured(case, "rows_shared").value == pytest.approx(20 / ROWS)
    assert measured(case, "rows_nearly_shared").value == pytest.approx(30 / ROWS, rel=0.1)
    assert measured(case, "rows_shared").low > 0
    assert case.detail.startswith("20 of 2000 rows are in the reference exactly, in 6 columns")
    noisy = case.facts["examples"][3]
    assert (noisy["row"], noisy["row_of_reference"]) == (20, 20)
    assert noisy["after"]["a"] - noisy["before"]["a"] == pytest.approx(0.004)


def test_one_shared_row_of_a_short_table_is_told_and_not_sure(train):
    rows = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30) % 2})
    others = pd.DataFrame({"a": [7.0, *np.arange(100, 129)], "b": [1] * 30})
    case = Leakage(near=0).run(DataSubject(rows=rows, reference=others))

    assert case.outcome in {Outcome.INCONCLUSIVE, Outcome.FAILED}
    assert case.detail.startswith("1 of 30 rows are in the reference exactly")


def test_rows_of_a_few_flags_are_shared_by_chance():
    flags = [pd.DataFrame(np.random.default_rng(seed).integers(0, 2, (ROWS, 4))).rename(columns=str) for seed in (0, 1)]
    case = Leakage().run(DataSubject(rows=flags[0], reference=flags[1]))

    assert case.outcome is Outcome.PASSED
    assert "chance explains" in case.detail
    assert "`keys` would tell more" in case.detail


def test_shared_keys_fail_and_missing_ones_are_told(train, test_set):
    test_set["customer"] = test_set["customer"].astype("Int64")
    test_set.loc[:9, "customer"] = train.loc[:9, "customer"]
    test_set.loc[10:14, "customer"] = pd.NA
    case = asked(test_set, train)

    assert case.outcome is Outcome.FAILED
    assert measured(case, "keys_shared").value == pytest.approx(10 / (ROWS - 5))
    assert "10 different ones" in case.detail
    assert "5 rows have no customer, and were not looked for" in case.detail


def test_key_may_be_of_several_columns(train, test_set):
    test_set["customer"] = train["customer"]
    rows = test_set.assign(shop=1)
    reference = train.assign(shop=[1] * 7 + [2] * (ROWS - 7))
    case = Leakage(keys=("customer", "shop"), columns=("a", "b")).run(DataSubject(rows=rows, reference=reference))

    assert measured(case, "keys_shared").value == pytest.approx(7 / ROWS)


def test_rows_from_before_the_end_of_training_fail_also_without_a_zone(train, test_set):
    test_set["at"] = test_set["at"].dt.tz_localize(None)
    test_set.loc[:4, "at"] = pd.Timestamp("2026-01-02")
    case = asked(test_set, train)

    assert case.outcome is Outcome.FAILED
    assert measured(case, "rows_before_end_of_training").value == pytest.approx(5 / ROWS)
    assert "at of the data: all times came without a time zone and were taken as UTC" in case.detail


def test_share_that_is_allowed_is_judged_beyond_luck(train, test_set):
    few = test_set.head(100).copy()
    few.loc[:1, "customer"] = train.loc[:1, "customer"]

    assert asked(few, train, maximum=0.5).outcome is Outcome.PASSED
    unclear = asked(few, train, maximum=0.03)
    assert unclear.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in unclear.detail
    few["customer"] = train["customer"].to_numpy()[:100]
    assert asked(few, train, maximum=0.5).outcome is Outcome.FAILED


def test_search_that_takes_too_long_is_inconclusive(train, test_set, monkeypatch):
    monkeypatch.setattr("airflow_mltest.checks.data.neighbours._AT_ONCE", 100)
    case = Leakage(max_seconds=1e-9).run(DataSubject(rows=test_set, reference=train))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "only so many of 2000 rows were looked for" in case.detail


def test_what_cannot_be_asked_is_said(train, test_set):
    def refused(match, rows=test_set, reference=train, **more):
        with pytest.raises(ConfigurationError, match=match):
            Leakage(**more).run(DataSubject(rows=rows, reference=reference))

    refused("compares with a reference", reference=None)
    refused("did you mean 'customer'", keys="custumer")
    refused("did you mean 'at'", time="att")
    refused("there is no column 'z'", target="z")
    refused("no column in common", reference=pd.DataFrame({"other": [1]}))
    refused("more than one column 'a'", rows=pd.concat([test_set, test_set[["a"]]], axis=1))
    refused("key customer is missing in all", rows=test_set.assign(customer=np.nan), keys="customer")
    refused("is int64 in the reference and", rows=test_set.assign(customer="7"), keys="customer")
    refused("holds no time", rows=test_set.assign(at=pd.NaT), time="at")
    refused("holds numbers", rows=test_set.assign(at=1.0), time="at")
    refused("no two values", rows=test_set.assign(y=1), target="y")


@pytest.mark.parametrize(
    "wrong", [{"maximum": 1}, {"near": -1}, {"most_told": 1.5}, {"max_seconds": 0}, {"confidence": 95}]
)
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Leakage"):
        Leakage(**wrong)


def test_one_row_all_null_columns_and_infinite_values_are_judged(train, test_set):
    one = Leakage().run(DataSubject(rows=test_set.head(1), reference=train))
    test_set = test_set.assign(none=None, a=np.inf, b=[np.nan, *test_set["b"][1:]])
    odd = Leakage(target="y").run(DataSubject(rows=test_set, reference=train.assign(none=np.nan)))

    assert (one.outcome, odd.outcome) == (Outcome.PASSED, Outcome.PASSED)


def test_examples_are_strict_json(train, test_set):
    train = train.assign(odd=[np.nan, np.inf] * (ROWS // 2), label=pd.Categorical(["x"] * ROWS))
    case = Leakage(keys="customer", time="at").run(DataSubject(rows=train, reference=train))

    assert case.outcome is Outcome.FAILED
    examples = json.loads(json.dumps(case.facts, allow_nan=False))["examples"]
    assert examples[0]["before"]["odd"] is None
    assert examples[1]["before"]["odd"] == "inf"


def test_the_year_that_says_never_is_a_time(train, test_set):
    for table in (train, test_set):
        table["until"] = np.array(["9999-12-31"] * ROWS, dtype="datetime64[us]")
        table.loc[:500, "until"] = pd.Timestamp("2026-05-01")

    assert asked(test_set, train).outcome is Outcome.PASSED
