import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.attacks.constraints import Constraints
from airflow_mltest.attacks.search import Search

NUMBERS = ["income", "debt", "age", "late", "years"]
NAMES = ["job", "owner", "town"]


def rest(rows):
    return rows.assign(left=rows["income"].astype(float) - rows["debt"].fillna(0))


@pytest.mark.parametrize("method", ["scores", "labels"])
def test_smallest_change_of_a_row_is_the_same_whoever_is_attacked_with_it(loans, lender, aim, method):
    target, pool = aim(lender, loans, attacked=range(60), scores=method == "scores")
    search = Search(method=method, budgets=(0.25, 1.0, 4.0), pool=pool, seed=5)

    whole = search.run(target)
    part = search.attack(target, np.arange(17, 24))

    assert whole.found.mean() > 0.9
    np.testing.assert_array_equal(whole.size[17:24], part.size)
    assert whole.rows.iloc[17:24].equals(part.rows)
    assert len(whole.found) == len(whole.rows) == 60


def test_search_ends_when_time_is_over_with_what_it_has(loans, lender, aim):
    calls = []
    target, pool = aim(lender, loans, attacked=range(60), out_of_time=lambda: len(calls) > 60)
    ask = target.ask
    target.ask = lambda frame: (calls.append(1), ask(frame))[1]
    told = []

    found = Search(method="labels", budgets=(1.0,), pool=pool).run(target, on_progress=lambda *now: told.append(now))

    assert 0 < len(found.found) < 60
    assert told[-1] == (len(found.found), 60)


@pytest.mark.parametrize("rows", [0, 60])
def test_no_row_or_no_time_is_nothing_found(loans, lender, aim, rows):
    target, pool = aim(lender, loans, attacked=range(rows), out_of_time=lambda: True)

    found = Search(method="scores", budgets=(1.0,), pool=pool).run(target)

    assert (len(found.found), len(found.rows), found.changed.shape) == (0, 0, (0, 10))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_the_constraints_are_every_adversary_obeys_them(loans, lender, aim, data):
    draw = data.draw
    movable = draw(st.permutations([*NUMBERS, *NAMES]))
    immutable = tuple(movable[: draw(st.integers(0, 4))])
    free = [name for name in NUMBERS if name not in immutable]
    increasing = tuple(draw(st.sets(st.sampled_from(free)))) if free else ()
    decreasing = tuple(name for name in free if name not in increasing and draw(st.booleans()))
    budget = draw(st.sampled_from([0.3, 1.0, 3.0]))
    most = draw(st.sampled_from([None, 1, 3]))
    least = draw(st.floats(0, 20_000))
    constraints = Constraints(
        immutable=immutable,
        increasing=increasing,
        decreasing=decreasing,
        quantiles=draw(st.sampled_from([(0.0, 1.0), (0.05, 0.95)])),
        derived=("left",),
        repair=rest,
        valid=lambda rows: rows["income"] >= least,
    )
    method = draw(st.sampled_from(["scores", "labels"]))
    target, pool = aim(
        lender, loans, constraints=constraints, attacked=range(25), scores=method == "scores", max_features=most
    )

    found = Search(method=method, budgets=(budget,), pool=pool, seed=1).run(target)

    before, after = loans.head(25)[found.found], found.rows[found.found]
    assert after.dtypes.equals(before.dtypes)
    assert (after["since"] == before["since"]).all()
    assert (after.isna() == before.isna()).all().all()
    for name in immutable:
        assert ((after[name] == before[name]) | before[name].isna()).all()
    for name in increasing:
        assert ((after[name] >= before[name]) | before[name].isna()).all()
    for name in decreasing:
        assert ((after[name] <= before[name]) | before[name].isna()).all()
    for name in NUMBERS:
        units = (after[name] - before[name]).abs() / loans[name].astype(float).std(ddof=0)
        assert (units.dropna() <= budget * (1 + 1e-6)).all()
        low, high = np.quantile(loans[name].dropna().astype(float), constraints.quantiles)
        same = after[name] == before[name]
        assert (same | after[name].between(low, high) | before[name].isna() | ~before[name].between(low, high)).all()
    for name in NAMES:
        assert set(after[name]) <= set(loans[name])
        assert budget >= 1 or (after[name] == before[name]).all()
    np.testing.assert_array_equal(after["left"], rest(after)["left"])
    assert (after["income"] >= least).all()
    changed = sum((after[name] != before[name]).fillna(value=False).astype(int) for name in [*NUMBERS, *NAMES])
    assert most is None or (changed <= most).all()
    assert (target.ask(after) != target.answers[found.found]).all()
