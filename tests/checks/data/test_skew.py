import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.data.skew import Skew
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

ROWS = 1000


@pytest.fixture
def trained():
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "id": rng.permutation(ROWS),
        "x": rng.normal(size=ROWS),
        "count": rng.integers(0, 9, ROWS),
        "word": rng.choice(["a", "b", None], ROWS),
    })  # fmt: skip


@pytest.fixture
def served(trained):
    return trained.sample(frac=1, random_state=1).reset_index(drop=True)


def asked(rows, reference, **more):
    return Skew(**{"keys": "id", **more}).run(DataSubject(rows=rows, reference=reference))


def measured(case):
    return {one.name: one.value for one in case.measurements}


def test_same_values_in_another_order_pass(trained, served):
    case = asked(served, trained)

    assert case.outcome is Outcome.PASSED
    assert measured(case) == {"skew[x]": 0, "skew[count]": 0, "skew[word]": 0}
    assert case.detail == "3 of 3 columns are the same in all 1000 rows"
    assert case.facts == {}


def test_columns_that_differ_are_named_with_how_far_and_shown(trained, served):
    served.loc[:9, "x"] += np.arange(1, 11)
    served.loc[5:9, "count"] += 2
    case = asked(served, trained)

    assert case.outcome is Outcome.FAILED
    assert measured(case) == {"skew[x]": 0.01, "skew[count]": 0.005, "skew[word]": 0}
    assert "10 of 1000 rows differ in x by 5.5 in the median and 10 at most" in case.detail
    assert "1 of 3 columns are the same" in case.detail
    example = case.facts["examples"][0]
    was = trained.set_index("id").loc[int(example["row"]), "x"]
    assert example["before"]["x"] == was
    assert example["after"]["x"] == served.set_index("id").loc[int(example["row"]), "x"]
    assert case.figures[0].series[0].x == ("x", "count")


def test_missing_on_one_side_differs_and_on_both_does_not(trained, served):
    trained["x"] = np.nan
    assert asked(served.assign(x=np.nan), trained).outcome is Outcome.PASSED
    case = asked(served, trained)

    assert case.outcome is Outcome.FAILED
    assert "1000 of them are missing in one of the two" in case.detail


def test_rounding_to_single_precision_is_no_skew(trained, served):
    served["x"] = served["x"].astype("float32")

    assert asked(served, trained).outcome is Outcome.PASSED
    assert asked(served, trained, tolerance=0).outcome is Outcome.FAILED


def test_numbers_served_as_texts_are_told_with_both_types(trained, served):
    case = asked(served.assign(count=served["count"].astype(str)), trained)

    assert case.outcome is Outcome.FAILED
    assert "it is int64 in the reference and" in case.detail


def test_share_that_is_allowed_is_judged_beyond_luck_over_all_columns(trained, served):
    served.loc[:9, "x"] += 1

    assert asked(served, trained, maximum=0.03).outcome is Outcome.PASSED
    assert asked(served, trained, maximum=0.001).outcome is Outcome.FAILED
    unclear = asked(served, trained, maximum=0.012)
    assert unclear.outcome is Outcome.INCONCLUSIVE
    assert "rows would decide" in unclear.detail


def test_keys_that_are_missing_double_or_on_one_side_are_told_and_not_compared(trained, served):
    trained["id"] = trained["id"].astype("Int64")
    trained.loc[0, "id"] = pd.NA
    served = pd.concat([served, served.head(2).assign(x=99)], ignore_index=True)
    served.loc[10, "id"] = 5000
    case = asked(served, trained)

    assert case.outcome is Outcome.PASSED
    assert "1 rows of the reference have no id" in case.detail
    assert "2 keys are in the data more than once, and were not compared" in case.detail
    assert "1 keys are in the reference only" in case.detail
    assert "keys are in the data only" in case.detail


def test_key_of_two_columns_is_joined_by_both(trained, served):
    both = [table.assign(day=table["id"] % 2, id=table["id"] // 2) for table in (trained, served)]

    assert asked(both[1], both[0], keys=("id", "day")).outcome is Outcome.PASSED
    with pytest.raises(ConfigurationError, match="500 keys are in the reference more than once"):
        asked(both[1], both[0])


def test_columns_of_one_side_are_told_unless_they_are_asked_for(trained, served):
    case = asked(served.drop(columns="word").assign(extra=1), trained)

    assert case.outcome is Outcome.PASSED
    assert "only the reference has word" in case.detail
    assert "only the data has extra" in case.detail
    with pytest.raises(ConfigurationError, match="did you mean 'word'"):
        asked(served.rename(columns={"word": "words"}).assign(word=1), trained, columns=["wrod"])


def test_what_cannot_be_compared_is_said(trained, served):
    def refused(match, rows=served, reference=trained, **more):
        with pytest.raises(ConfigurationError, match=match):
            asked(rows, reference, **more)

    refused("compares with a reference", reference=None)
    refused("there is no column 'key'", keys="key")
    refused("no key .* nothing can be compared", rows=served.assign(id=served["id"] + ROWS))
    refused("1000 rows of the data have no id", rows=served.assign(id=np.nan))
    refused("is int64 in the reference and", rows=served.assign(id="a"))
    refused("more than one column 'x'", rows=pd.concat([served, served[["x"]]], axis=1))
    refused("no column in common", rows=served[["id"]])


@pytest.mark.parametrize("wrong", [{"keys": ()}, {"maximum": -1}, {"tolerance": np.nan}, {"confidence": 0.4}])
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="Skew"):
        Skew(**{"keys": "id", **wrong})


def test_one_row_is_judged():
    row = pd.DataFrame({"id": [1], "x": [2.0]})

    assert asked(row, row).outcome is Outcome.PASSED
