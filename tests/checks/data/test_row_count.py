import pandas as pd
import pytest

from airflow_mltest.checks.data.row_count import RowCount
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

TEN = pd.DataFrame({"a": range(10)})


@pytest.mark.parametrize(
    "check, outcome",
    [
        (RowCount(minimum=10), Outcome.PASSED),
        (RowCount(minimum=11), Outcome.FAILED),
        (RowCount(maximum=9), Outcome.FAILED),
        (RowCount(minimum=0.5, maximum=0.5, of_reference=True), Outcome.PASSED),
        (RowCount(minimum=0.9, of_reference=True), Outcome.FAILED),
    ],
)
def test_rows_are_counted_absolutely_or_against_the_reference(check, outcome):
    case = check.run(DataSubject(rows=TEN, reference=pd.concat([TEN, TEN])))

    assert case.outcome is outcome
    assert case.measurements[0].name == "row_count"


def test_share_of_no_reference_is_an_error():
    with pytest.raises(ConfigurationError, match="needs a `reference`"):
        RowCount(of_reference=True).run(DataSubject(rows=TEN))
