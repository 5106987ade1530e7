import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.data.target_leakage import find_giveaways
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

ROWS = 3000


def drawn(seed, rows=ROWS):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.normal(size=rows), "word": rng.choice(list("abcdef"), rows)})
    table["rare"] = (rng.random(rows) < 0.03).astype(int)
    table["three"] = rng.integers(0, 3, rows)
    table["amount"] = np.exp(2 * rng.normal(size=rows) + table["x"])
    table["at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s")
    return table


def asked(columns, target, rows=ROWS, change=lambda table: table):
    reference, table = (change(drawn(seed, rows)) for seed in (0, 1))
    return find_giveaways(reference, table, columns, target=target, maximum=0.95, confidence=0.95)


def value(finding, column):
    return next(one for one in finding.measurements if one.name == f"target_told_by[{column}]").value


@pytest.mark.parametrize("target", ["rare", "three", "amount", "word"])
def test_what_is_independent_of_the_target_gives_nothing_away(target):
    columns = [name for name in ("x", "word", "rare", "three", "at") if name != target]
    finding = asked([name for name in columns if not (target == "amount" and name == "x")], target)

    assert finding.outcome is Outcome.PASSED
    assert all(one.value < 0.25 for one in finding.measurements)


@pytest.mark.parametrize(
    "target, leak",
    [
        ("rare", lambda t: np.where(t["rare"] == 1, np.abs(t["x"]) + 1e-3, 0.0)),
        ("rare", lambda t: t["x"].where(t["rare"] == 0)),
        ("rare", lambda t: np.where(t["rare"] == 1, "refunded", t["word"])),
        ("three", lambda t: t["three"] * 10 + np.abs(t["x"]).clip(upper=9)),
        ("three", lambda t: pd.Timestamp("2026-01-01") + pd.to_timedelta(t["three"], unit="D")),
        ("word", lambda t: t["word"].astype("category")),
        ("amount", lambda t: 1.2 * t["amount"]),
        ("amount", lambda t: -np.log(t["amount"])),
    ],
)
def test_what_follows_from_the_target_gives_it_away(target, leak):
    finding = asked(["x", "leak"], target, change=lambda table: table.assign(leak=leak(table)))

    assert finding.outcome is Outcome.FAILED
    assert value(finding, "leak") > 0.98
    assert finding.words.startswith("leak (")
    assert f"alone gives {target} away, more than 0.95" in finding.words
    assert finding.figures[0].series[0].x[0] == "leak"


def test_a_number_for_each_row_gives_nothing_away_on_other_rows():
    finding = asked(["id"], "three", change=lambda table: table.assign(id=[f"{i}" for i in range(len(table))]))
    other = find_giveaways(
        drawn(0).assign(id=np.arange(ROWS).astype(str)),
        drawn(1).assign(id=np.arange(ROWS, 2 * ROWS).astype(str)),
        ["id"],
        target="three",
        maximum=0.95,
        confidence=0.95,
    )

    assert finding.outcome is other.outcome is Outcome.PASSED
    assert value(other, "id") < 0.05


def test_few_rows_cannot_tell():
    finding = asked(["leak"], "rare", rows=60, change=lambda t: t.assign(rare=t["three"] > 0, leak=t["three"] + 0.0))

    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "60 rows are too few to tell" in finding.words


def test_rows_whose_target_is_missing_are_left_out():
    finding = asked(["x"], "three", change=lambda table: table.assign(three=table["three"].where(table["x"] > 0)))

    assert finding.outcome is Outcome.PASSED


def test_mixed_infinite_and_empty_columns_are_judged():
    finding = asked(
        ["mixed", "none", "endless"],
        "three",
        change=lambda t: t.assign(
            mixed=[1, "a", None] * (ROWS // 3), none=np.nan, endless=t["x"].replace(t["x"].max(), np.inf)
        ),
    )

    assert finding.outcome is Outcome.PASSED


def test_numbers_that_are_kept_as_objects_are_numbers():
    finding = asked(["leak"], "amount", change=lambda t: t.assign(leak=t["amount"], amount=t["amount"].astype(object)))

    assert finding.measurements[0].value > 0.98


def test_target_of_a_thousand_texts_is_refused():
    with pytest.raises(ConfigurationError, match="3000 different values that are no numbers"):
        asked(["x"], "id", change=lambda table: table.assign(id=[f"n{i}" for i in range(len(table))]))


def test_columns_of_very_many_categories_are_judged_by_the_common_ones(monkeypatch):
    monkeypatch.setattr("airflow_mltest.checks.data.target_leakage._MOST_CATEGORIES", 3)
    finding = asked(["leak"], "three", change=lambda table: table.assign(leak=table["three"].map("abc".__getitem__)))

    assert finding.outcome is Outcome.FAILED
