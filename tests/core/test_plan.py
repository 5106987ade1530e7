import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.plan import Plan, label, plan_from_document, plan_to_document
from airflow_mltest.core.shards import Shard

words = st.text(max_size=20)
shards = st.builds(
    Shard,
    tests=st.lists(words, max_size=3).map(tuple),
    files=st.lists(words, max_size=3).map(tuple),
    seconds=st.floats(0, 1e6),
)
plans = st.builds(
    Plan,
    shards=st.lists(shards, max_size=3).map(tuple),
    broken=st.dictionaries(words, words, max_size=2),
    reasons=st.dictionaries(words, words, max_size=2),
    everything=words,
    left_out=st.integers(0, 9),
    base=words,
    commit=words,
    recording=st.booleans(),
)


@given(plans)
def test_plan_survives_json(plan):
    again = plan_from_document(json.loads(json.dumps(plan_to_document(plan))))

    assert again == plan
    assert again.digest == plan.digest


def test_plan_of_another_split_or_commit_or_time_has_another_digest():
    one = Shard(tests=("a", "b"), files=("f",), seconds=2.0)
    halves = tuple(Shard(tests=(test,), files=("f",), seconds=1.0) for test in "ab")
    plans = [Plan(shards=(one,)), Plan(shards=halves), Plan(shards=(one,), commit="c"), Plan(created_at="now")]

    assert len({plan.digest for plan in plans}) == 4


@pytest.mark.parametrize("document", [None, [], {}, {"schema": "airflow-mltest/plan", "version": 99}])
def test_what_is_no_plan_is_refused(document):
    with pytest.raises(ConfigurationError, match="no plan of version 1"):
        plan_from_document(document)


def test_label_tells_a_person_what_is_in_a_shard():
    files = ("tests/unit/test_a.py", "tests/unit/test_b.py", "tests/unit/test_c.py")
    plan = Plan(
        shards=(
            Shard(tests=("x",) * 120, files=files, seconds=40.2),
            Shard(tests=("x",), files=("tests/" + "deep/" * 30 + "test_z.py",), seconds=0.2),
            Shard(tests=(), files=(), seconds=0.0),
        )
    )

    assert label(plan, 1) == "1/3 tests/unit/test_a.py and 2 more files: 120 tests, ~40 s"
    assert label(plan, 2).endswith("deep/test_z.py: 1 test, ~0 s")
    assert len(label(plan, 2)) < 100
    assert label(plan, 3) == "3/3 files that cannot be collected: 0 tests, ~0 s"
