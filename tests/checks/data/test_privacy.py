import json

import numpy as np
import pandas as pd
import pytest

from airflow_mltest.checks.data.personal_data import luhn
from airflow_mltest.checks.data.privacy import Privacy
from airflow_mltest.checks.data.subject import DataSubject
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

CARD = "4111111111111111"


def asked(rows, **more):
    return Privacy(**more).run(DataSubject(rows=pd.DataFrame(rows)))


def cards(size, seed=0):
    rng = np.random.default_rng(seed)
    stems = ["4" + "".join(map(str, rng.integers(0, 10, 14))) for _ in range(size)]
    return [stem + next(str(digit) for digit in range(10) if luhn(f"{stem}{digit}")) for stem in stems]


@pytest.mark.parametrize(
    "kind, text",
    [
        ("email", "write to Jane.Doe+x@mail.example.org, please"),
        ("card", "paid with 4111 1111 1111 1111 yesterday"),
        ("phone", "call +49 30 1234567"),
        ("iban", "GB82 WEST 1234 5698 7654 32"),
    ],
)
def test_what_looks_like_a_person_fails_and_is_never_shown(kind, text):
    case = asked({"note": ["nothing", text, None, "nothing"], "n": range(4)})

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].name == f"privacy[note,{kind}]"
    assert case.measurements[0].value == 0.25
    assert "1 of 4 rows of note look like" in case.detail
    assert "counted from 0 rows 1" in case.detail
    shown = json.dumps([case.detail, dict(case.facts)])
    assert not any(
        word in shown for word in text.split() if any(character.isdigit() or character == "@" for character in word)
    )


def test_harmless_texts_and_numbers_pass():
    case = asked({
        "text": ["a b", "12.5 %", "2026-01-31", "v1.2.3", "@home", ""],
        "n": range(6),
        "at": pd.date_range("2026-01-01", periods=6),
        "milliseconds": 1_767_225_600_000 + np.arange(6),
        "none": None,
        "mixed": [1, "x", None, 2.5, True, pd.Timestamp("2026-01-01")],
        "endless": [np.inf, -np.inf, np.nan, 1, 2, 3],
    })  # fmt: skip

    assert case.outcome is Outcome.PASSED
    assert case.measurements == ()
    assert case.detail.startswith("looked for e-mail addresses, card numbers")


@pytest.mark.parametrize("kept", [np.int64, np.float64, object, "Int64"])
def test_card_numbers_that_are_kept_as_numbers_count(kept):
    values = pd.Series([int(card) for card in cards(30)]).astype(kept)
    case = asked({"account": values})

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].value == 1


def test_identifiers_have_a_right_check_digit_by_chance_and_are_told():
    rng = np.random.default_rng(0)
    identifiers = 4 * 10**15 + rng.integers(0, 10**15, 2000)
    case = asked({"id": identifiers})

    assert case.outcome is Outcome.PASSED
    assert "as one in ten has by chance" in case.detail
    mixed = asked({"id": [*identifiers[:1000], *map(int, cards(300))]})
    assert mixed.outcome is Outcome.FAILED


def test_share_that_is_allowed_is_judged_beyond_luck():
    rows = {"note": ["a@example.org"] * 3 + ["x"] * 197}

    assert asked(rows, maximum=0.1).outcome is Outcome.PASSED
    assert asked(rows, maximum=0.02).outcome is Outcome.INCONCLUSIVE
    assert asked(rows, maximum=0.001).outcome is Outcome.FAILED


def test_columns_and_kinds_are_chosen():
    rows = {"mail": ["a@example.org"], "note": [CARD], "kind": pd.Series(["x"], dtype="category")}

    assert asked(rows, columns=["note"], kinds=["email"]).outcome is Outcome.PASSED
    assert asked(rows, without=["mail", "note"]).outcome is Outcome.PASSED
    assert asked(rows, without=["mail"], kinds="card").outcome is Outcome.FAILED
    assert asked({"k": pd.Series(["a@example.org"], dtype="category")}).outcome is Outcome.FAILED


def test_what_cannot_be_asked_is_said():
    with pytest.raises(ConfigurationError, match="did you mean 'note'"):
        asked({"note": ["x"]}, columns=["notes"])
    with pytest.raises(ConfigurationError, match="more than one column 'a'"):
        Privacy().run(DataSubject(rows=pd.DataFrame([[1, 2]], columns=["a", "a"])))
    with pytest.raises(ConfigurationError, match="there is no kind 'emial'; did you mean 'email'"):
        Privacy(kinds=["emial"])
    for wrong in ({"maximum": 1}, {"kinds": ()}, {"confidence": 1}):
        with pytest.raises(ConfigurationError, match="Privacy"):
            Privacy(**wrong)
