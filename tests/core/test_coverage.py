import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.coverage import ChangeCoverage, CoverageResult, cases_of
from airflow_mltest.core.metrics import metrics_of
from airflow_mltest.core.outcome import Outcome, Suite

FILES = {"src/a.py": 62.5, "src/b.py": 100.0}


def result(percent=81.25, **changed):
    return CoverageResult(**{"percent": percent, "files": FILES, "branch": True, "fail_under": 80.0, **changed})


@pytest.mark.parametrize(
    "percent, fail_under, precision, enough",
    [
        (80.0, 80, 0, True),
        (79.6, 80, 0, True),  # coverage.py rounds, too
        (79.6, 80, 1, False),
        (79.4, 80, 0, False),
        (99.99, 100, 0, False),
        (100.0, 100, 0, True),
        (0.0, 0, 0, True),
        (None, 0, 0, False),
    ],
)
def test_enough_is_what_coverage_itself_calls_enough(percent, fail_under, precision, enough):
    assert result(percent, fail_under=fail_under, precision=precision).enough is enough


@given(st.floats(0, 100), st.integers(0, 100), st.integers(0, 3))
def test_enough_never_differs_from_coverages_own_rule(percent, fail_under, precision):
    results = pytest.importorskip("coverage.results", reason="it is not installed where only the pure tests run")

    ours = result(percent, fail_under=float(fail_under), precision=precision).enough
    assert ours is not results.should_fail_under(percent, float(fail_under), precision)


def test_coverage_that_is_enough_has_passed_and_is_a_number_with_its_bound():
    (case,) = cases_of(result())

    assert (case.name, case.outcome) == ("coverage", Outcome.PASSED)
    assert case.detail == "81 % of the lines and branches of 2 files are covered; fail_under is 80 %"
    (measured,) = case.measurements
    assert (measured.name, measured.value, measured.minimum) == ("coverage", 0.8125, 0.8)
    assert case.facts == {"files": FILES}


def test_coverage_that_is_not_enough_has_failed_and_names_the_worst_files():
    (case,) = cases_of(result(70.0, branch=False, precision=1))

    assert case.outcome is Outcome.FAILED
    assert case.detail.splitlines() == [
        "70.0 % of the lines of 2 files are covered; fail_under is 80 %",
        "least covered: src/a.py 62.5 %, src/b.py 100 %",
    ]


def test_many_files_are_told_by_the_worst_ten():
    files = {f"src/{number}.py": float(number) for number in range(30)}
    (case,) = cases_of(result(70.0, files=files))

    assert case.detail.endswith("src/9.py 9 %, and 20 more")


def test_project_that_asks_for_nothing_passes_without_a_bound():
    (case,) = cases_of(result(3.0, fail_under=0.0))

    assert (case.outcome, case.measurements[0].minimum) == (Outcome.PASSED, None)
    assert "fail_under" not in case.detail


def test_coverage_of_a_selection_is_told_and_not_judged():
    (case,) = cases_of(result(3.0), whole=False)

    assert (case.outcome, case.measurements[0].value, case.measurements[0].minimum) == (Outcome.PASSED, 0.03, None)
    assert "by the selected tests alone" in case.detail


def test_too_little_coverage_while_data_were_lost_is_broken_and_enough_of_it_is_enough():
    lost = {"problems": ("d1: DataError: torn",)}
    (short,) = cases_of(result(70.0, **lost))
    (enough,) = cases_of(result(**lost))

    assert (short.outcome, enough.outcome) == (Outcome.BROKEN, Outcome.PASSED)
    for case in (short, enough):
        assert case.detail.endswith("1 left out: d1: DataError: torn")


def test_nothing_that_ran_is_no_proof_of_missing_tests_but_of_a_blind_measurement():
    (asked,) = cases_of(result(0.0))
    (told,) = cases_of(result(0.0, fail_under=0.0))

    assert (asked.outcome, told.outcome) == (Outcome.BROKEN, Outcome.PASSED)
    for case in (asked, told):
        assert "no line of it ran where coverage.py could see it" in case.detail
        assert case.measurements[0].value == 0.0


def test_no_coverage_at_all_is_broken_and_says_what_to_look_at():
    (case,) = cases_of(CoverageResult())
    assert (case.outcome, case.measurements) == (Outcome.BROKEN, ())
    assert "did the tests run with coverage.py" in case.detail

    (case,) = cases_of(CoverageResult(problems=("d1: DataError: torn",)))
    assert case.detail.splitlines() == ["nothing could be counted", "1 left out: d1: DataError: torn"]


def test_changed_lines_that_are_not_covered_are_named():
    missing = {"src/a.py": (12, 13, 14, 20), "src/b.py": (1, 3, 5, 6)}
    change = ChangeCoverage(statements=10, covered=2, missing=missing, unmeasured=("tests/c.py",))
    _, case = cases_of(result(change=change))

    assert (case.name, case.outcome) == ("coverage_of_change", Outcome.PASSED)
    assert case.detail.splitlines() == [
        "2 of 10 changed statements are covered",
        "src/a.py: 12-14, 20",
        "src/b.py: 1, 3, 5-6",
        "not measured: tests/c.py",
    ]
    assert [(one.name, one.value) for one in case.measurements] == [("coverage_of_change", 0.2)]


def test_change_without_statements_says_so_and_is_no_number():
    cases = cases_of(result(change=ChangeCoverage(statements=0, covered=0)))

    assert cases[1].outcome is Outcome.SKIPPED
    assert cases[1].detail == "there is no statement among the changed lines"
    suite = Suite(name="unit", kind="code", cases=cases)
    assert suite.passed
    assert metrics_of(suite) == {"coverage": 0.8125}


@given(st.sets(st.integers(1, 60), min_size=1))
def test_ranges_name_each_missing_line_once(lines):
    change = ChangeCoverage(statements=99, covered=0, missing={"a.py": tuple(sorted(lines))})
    _, case = cases_of(result(change=change))

    told = []
    for part in case.detail.splitlines()[1].removeprefix("a.py: ").split(", "):
        first, _, last = part.partition("-")
        told += range(int(first), int(last or first) + 1)
    assert told == sorted(lines)
