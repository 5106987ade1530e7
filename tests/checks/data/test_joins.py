import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.checks.data.joins import key_codes

PARTS = st.lists(st.tuples(st.sampled_from([1, 2, None]), st.sampled_from(["a", "b", None])), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(PARTS, PARTS)
def test_keys_have_the_same_number_exactly_where_all_their_parts_are_the_same(one, other):
    tables = [pd.DataFrame(rows, columns=["n", "w"]).astype({"n": "Int64", "w": object}) for rows in (one, other)]
    codes = key_codes(*tables, ("n", "w"))

    for left, key in zip(codes[0], one, strict=True):
        assert (left < 0) == (None in key)
        for right, against in zip(codes[1], other, strict=True):
            assert (left == right and left >= 0) == (key == against and None not in key)


def test_times_as_keys_meet_in_any_zone():
    naive = pd.DataFrame({"at": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    aware = pd.DataFrame({"at": naive["at"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")})
    one, other = key_codes(naive, aware, ("at",))

    assert one.tolist() == other.tolist()


def test_categories_and_empty_columns_are_keys_too():
    one = pd.DataFrame({"k": pd.Series(["a", "b"], dtype="category")})
    codes = key_codes(one, pd.DataFrame({"k": ["b", "c"]}), ("k",))

    assert codes[0][1] == codes[1][0]
    assert key_codes(one, pd.DataFrame({"k": [None, None]}), ("k",))[1].tolist() == [-1, -1]
