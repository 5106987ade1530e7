import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.model.segment_axes import axes_of
from airflow_mltest.checks.model.segments import find_segments


def search(rows, losses, seed=0, min_rows=60, **more):
    searched = np.random.default_rng(seed).random(len(losses)) < 2 / 3
    return find_segments(axes_of(rows, losses, searched), losses, searched, min_rows=min_rows, **more)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def numbers(seed, count=10_000, features=20):
    values = np.random.default_rng(seed).normal(size=(count, features))
    return pd.DataFrame(values, columns=[f"f{number}" for number in range(features)])


@pytest.mark.parametrize("seed", range(3))
def test_planted_segment_of_two_features_is_found_to_a_few_rows(seed):
    rows = numbers(seed)
    planted = rows["f3"].between(*np.quantile(rows["f3"], [0.3, 0.53]))
    planted &= rows["f11"].between(*np.quantile(rows["f11"], [0.6, 0.83]))
    rng = np.random.default_rng(seed)
    (worst, *_), complete = search(rows, (rng.random(10_000) < np.where(planted, 0.95, 0.1)).astype(float))

    assert complete
    assert overlap(worst.rows, planted) >= 0.98
    assert "f3" in worst.words
    assert "f11" in worst.words
    assert worst.surplus > 100


def test_segment_of_one_feature_is_told_by_one():
    rows = numbers(0, 3000, 5)
    rng = np.random.default_rng(0)
    losses = rng.exponential(np.where(rows["f2"] > 1, 4.0, 1.0))
    (worst, *_), _ = search(rows, losses)

    assert worst.words.startswith("f2 >= ")
    assert " and " not in worst.words


def test_segment_of_levels_and_missing_numbers_is_told_in_words():
    rows = numbers(0, 4000, 4)
    rng = np.random.default_rng(0)
    rows["country"] = rng.choice(["de", "nl", "fr", "be", "it"], size=4000)
    rows.loc[rng.random(4000) < 0.3, "f1"] = np.nan
    planted = rows["country"].isin(["de", "nl"]) & rows["f1"].isna()
    (worst, *_), _ = search(rows, (rng.random(4000) < np.where(planted, 0.9, 0.1)).astype(float))

    assert set(worst.words.split(" and ")) == {"f1 missing", "country in {de, nl}"}
    assert overlap(worst.rows, planted) == 1


def test_two_planted_segments_are_both_found_and_not_twice():
    rows = numbers(1, 6000, 6)
    planted = [(rows["f0"] > 1), (rows["f4"] < -1.2)]
    rng = np.random.default_rng(1)
    losses = (rng.random(6000) < np.where(planted[0] | planted[1], 0.8, 0.1)).astype(float)
    found, _ = search(rows, losses)

    assert [round(max(overlap(one.rows, mask) for mask in planted), 1) for one in found[:2]] == [1.0, 1.0]
    assert overlap(found[0].rows, found[1].rows) < 0.3


def test_noise_does_not_stand_out():
    surplus = []
    for seed in range(20):
        found, _ = search(numbers(seed, 2000, 8), (np.random.default_rng(seed).random(2000) < 0.2).astype(float))
        surplus.append(found[0].surplus)

    assert np.mean(np.array(surplus) > 0) <= 0.4


def test_where_all_losses_are_alike_there_is_no_segment():
    assert search(numbers(0, 500, 3), np.ones(500)) == ([], True)


def test_where_every_segment_is_too_small_there_is_none():
    found, _ = search(numbers(0, 100, 2), np.arange(100) % 2.0, min_rows=60)

    assert found == []


def test_search_that_has_no_time_says_so():
    found, complete = search(numbers(0, 500, 5), np.random.default_rng(0).random(500), deadline_s=0.0)

    assert not complete
    assert len(found) <= 1
