import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.checks.data.encoding import encode
from airflow_mltest.checks.data.neighbours import find_neighbours

ROWS = 3000


def drawn(seed, rows=ROWS, numbers=5):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, numbers))).rename(columns=lambda place: f"x{place}")
    return table.assign(kind=rng.choice(list("abc"), rows))


def found(reference, rows, near=0.01, **more):
    return find_neighbours(reference, rows, list(rows.columns), near=near, **more)


def near_by_hand(reference, rows, near):
    numbers = [name for name in rows.columns if rows[name].dtype.kind == "f"]
    middle = reference[numbers].quantile([0.25, 0.75])
    scale = np.minimum(reference[numbers].std(ddof=0), (middle.loc[0.75] - middle.loc[0.25]) / 1.349).to_numpy()
    apart = np.abs(rows[numbers].to_numpy()[:, None] - reference[numbers].to_numpy()[None]) / scale
    same = rows["kind"].to_numpy()[:, None] == reference["kind"].to_numpy()[None]
    return ((apart.max(axis=2) <= near) & same).any(axis=1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 0.3]))
def test_no_neighbour_is_missed_and_none_is_made_up(seed, near):
    reference, rows = drawn(seed, 300, 2), drawn(seed + 1, 200, 2)

    assert ((found(reference, rows, near).place >= 0) == near_by_hand(reference, rows, near)).all()


def test_noisy_copies_are_found_in_their_places():
    reference, rows = drawn(0), drawn(1)
    rng = np.random.default_rng(2)
    rows.iloc[:50, :5] = reference.iloc[100:150, :5].to_numpy() + rng.uniform(-0.005, 0.005, size=(50, 5))
    rows.loc[:49, "kind"] = reference["kind"].to_numpy()[100:150]
    neighbours = found(reference, rows)

    assert neighbours.place[:50].tolist() == list(range(100, 150))
    assert (neighbours.place[50:] == -1).all()
    assert (neighbours.distance[:50] > 0).all()
    assert (neighbours.distance[:50] <= 0.01).all()
    assert neighbours.chance.copied(0.95).low > 0.9


def test_near_of_zero_asks_for_equal_rows():
    reference, rows = drawn(0), drawn(1)
    rows.iloc[:10] = reference.iloc[:10]
    rows.loc[5:9, "x0"] += 1e-9
    neighbours = found(reference, rows, near=0)

    assert np.flatnonzero(neighbours.place >= 0).tolist() == [0, 1, 2, 3, 4]
    assert (neighbours.distance[:5] == 0).all()


def test_copies_of_a_row_within_both_tables_change_nothing():
    reference, rows = drawn(0, 100), drawn(1, 100)
    rows.iloc[0] = reference.iloc[7]
    many = found(pd.concat([reference] * 3), pd.concat([rows] * 4))

    assert np.flatnonzero(many.place >= 0).tolist() == [0, 100, 200, 300]
    assert many.chance == found(reference, rows).chance


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: pd.DataFrame(rng.integers(0, 20, size=(ROWS, 3))),
        lambda rng: pd.DataFrame(rng.normal(size=(ROWS, 1))),
        lambda rng: pd.DataFrame(rng.lognormal(size=(ROWS, 3)).round(1)),
        lambda rng: pd.DataFrame(np.outer(rng.normal(size=ROWS), [1, 2, 3])),
        lambda rng: pd.DataFrame((rng.random((ROWS, 10)) < 0.05).astype(int)),
    ],
    ids=["whole numbers", "one column", "rounded", "one column three times", "rare flags"],
)
def test_what_few_columns_share_by_chance_is_not_called_copied(draw):
    called = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        reference, rows = draw(rng), draw(rng)
        neighbours = found(reference.rename(columns=str), rows.rename(columns=str), near=0.01)
        assert (neighbours.place >= 0).any()
        called += neighbours.chance.copied(0.95).low > 0

    assert called == 0


def test_copies_with_a_column_that_is_different_in_every_row_are_beyond_chance():
    draws = [np.random.default_rng(seed) for seed in (0, 1)]
    reference, rows = (
        pd.DataFrame({"token": rng.integers(0, 2**60, ROWS).astype(str), "flag": rng.integers(0, 2, ROWS)})
        for rng in draws
    )
    rows.iloc[:20] = reference.iloc[:20]

    assert found(reference, rows).chance.copied(0.95).low > 0.9


def test_missing_and_infinite_values_equal_their_like():
    reference = drawn(0, 200)
    reference.iloc[:3, 0] = [np.nan, np.inf, -np.inf]
    rows = reference.iloc[:4].copy()
    rows.iloc[3, 0] = np.nan

    assert found(reference, rows).place.tolist() == [0, 1, 2, -1]


def test_times_of_any_zone_mixed_types_and_empty_columns_are_compared():
    moments = pd.Series(pd.date_range("2026-01-01", periods=200, freq="h"))
    reference = pd.DataFrame({"at": moments, "mixed": [1, "1", None, 2.5] * 50, "none": None, "n": range(200)})
    rows = reference.assign(at=moments.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))

    assert found(reference, rows).place.tolist() == list(range(200))


def test_search_that_takes_too_long_gives_what_it_found(monkeypatch):
    monkeypatch.setattr("airflow_mltest.checks.data.neighbours._AT_ONCE", 100)
    told = []
    reference = drawn(0, 300)
    neighbours = found(reference, reference, max_seconds=1e-9, progress=lambda *done: told.append(done))

    assert (neighbours.searched, int((neighbours.place >= 0).sum())) == (100, 100)
    assert told == [(100, 300)]


def test_a_few_great_values_do_not_make_all_others_near():
    rng = np.random.default_rng(0)
    values = rng.standard_cauchy(2000)
    table = pd.DataFrame({"x": values})

    assert np.median(np.abs(encode(table, table, ["x"]).numbers)) > 0.3
