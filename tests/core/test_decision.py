import html
import json
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.criteria import SuitePassed, decide
from airflow_mltest.core.decision import Decision, Finding, as_markdown
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

_GATE = runpy.run_path(str(Path(__file__).parents[1] / "gate_evidence.py"))
CANDIDATE, evidence = _GATE["CANDIDATE"], _GATE["evidence"]
NOW, UNTIL = "2026-03-01T12:00:00+00:00", "2026-03-01T12:30:00+00:00"


@pytest.fixture
def document():
    return decide([SuitePassed("quality")], [evidence()], CANDIDATE).to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"findings": None},
        {"findings": [{"criterion": "suite quality"}]},
        {"findings": ["passed"]},
        {"model": 7},
        {"version": 3},
        {"version": None},
        {"digest": None},
        {"decided_at": None},
        {"note": "more than it should hold"},
        {"target": None},
        {"champion": 2},
        {"approved": 1},
        {"expires_at": None},
        {"expires_at": "tomorrow"},
        {"expires_at": "2026-03-01T12:00:00"},
        {"subject": None},
        {"subject": {"commit": 7}},
        {"subject": ["commit"]},
        {"evidence": {"quality": {"address": "/reports/quality.json"}}},
        {"evidence": {"quality": {"address": "/reports/quality.json", "digest": None}}},
        {"evidence": {"quality": "sha256:a"}},
    ],
)
def test_document_of_another_shape_is_no_decision(document, change):
    with pytest.raises(ConfigurationError, match="not a decision of GateOperator, pass its output"):
        Decision.from_dict({**document, **change})


@pytest.mark.parametrize(
    "key",
    [
        "model", "version", "digest", "champion", "approved", "findings", "evidence", "decided_at", "target",
        "expires_at", "subject",
    ],
)  # fmt: skip
def test_document_that_lacks_a_field_is_no_decision(document, key):
    del document[key]

    with pytest.raises(ConfigurationError, match="not a decision"):
        Decision.from_dict(document)


@pytest.mark.parametrize("document", [None, "approved", [], {}, {"approved": True}, 1])
def test_anything_else_is_no_decision(document):
    with pytest.raises(ConfigurationError, match="not a decision"):
        Decision.from_dict(document)


@pytest.mark.parametrize("holds", [False, "yes", 1, None])
def test_approval_that_its_findings_do_not_bear_out_is_refused(document, holds):
    document["findings"][0]["holds"] = holds

    with pytest.raises(ConfigurationError, match="says approved, its findings do not"):
        Decision.from_dict(document)


def test_approval_without_findings_is_refused(document):
    with pytest.raises(ConfigurationError, match="its findings do not"):
        Decision.from_dict(document | {"findings": []})


def test_decisions_that_differ_in_anything_have_another_id(document):
    changes = [{}, {"version": "4"}, {"champion": None}, {"decided_at": "2026-03-01T12:00:01+00:00"}]
    changes += [{"target": "x@y"}, {"expires_at": ""}, {"subject": {"commit": "abc"}}, {"evidence": {}}]

    assert len({Decision.from_dict(document | change).id for change in changes}) == len(changes)


@given(st.lists(st.booleans(), max_size=4), st.booleans())
def test_verdict_that_somebody_edits_is_never_taken_for_an_approval(holds, approved):
    findings = [{"criterion": "c", "holds": hold, "seen": "s", "wanted": "w"} for hold in holds]
    document = decide([SuitePassed("quality")], [evidence()], CANDIDATE).to_dict()
    document |= {"findings": findings, "approved": approved}

    if approved and not (holds and all(holds)):
        with pytest.raises(ConfigurationError, match="its findings do not"):
            Decision.from_dict(document)
    else:
        assert Decision.from_dict(document).approved is approved


# What a person sees.


def test_decision_shows_its_verdict_a_row_for_each_finding_and_its_evidence():
    decision = decide(
        [SuitePassed("unit"), SuitePassed("quality")],
        [evidence("unit", kind="code", subject={"commit": "abc"}), evidence("quality", Outcome.FAILED)],
        CANDIDATE,
    )

    assert as_markdown(decision).splitlines() == [
        "### churn version 3 is refused",
        "",
        f"To become churn@champion, in place of version 2. Decided at {NOW}, on evidence that counts until {UNTIL}.",
        "",
        f"About artifacts sha256:{'a' * 64}, commit abc.",
        "",
        "| | criterion | seen | wanted |",
        "|---|---|---|---|",
        "| ✅ | suite unit | passed (1 passed) | passed |",
        "| ❌ | suite quality | failed (1 failed): case 0 | passed |",
        "",
        "Evidence:",
        "",
        "- quality: /reports/quality.json (sha256:quality)",
        "- unit: /reports/unit.json (sha256:unit)",
    ]


def test_decision_of_a_first_release_without_evidence_is_shown_as_well():
    shown = as_markdown(decide([], [], replace(CANDIDATE, champion=None, max_age=None)))

    assert f"in place of nothing. Decided at {NOW}." in shown
    assert shown.endswith("Evidence:\n\n- none\n")


def told(text):
    """One decision that says a text wherever it can."""
    finding = Finding(criterion=text, holds=True, seen=text, wanted=text)
    found = {text: {"address": text, "digest": text}}
    return Decision(
        model=text, version=text, digest=text, champion=text, approved=True, findings=(finding,), evidence=found,
        decided_at=text, target=text, expires_at=text, subject={text: text},
    )  # fmt: skip


@pytest.mark.parametrize(
    "text, never",
    [
        ("<script>alert(1)</script>", "<script"),
        ('<img src=x onerror="alert(1)">', "<img"),
        ("a | b", "a | b"),
        ("[click](javascript:alert(1))", "[click]("),
        ("![x](http://x/y.png)", "![x]"),
        ("**bold**", "**"),
        ("`code`", "`code`"),
        ("back\\slash|", "slash|"),
        ("&lt;b&gt;", "&lt;b"),
    ],
)
def test_text_of_a_test_or_a_user_is_shown_as_it_is_and_formats_nothing(text, never):
    shown = as_markdown(told(text))

    assert never not in shown
    (row,) = [line for line in shown.splitlines() if line.startswith("| ✅")]
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", row)[2:-1]
    assert [html.unescape(re.sub(r"\\([^\w\s])", r"\1", cell)).strip() for cell in cells] == [text] * 3


@given(st.text(max_size=2000))
def test_table_keeps_its_shape_whatever_the_texts_are(text):
    lines = as_markdown(told(text)).split("\n")

    assert len(lines) == len(as_markdown(told("x")).split("\n"))
    assert max(map(len, lines)) < 20_000
    (row,) = [line for line in lines if line.startswith("| ✅")]
    assert len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) == 5
    assert json.dumps(lines)
