import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome, Suite
from airflow_mltest.core.quarantine import Quarantine

TODAY = date(2026, 11, 25)
FAILING = [Outcome.FAILED, Outcome.BROKEN]


def read(*tables, today=TODAY):
    text = "".join(f"[[tool.mltest.quarantine]]\n{table}\n" for table in tables)
    return Quarantine.read(text, today=today, path="shop/pyproject.toml")


def of(test, until="2026-12-31", rest=""):
    return f'test = {json.dumps(test)}\nuntil = {until}\nreason = "races, #12"\n{rest}'


def failed(name, outcome=Outcome.FAILED):
    return Case(name=name, outcome=outcome, detail="assert 1 == 2", duration_s=2.0, output="said", location="a.py:3")


@pytest.mark.parametrize(
    "text", ["", "[project]\nname = 'x'", "[tool.mltest]\nother = 1", "tool = 3", "tool.mltest = 1"]
)
def test_project_without_entries_has_nothing_in_quarantine(text):
    quarantine = Quarantine.read(text, today=TODAY, path="pyproject.toml")

    assert quarantine.judge(failed("a.py::test_a")) == failed("a.py::test_a")
    assert quarantine.unused(["a.py::test_a"]) == ()


@pytest.mark.parametrize("outcome", FAILING)
def test_failure_in_quarantine_is_told_and_does_not_count(outcome):
    case = read(of("a.py::test_a", rest='owner = "mila"')).judge(failed("a.py::test_a", outcome))

    assert (case.outcome, case.flaky) == (Outcome.SKIPPED, True)
    assert case.detail == f"quarantined until 2026-12-31 (races, #12, mila): {outcome}: assert 1 == 2"
    assert (case.output, case.duration_s, case.location) == ("said", 2.0, "a.py:3")
    assert case.facts["quarantine"] == {
        "until": "2026-12-31", "reason": "races, #12", "owner": "mila", "outcome": outcome.value,
    }  # fmt: skip
    assert json.loads(json.dumps(case.facts)) == case.facts
    beside = Case(name="a.py::test_b", outcome=Outcome.PASSED)
    assert Suite(name="unit", kind="code", cases=(case, beside)).passed


def test_failure_without_a_detail_and_an_entry_without_an_owner_leave_no_loose_ends():
    case = read(of("a.py::test_a")).judge(Case(name="a.py::test_a", outcome=Outcome.FAILED))

    assert case.detail == "quarantined until 2026-12-31 (races, #12): failed"


def test_attempts_of_a_quarantined_test_are_kept():
    attempts = [{"outcome": "failed", "detail": "a"}, {"outcome": "failed", "detail": "b"}]
    case = Case(name="a.py::test_a", outcome=Outcome.FAILED, facts={"attempts": attempts})

    assert read(of("a.py::test_a")).judge(case).facts["attempts"] == attempts


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome not in FAILING])
def test_quarantined_test_that_does_not_fail_keeps_its_outcome_and_says_that_it_is_in_quarantine(outcome):
    case = read(of("a.py::test_a")).judge(Case(name="a.py::test_a", outcome=outcome, detail="as it was"))

    assert (case.outcome, case.detail, case.flaky) == (outcome, "as it was", False)
    assert case.facts["quarantine"]["outcome"] == outcome.value


def test_last_day_of_a_quarantine_is_in_it_and_the_next_is_not():
    last = date(2026, 12, 31)
    table = of("a.py::test_a", until=last.isoformat())

    assert read(table, today=last).judge(failed("a.py::test_a")).outcome is Outcome.SKIPPED
    after = read(table, today=last + timedelta(days=1)).judge(failed("a.py::test_a"))
    assert after.outcome is Outcome.FAILED
    assert after.detail == "its quarantine ended on 2026-12-31 (races, #12): assert 1 == 2"
    assert (after.flaky, after.facts) == (False, {})


def test_quarantine_that_is_over_says_nothing_of_a_test_that_passes():
    passed = Case(name="a.py::test_a", outcome=Outcome.PASSED)

    assert read(of("a.py::test_a", until="2026-01-01")).judge(passed) == passed


@pytest.mark.parametrize(
    "named, test, covered",
    [
        ("t/a.py::test_a", "t/a.py::test_a", True),
        ("t/a.py::test_a", "t/a.py::test_a[x]", True),
        ("t/a.py::test_a", "t/a.py::test_a[x::y[z]]", True),
        ("t/a.py::test_a[x]", "t/a.py::test_a[x]", True),
        ("t/a.py::test_a[x*]", "t/a.py::test_a[x*]", True),
        ("t/a.py::TestA", "t/a.py::TestA::test_a[x]", True),
        ("t/a.py::TestA::TestB", "t/a.py::TestA::TestB::test_a", True),
        ("t/a.py", "t/a.py::TestA::test_a", True),
        ("t/a.py", "t/a.py", True),
        ("../other/a.py", "../other/a.py::test_a", True),
        ("t/[x]/a.py::test_a", "t/[x]/a.py::test_a[1]", True),
        ("t/a.py::test_a", "t/a.py::test_ab", False),
        ("t/a.py::test_a", "t/a.py", False),
        ("t/a.py::test_a[x]", "t/a.py::test_a[y]", False),
        ("t/a.py::test_a[x]", "t/a.py::test_a", False),
        ("t/a.py::test_a[x", "t/a.py::test_a[x::y]", False),
        ("t/a.py", "t/a.pyi::test_a", False),
        ("a.py", "t/a.py::test_a", False),
        ("t", "t/a.py::test_a", False),
    ],
)
def test_entry_covers_what_is_in_the_thing_that_it_names_and_nothing_else(named, test, covered):
    quarantine = read(of(named))

    assert (quarantine.judge(failed(test)).outcome is Outcome.SKIPPED) is covered
    assert bool(quarantine.unused([test])) is not covered


def test_narrowest_entry_speaks_first_and_a_wider_one_still_holds_when_it_is_over():
    both = [of("a.py::test_a", until="2026-11-01"), of("a.py", until="2026-12-01")]

    assert "until 2026-12-01" in read(*both).judge(failed("a.py::test_a")).detail
    both = [of("a.py", until="2026-12-01"), of("a.py::test_a", until="2026-12-31")]
    assert "until 2026-12-31" in read(*both).judge(failed("a.py::test_a[1]")).detail
    both = [of("a.py", until="2026-10-01"), of("a.py::test_a", until="2026-11-01")]
    assert "ended on 2026-11-01" in read(*both).judge(failed("a.py::test_a")).detail


def test_entries_that_cover_no_test_are_known():
    quarantine = read(of("a.py::test_a"), of("a.py::test_gone"), of("gone.py"))

    assert [entry.test for entry in quarantine.unused(["a.py::test_a[1]", "b.py::test_b"])] == [
        "a.py::test_gone",
        "gone.py",
    ]


@pytest.mark.parametrize(
    "table, said",
    [
        ('test = "a.py"\nuntil = 2026-12-31', "no reason"),
        ('test = "a.py"', "no until and no reason"),
        (of("a.py", rest="untill = 2026-12-31"), "unknown key 'untill'; did you mean 'until'?"),
        (of("a.py", rest="colour = 1"), "unknown key 'colour'; it may have test, until, reason, owner"),
        (of("a.py", until='"2026-12-31"'), "until is '2026-12-31', and no date; write it without quotes"),
        (of("a.py", until="2026-12-31T00:00:00"), "until is '2026-12-31 00:00:00', and no date"),
        (of("a.py", until="2027-05-25"), "more than 180 days ahead: give a date up to 2027-05-24"),
        (of("a.py", rest="owner = 3"), "owner is 3, and no text"),
        (of(" "), "test is ' ', and no text"),
        ('test = "a.py"\nuntil = 2026-12-31\nreason = ""', "reason is '', and no text; say why"),
        (of("tests/*.py"), "patterns are not known"),
        (of("a.py::test_?"), "patterns are not known"),
        (of("/home/x/a.py::test_a"), "no node id"),
        (of("./a.py::test_a"), "no node id"),
        (of("t\\a.py::test_a"), "no node id"),
        (of("C:/a.py"), "no node id"),
        (of("a.py::test_a "), "no node id"),
        (of("a.py::"), "names no file, class or test"),
        (of("tests/"), "what is in a folder"),
        (of("::test_a"), "names no file"),
    ],
)
def test_entry_that_cannot_mean_what_its_author_wants_is_refused_by_file_number_and_reason(table, said):
    with pytest.raises(ConfigurationError) as caught:
        read(of("other.py"), table)

    assert "shop/pyproject.toml: [[tool.mltest.quarantine]] no. 2" in str(caught.value)
    assert said in str(caught.value)


def test_day_that_is_just_near_enough_is_taken():
    assert read(of("a.py", until="2027-05-24")).entries["a.py"].until == TODAY + timedelta(days=180)


def test_test_that_two_entries_name_is_refused():
    with pytest.raises(ConfigurationError, match=r"no\. 2: 'a.py' is in an entry before it"):
        read(of("a.py"), of("a.py", until="2026-12-01"))


@pytest.mark.parametrize(
    "text, said",
    [
        ("[tool.mltest.quarantine]\ntest = 'a.py'", "with two brackets"),
        ("[[tool.mltest.quarantined]]\ntest = 'a.py'", "tool.mltest.quarantined means nothing"),
        ("[tool.mltest]\nquarantine = ['a.py']", "no. 1 is 'a.py', and no table"),
        ("[tool", "is no TOML"),
    ],
)
def test_file_that_does_not_list_tables_is_refused(text, said):
    with pytest.raises(ConfigurationError) as caught:
        Quarantine.read(text, today=TODAY, path="shop/pyproject.toml")

    assert "shop/pyproject.toml" in str(caught.value)
    assert said in str(caught.value)


names = st.lists(st.sampled_from(["a.py", "::TestA", "::test_a", "[1]", "::", "[", "x"]), min_size=1).map("".join)


@given(names, st.sampled_from(Outcome), st.booleans())
def test_nothing_but_a_failure_in_quarantine_ever_changes_its_outcome(name, outcome, over):
    quarantine = read(of("a.py"), today=date(2027, 1, 1) if over else TODAY)
    case = Case(name=name, outcome=outcome, detail="said")

    judged = quarantine.judge(case)

    covered = name == "a.py" or name.startswith("a.py::")
    assert (judged.outcome is not outcome) == (covered and not over and outcome in FAILING)
    assert judged.detail.endswith("said")
    if not covered:
        assert judged == case


def test_example_in_the_documentation_is_an_entry():
    text = (Path(__file__).parents[2] / "docs" / "flaky.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]

    quarantine = Quarantine.read(example, today=TODAY, path="docs/flaky.md")

    case = quarantine.judge(failed("tests/integration/test_release.py::test_two_releases_at_once"))
    assert case.detail.startswith("quarantined until 2026-12-31 (races for the lock, #412, mila): failed:")
