import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.criteria import MetricAgainstChampion, SuitePassed, decide
from airflow_mltest.core.gate_tags import as_tag, champion_figures, gate_tags
from airflow_mltest.core.outcome import Case, Measurement, Outcome

_GATE = runpy.run_path(str(Path(__file__).parents[1] / "gate_evidence.py"))
NOW, HOUR, SUBJECT, CANDIDATE = _GATE["NOW"], _GATE["HOUR"], _GATE["SUBJECT"], _GATE["CANDIDATE"]
evidence, shards = _GATE["evidence"], _GATE["shards"]
ABOUT_DATA = SUBJECT | {"data_digest": "sha256:d"}
PASSED = [SuitePassed("quality")]


def tags_of(criteria, pieces, candidate=CANDIDATE):
    return gate_tags(decide(criteria, pieces, candidate), pieces, candidate)


def test_tags_say_what_was_decided_why_and_until_when():
    decision = decide(PASSED, [evidence(auc=0.9, subject=ABOUT_DATA)], CANDIDATE)
    tags = gate_tags(decision, [evidence(auc=0.9, subject=ABOUT_DATA)], CANDIDATE)

    assert {key.removeprefix("mltest.gate"): value for key, value in tags.items()} == {
        "": "approved",
        ".decision": decision.id,
        ".decided_at": "2026-03-01T12:00:00+00:00",
        ".expires_at": "2026-03-01T12:30:00+00:00",
        ".target": "churn@champion",
        ".subject": '{"data_digest": "sha256:d"}',
        ".reasons": "[]",
        ".evidence": '{"quality": {"address": "/reports/quality.json", "digest": "sha256:quality"}}',
        ".metrics": '{"quality": {"data_digest": "sha256:d", "metrics": {"auc": 0.9}}}',
    }


@pytest.mark.parametrize("outcome, place", [(Outcome.PASSED, -1), (Outcome.FAILED, 0)])
def test_approval_is_written_last_and_a_refusal_first(outcome, place):
    assert list(tags_of(PASSED, [evidence("quality", outcome)]))[place] == "mltest.gate"


def test_figures_that_one_gate_writes_are_those_that_the_next_one_compares_with():
    figures = champion_figures(tags_of(PASSED, [evidence(auc=0.9, subject=ABOUT_DATA)]))
    next_one = replace(CANDIDATE, champion_figures=figures)
    criterion = MetricAgainstChampion(suite="quality", metric="auc", max_drop=0.01)

    assert decide([criterion], [evidence(auc=0.895, subject=ABOUT_DATA)], next_one).approved
    assert not decide([criterion], [evidence(auc=0.885, subject=ABOUT_DATA)], next_one).approved


@pytest.mark.parametrize(
    "piece",
    [
        evidence(auc=0.9),
        evidence(auc=float("nan"), subject=ABOUT_DATA),
        evidence(auc=0.9, subject=ABOUT_DATA | {"version": "2"}),
        evidence(auc=0.9, subject=ABOUT_DATA, started_at=NOW - 2 * HOUR),
        evidence(auc=0.9, subject=ABOUT_DATA, doubt="altered"),
        evidence(auc=0.9, subject=ABOUT_DATA, incomplete="killed"),
        shards("quality", {"auc": 0.9, "subject": ABOUT_DATA}, {"auc": 0.9, "subject": SUBJECT | {"data_digest": "x"}}),
    ],
)
def test_figures_of_no_known_data_or_of_no_evidence_are_not_written(piece):
    assert tags_of(PASSED, [piece])["mltest.gate.metrics"] == "{}"


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", "0.9", '"x"', "NaN"])
def test_figures_that_cannot_be_read_are_none(text):
    assert champion_figures({} if text is None else {"mltest.gate.metrics": text}) == {}


def test_tags_of_huge_evidence_stay_below_what_a_registry_takes():
    cases = tuple(
        Case(
            name="ü" * 300 + str(number),
            outcome=Outcome.FAILED,
            measurements=(Measurement(name=f"m{number}", value=1.5),),
        )
        for number in range(5_000)
    )
    pieces = [
        evidence(f"suite {number} {'ü' * 1_000}", cases=cases[:20], subject=ABOUT_DATA | {f"key {number}": "x" * 5_000})
        for number in range(300)
    ]
    pieces += [evidence("small", auc=0.9, subject=ABOUT_DATA), evidence("large", cases=cases, subject=ABOUT_DATA)]
    tags = tags_of([SuitePassed(piece.suite.name) for piece in pieces], pieces)

    assert max(map(len, tags.values())) < 100_000
    assert all(json.loads(tags[f"mltest.gate.{key}"]) for key in ("reasons", "evidence", "subject", "metrics"))
    assert "more" in json.loads(tags["mltest.gate.reasons"])[-1]
    assert champion_figures(tags)["small"]["metrics"] == {"auc": 0.9}
    assert "large" not in champion_figures(tags)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4_000), st.integers(0, 200), st.booleans())
def test_tag_holds_all_or_says_how_much_is_missing(items, size, mapping):
    texts = [f"{number:05}{'x' * size}" for number in range(items)]
    read = json.loads(as_tag({text: text for text in texts} if mapping else texts))
    kept = [text for text in read if text in set(texts)]

    assert kept == texts[: len(kept)]
    if len(kept) < items:
        last = read["…"] if mapping else read[-1]
        assert last == f"{items - len(kept)} more"
    else:
        assert len(read) == items
