"""A part of a project's tests, and what an earlier try has left of it."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.pytest_runner import PytestCommand

P, F, B, S = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN, Outcome.SKIPPED

TWO = "def test_a(): pass\ndef test_b(): pass\n"
NOTES_IMPORT = "open({here!r} + '/imported', 'a').write(__name__ + ' ')\n" + TWO


@pytest.fixture
def noted(project, tmp_path):
    """A project whose files note that they were imported; and what they noted."""
    here = str(tmp_path)
    names = {f"tests/test_{n}.py": NOTES_IMPORT.format(here=here) for n in range(3)}
    folder = project(NOTES_IMPORT.format(here=here), **names, **{"pytest.ini": "[pytest]\n"})
    return folder, lambda: set((tmp_path / "imported").read_text().split())


def outcomes(recording):
    return {case.name: case.outcome for case in recording.cases}


@pytest.mark.parametrize(
    "args", [(), ("tests", "test_it.py"), ("tests/test_2.py", "tests/test_0.py::test_a", "."), ("gone",)]
)
def test_files_are_all_that_is_collected_and_ids_stay_what_they_are(noted, run, args):
    folder, imported = noted
    found = run(folder, args=args, files=(str(folder / "tests" / "test_1.py"),))

    assert outcomes(found) == {"tests/test_1.py::test_a": P, "tests/test_1.py::test_b": P}
    assert imported() == {"test_1"}


def test_package_fixtures_and_order_are_those_of_the_whole_run(project, run):
    fixture = "import pytest\n@pytest.fixture(autouse=True)\ndef deep(): open('order', 'a').write('deep ')\n"
    test = "def test_x(): open('order', 'a').write(__name__ + ' ')\n"
    names = {f"tests/deep/test_{n}.py": test for n in "cab"}
    folder = project(
        **{"tests/deep/conftest.py": fixture, "tests/__init__.py": "", "tests/deep/__init__.py": "", **names}
    )
    files = tuple(str(folder / f"tests/deep/test_{n}.py") for n in "ba")
    found = run(folder, files=files)

    assert list(outcomes(found)) == ["tests/deep/test_a.py::test_x", "tests/deep/test_b.py::test_x"]
    assert (folder / "order").read_text() == "deep tests.deep.test_a deep tests.deep.test_b "


def test_five_thousand_ids_do_not_go_over_the_command_line(project, run):
    folder = project("import pytest\n@pytest.mark.parametrize('n', range(5000))\ndef test_x(n): assert n % 1000 == 7")
    planned = frozenset(f"test_it.py::test_x[{n}]" for n in range(7, 5000, 1000)) | {"x" * 3_000_000}
    found = run(folder, only=planned)

    assert sorted(outcomes(found).values()) == [B, P, P, P, P, P]
    assert found.environment["unplanned"] == 4995
    assert found.total == 6


def test_planned_test_that_is_not_there_is_broken_and_others_are_left_out_and_counted(project, run):
    folder = project(TWO, test_bad="import no_such_module", test_away="import pytest\npytest.importorskip('no_such')")
    gone = {"test_it.py::test_gone", "test_bad.py::test_x", "test_away.py::test_x", "gone/test_it.py::test_x"}
    found = run(folder, only=frozenset({"test_it.py::test_a", *gone}))

    cases = {case.name: case for case in found.cases}
    assert {name: case.outcome for name, case in cases.items()} == {
        "test_it.py::test_a": P, "test_it.py::test_gone": B, "gone/test_it.py::test_x": B,
        "test_bad.py": B, "test_bad.py::test_x": B, "test_away.py": S, "test_away.py::test_x": S,
    }  # fmt: skip
    assert "planned and not collected (its parameters" in cases["test_it.py::test_gone"].detail
    assert "see test_bad.py" in cases["test_bad.py::test_x"].detail
    assert found.environment["unplanned"] == 1


def test_nothing_of_what_was_planned_is_there(project, run, tmp_path):
    found = run(project(TWO), only=frozenset({"test_gone.py::test_x"}), files=(str(tmp_path / "test_gone.py"),))

    assert outcomes(found) == {"test_gone.py::test_x": B}


def test_planned_test_of_a_file_that_takes_pytest_down_is_broken(project, run):
    planned = frozenset({"test_dies.py::test_x", "test_it.py::test_a"})
    found = run(project(TWO, test_dies="import os; os._exit(0)"), only=planned)

    assert outcomes(found) == {"test_dies.py": B, "test_dies.py::test_x": B, "test_it.py::test_a": P}


def test_what_an_earlier_try_has_answered_is_not_asked_again(project, run):
    folder = project("def test_a(): assert 0\ndef test_b(): assert 0\ndef test_c(): pass\ndef test_d(): pass")
    recording = Recording("unit", "code")
    recording.recall(
        [
            Case(name="test_it.py::test_a", outcome=P),
            Case(name="test_it.py::test_c", outcome=B, facts={"unfinished": True}),
            Case(name="(exit)", outcome=B),
        ]
    )
    run(folder, recording)

    assert outcomes(recording) == {
        f"test_it.py::test_{n}": outcome for n, outcome in zip("abcd", (P, F, P, P), strict=True)
    }
    assert recording.total == 4


def test_everything_was_answered_by_an_earlier_try(project, run):
    recording = Recording("unit", "code")
    recording.recall([Case(name=f"test_it.py::test_{n}", outcome=P) for n in "ab"])
    run(project(TWO), recording)

    assert outcomes(recording) == {"test_it.py::test_a": P, "test_it.py::test_b": P}


def test_when_the_budget_is_spent_each_test_says_so_and_another_try_goes_on(project, run):
    tests = (
        "import os, time\n"
        "def test_a(): pass\n"
        "def test_slow():\n    if not os.path.exists('again'): time.sleep(60)\n"
        "def test_z(): pass\n"
    )
    folder, recording = project(tests), Recording("unit", "code")
    with pytest.raises(BrokenRunError, match=r"the suite's budget of 4 s is spent: 2 of 3 tests"):
        run(folder, recording, budget_s=4)

    cases = {case.name.partition("::")[2]: case for case in recording.cases}
    assert {name: case.outcome for name, case in cases.items()} == {"test_a": P, "test_slow": B, "test_z": B}
    assert "the suite's budget of 4 s is spent" in cases["test_slow"].detail
    assert "in test_slow" in cases["test_slow"].output
    assert "it has not run" in cases["test_z"].detail
    (folder / "again").touch()
    run(folder, recording, budget_s=60)
    assert [case.outcome for case in recording.cases] == [P, P, P]


def test_budget_counts_reruns_too_and_keeps_what_failed(project, run):
    tests = (
        "import os, time\n"
        "def test_x():\n    again = os.path.exists('seen'); open('seen', 'w').close()\n"
        "    if again: time.sleep(60)\n    assert 0\n"
    )
    recording = Recording("unit", "code")
    with pytest.raises(BrokenRunError, match="budget"):
        run(project(tests), recording, reruns=1, budget_s=4)

    assert [(case.outcome, case.facts.get("unfinished")) for case in recording.cases] == [(F, True)]


def test_rerun_collects_only_the_files_of_what_failed_and_says_whether_it_ran_alone(noted, run, project):
    folder, imported = noted
    flaky = "import os\ndef test_x():\n    again = os.path.exists('x'); open('x', 'w').close()\n    assert again\n"
    (folder / "test_flaky.py").write_text(flaky)
    (folder / "test_order.py").write_text(
        "def test_y():\n    import test_it\n    assert not hasattr(test_it, 'spoiled')\n"
    )
    (folder / "test_a.py").write_text("def test_spoils():\n    import test_it; test_it.spoiled = 1\n")
    marks = folder.parent / "imported"
    recording = Recording("unit", "code", on_case=lambda *_: marks.write_text("") if marks.exists() else None)
    run(folder, recording, reruns=1)

    for name in ("test_flaky.py::test_x", "test_order.py::test_y"):
        case = next(case for case in recording.cases if case.name == name)
        assert (case.outcome, case.flaky) == (P, True)
        attempts = [(one["outcome"], one["alone"]) for one in case.facts["attempts"]]
        assert attempts == [("failed", False), ("passed", True)]
    assert imported() <= {"test_it"}  # which the test itself imports


def test_many_failures_share_one_process(project, run):
    found = run(project("\n".join(f"def test_{n}(): assert 0" for n in range(8))), reruns=1)

    assert [case.outcome for case in found.cases] == [F] * 8
    assert all([one["alone"] for one in case.facts["attempts"]] == [False, False] for case in found.cases)


def test_known_flaky_test_does_not_fail_the_suite_until_its_quarantine_ends(project, run):
    entry = '[[tool.mltest.quarantine]]\ntest = "test_it.py::test_x"\nuntil = {until}\nreason = "T-1"\n'
    folder = project("def test_x(): assert 0", **{"pyproject.toml": entry.format(until="2020-01-01")})
    (ended,) = run(folder).cases
    until = datetime.now(UTC).date() + timedelta(days=9)
    (folder / "pyproject.toml").write_text(entry.format(until=until))
    found = run(folder)

    assert ended.outcome is F
    assert [(case.outcome, case.flaky) for case in found.cases] == [(S, True)]  # and no case for exit code 1
    (folder / "pyproject.toml").write_text("[[tool.mltest.quarantine]]\ntest = 1\n")
    with pytest.raises(ConfigurationError, match="quarantine"):
        run(folder)


def test_records_are_kept_and_the_environment_is_told(project, run, tmp_path):
    folder = project("import code_\ndef test_x(): assert code_.f() == 1", code_="def f(): return 1\n")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "settings.json").write_text(json.dumps({"root": str(folder), "cache": ""}))
    found = run(folder, record=str(tmp_path / "records"))

    assert outcomes(found) == {"test_it.py::test_x": P}
    told = "".join(path.read_text() for path in tmp_path.glob("records/*.jsonl"))
    lines = [json.loads(line) for line in told.splitlines() if line]
    assert "test_it.py::test_x" in [line.get("test") for line in lines]
    assert ["code_.py", "f"] in [line["function"][1:] for line in lines if "function" in line]
    assert len(found.environment["environment"]) == 32


def test_coverage_of_all_processes_is_kept_also_of_workers_and_under_a_limit_of_the_projects(project, run, tmp_path):
    import coverage

    tests = "import os, code_\ndef test_x(): code_.f()\ndef test_dies(): os._exit(1)\ndef test_y(): code_.g()\n"
    ini = "[pytest]\naddopts = --cov=code_ --cov-fail-under=99\n"
    source = "def f():\n    return 1\ndef g():\n    return 2\ndef h():\n    return 3\n"
    folder = project(tests, code_=source, **{"pytest.ini": ini})
    for args in ((), ("-n", "2")):
        into = tmp_path / f"coverage{len(args)}"
        found = run(folder, args=args, coverage=str(into), env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""})
        data = coverage.CoverageData(basename=str(into / "all"))
        for path in into.glob(".coverage*"):
            one = coverage.CoverageData(basename=str(path))
            one.read()
            data.update(one)

        assert [case.outcome for case in found.cases if case.name.startswith("(")] == []
        assert 4 in data.lines(str(folder / "code_.py"))


@pytest.mark.parametrize(
    "own, said",
    [
        ({"files": ("tests/test_a.py",)}, "absolute"),
        ({"budget_s": 0}, "budget_s"),
        ({"budget_s": float("nan")}, "budget_s"),
    ],
)
def test_what_cannot_be_meant_is_refused(own, said):
    with pytest.raises(ConfigurationError, match=said):
        PytestCommand(project=".", **own)


def test_recorder_without_settings_and_coverage_that_is_not_installed_are_named(project, run, tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match=r"no settings\.json"):
        run(project(TWO), record=str(tmp_path))
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    (blocks / "sitecustomize.py").write_text("import sys\nsys.modules['coverage'] = None\n")
    with pytest.raises(ConfigurationError, match="coverage is not installed"):
        run(project(TWO), coverage=str(tmp_path), env={"PYTHONPATH": str(blocks)}, python=sys.executable)
