import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from airflow_mltest import checks
from airflow_mltest.checks import Drift, Freshness, LabelShift, Leakage, Privacy, RowCount, Schema, Skew
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

ROWS = 300
MARKER = re.compile(r"MARKER|7313|7\.31|1987", re.IGNORECASE)
SECRET = ["key", "email", "plan", "amount", "at", "label", "turned"]


def drawn(seed):
    """Draw a table of which every value has a marker, but those of `open`."""
    rng = np.random.default_rng(seed)
    names = [f"MARKER{number}" for number in range(ROWS)]
    return pd.DataFrame({
        "key": names,
        "email": [f"{name}@example.com {'MARKER ' * seed}" for name in names],
        "plan": pd.Categorical(rng.choice(["MARKER-a", "MARKER-b"], ROWS, p=[0.2 + 0.6 * seed, 0.8 - 0.6 * seed])),
        "amount": 73130 + rng.normal(size=ROWS) + seed,
        "at": pd.Timestamp("1987-06-05", tz="UTC") + pd.to_timedelta(rng.integers(0, 99, ROWS), unit="h"),
        "label": rng.choice(["MARKER-yes", "MARKER-no"], ROWS, p=[0.2 + 0.6 * seed, 0.8 - 0.6 * seed]),
        "turned": [f"MARKER{number}" if seed else 73130 for number in range(ROWS)],
        "open": rng.normal(size=ROWS) + 3 * seed,
    }).set_index("key", drop=False)  # fmt: skip


TRAIN, TEST = drawn(0), drawn(1)
COPIED = pd.concat([TEST[:200], TRAIN[200:]])
NOW = datetime(1990, 1, 1, tzinfo=UTC)
SHOWING = {
    "Drift": [
        (Drift(), TEST),
        (Drift(columns=["amount"], method="psi"), TEST),
        (Drift(columns=["plan"], method="jensen_shannon"), TEST),
        (Drift(columns=["email"]), TEST),
        (Drift(columns=["turned"]), TEST),
    ],
    "LabelShift": [(LabelShift(target="label"), TEST), (LabelShift(target="amount"), TEST)],
    "Skew": [(Skew(keys="key"), TEST), (Skew(keys=["key", "plan"], columns=["amount"]), COPIED.assign(amount=0))],
    "Leakage": [
        (Leakage(keys="key", time="at", target="label"), COPIED),
        (Leakage(columns=["plan", "amount", "at"], near=0), COPIED),
        (Leakage(keys="key", columns=["open"]), TEST.assign(open=0)),
    ],
    "Freshness": [
        (Freshness(column="at", max_age=24, max_age_of_oldest=48, now=NOW), TEST),
        (Freshness(column="at", max_age=24, now=datetime(1980, 1, 1, tzinfo=UTC)), TEST),
    ],
}
SILENT = {
    "Privacy": [(Privacy(), TEST)],
    "RowCount": [(RowCount(minimum=1000), TEST)],
    "Schema": [(Schema(columns={"plan": "double", "at": "string", "turned": "long", "gone": "long"}), TEST)],
}


def ask(check, rows, redact):
    return check.run(DataSubject(rows=rows, reference=TRAIN, redact=redact))


def each(cases):
    return [
        pytest.param(*case, id=f"{name}-{place}") for name, all_ in cases.items() for place, case in enumerate(all_)
    ]


def test_every_data_check_is_among_those_that_are_asked():
    named = {name for name, module in checks._MODULES.items() if module.startswith("checks.data.")}

    assert named == SHOWING.keys() | SILENT.keys()


@pytest.mark.parametrize("redact", [SECRET, ["*"]], ids=["named", "all"])
@pytest.mark.parametrize("check, rows", each(SHOWING | SILENT))
def test_no_value_of_a_redacted_column_is_anywhere_in_the_case(check, rows, redact):
    case = ask(check, rows, redact)

    assert case.outcome is Outcome.FAILED
    assert not MARKER.search(repr(case))


@pytest.mark.parametrize("check, rows", each(SHOWING))
def test_what_is_redacted_is_shown_else_and_changes_no_verdict_and_no_number(check, rows):
    shown, hidden = ask(check, rows, ()), ask(check, rows, SECRET)

    assert MARKER.search(repr(shown))
    assert (hidden.outcome, hidden.measurements) == (shown.outcome, shown.measurements)


def test_columns_that_are_not_named_are_still_shown():
    case = ask(Drift(columns=["open", "plan"]), TEST, ["plan"])

    assert re.search(r"distance of open .*; the median .* became", case.detail)
    assert re.search(r"Cramér's V of plan .*; what changed is redacted", case.detail)
    assert [figure.x for figure in case.figures] == ["open"]


def test_examples_keep_the_row_and_the_names_of_redacted_columns():
    rows = COPIED.reset_index(drop=True)
    (first, *_) = ask(Leakage(columns=["plan", "open"]), rows, ["plan"]).facts["examples"]

    assert first["row"] == 200
    assert first["after"] == {"plan": "redacted", "open": rows["open"][200]}


def test_row_is_told_by_its_place_where_its_name_may_be_a_redacted_value():
    unnamed = TEST.rename_axis(index=None)

    assert DataSubject(rows=unnamed, redact=["email"]).label(unnamed, 7) == 7
    assert DataSubject(rows=TEST, redact=["email"]).label(TEST, 7) == "MARKER7"
    assert DataSubject(rows=unnamed).label(unnamed, 7) == "MARKER7"


def test_one_text_is_no_list_of_columns():
    with pytest.raises(ConfigurationError, match=r"\['email'\]"):
        DataSubject(rows=TEST, redact="email")


def test_counts_of_a_redacted_column_stay():
    case = ask(Skew(keys="key", columns=["amount"]), COPIED.assign(amount=[np.nan, *COPIED["amount"][1:]]), ["amount"])

    assert "of 300 rows differ in amount 1 of them are missing in one of the two" in case.detail
