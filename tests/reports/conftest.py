import math
from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st

from airflow_mltest.core.outcome import Case, Measurement, Origin, Outcome, Suite

STARTED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def case():
    return lambda name="c", outcome="passed", **more: Case(name=name, outcome=Outcome(outcome), **more)


@pytest.fixture
def suite(case):
    """Make a suite of the task *name*; its cases are outcomes, or cases."""

    def make(name="s", *outcomes, kind="model", map_index=-1, try_number=1, origin=True, **more):
        cases = tuple(case(f"c{i}", o) if isinstance(o, str) else o for i, o in enumerate(outcomes))
        task = Origin(dag_id="d", run_id="r", task_id=name, map_index=map_index, try_number=try_number)
        more.setdefault("started_at", STARTED_AT)
        return Suite(name=name, kind=kind, cases=cases, origin=task if origin else None, **more)

    return make


@pytest.fixture
def nasty(case, suite):
    """A suite with everything in it that paper does not like."""
    evil = "<script>alert('x')</script> & \"quotes\" \x00\ud800\x1b[31m ☃"
    measured = (
        Measurement(name=f"auc[{evil}]", value=math.nan, minimum=0.5),
        Measurement(name="p95_ms", value=12.5, low=11.0, high=14.0, maximum=20.0, confidence=0.9),
        Measurement(name="share", value=0.4, low=0.3, high=math.inf, minimum=0.35, maximum=0.9),
    )
    cases = (
        case(evil, "failed", detail=evil * 30, output=evil, location="a.py:3", measurements=measured),
        case("tests/a.py::test_b[1]", "broken", detail="why", facts={"when": STARTED_AT, "x": math.nan, "of": {1, 2}}),
        case("c", "inconclusive", detail="two\nlines"),
        case("d", "skipped", detail="not now"),
        case("e", flaky=True),
    )
    return suite("nasty", *cases, subject={"model": evil}, environment={"seed": 3, "packages": {"numpy": "2"}})


@pytest.fixture
def rich_suite():
    return Suite(
        name="model_tests",
        kind="model",
        origin=Origin(dag_id="release", run_id="manual__1", task_id="model_tests", map_index=2, try_number=3),
        subject={"model": "churn", "version": "7"},
        environment={"python": "3.11", "cpus": 4, "threads": {"omp": 2}},
        started_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        duration_s=12.5,
        incomplete="stopped by a user",
        cases=(
            Case(
                name="accuracy",
                outcome=Outcome.FAILED,
                detail="0.71 is less than 0.8.\nLook at region <north>.",
                duration_s=1.25,
                measurements=(
                    Measurement(name="accuracy", value=0.71, low=0.68, high=0.74, minimum=0.8, confidence=0.95),
                ),
                facts={"worst": ["north", 3]},
                output="Traceback: \x1b[31mred\x1b[0m\n",
                location="tests/model.py:12",
            ),
            Case(name="noise", outcome=Outcome.INCONCLUSIVE, detail="30 rows cannot tell; 400 would."),
            Case(name="latency", outcome=Outcome.BROKEN, measurements=(Measurement(name="p95_ms", value=math.nan),)),
            Case(name="memory", outcome=Outcome.PASSED, flaky=True),
            Case(name="fairness", outcome=Outcome.SKIPPED, detail="no such column"),
        ),
    )


text = st.text(max_size=300)
numbers = st.one_of(st.none(), st.floats(width=32))
measurements = st.builds(
    Measurement, name=text, value=st.floats(), low=numbers, high=numbers, minimum=numbers, maximum=numbers
)
facts = st.dictionaries(text, st.one_of(st.floats(), text, st.lists(st.integers(), max_size=3)), max_size=2)
CASES = st.builds(
    Case,
    name=text,
    outcome=st.sampled_from(Outcome),
    detail=st.text(max_size=3000),
    duration_s=st.floats(0, 1e6),
    measurements=st.lists(measurements, max_size=2).map(tuple),
    facts=facts,
    output=text,
    location=text,
    flaky=st.booleans(),
)
SUITES = st.builds(
    Suite,
    name=st.sampled_from(["a", "b"]),
    kind=st.just("code"),
    cases=st.lists(CASES, max_size=4).map(tuple),
    origin=st.builds(
        Origin,
        dag_id=st.just("d"),
        run_id=st.just("r"),
        task_id=st.just("a"),
        map_index=st.integers(-1, 2),
        try_number=st.integers(1, 3),
    ),
    subject=st.dictionaries(text, text, max_size=2),
    started_at=st.datetimes(timezones=st.just(UTC)),
    duration_s=st.floats(0, 1e6),
    incomplete=st.sampled_from(["", "killed"]),
)


@pytest.fixture(scope="session")
def suites():
    """The Hypothesis strategy of all suites."""
    return SUITES
