"""Plan, shards and merge, one after the other as Airflow runs them, on a real git repository."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, TestsFailedError
from airflow_mltest.core.outcome import Outcome

Repository = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))["Repository"]


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path / "repository")
    (repository.folder / "conftest.py").write_text("")
    repository.commit(
        pkg__prices_py="def price(x):\n    return 2 * x\n",
        pkg__taxes_py="def tax(x):\n    return 3 * x\n",
        tests__test_prices_py="from pkg.prices import price\ndef test_price(): assert price(1) == 2\n",
        tests__test_taxes_py="from pkg.taxes import tax\n"
        "def test_tax(): assert tax(1) == 3\ndef test_zero(): assert tax(0) == 0\n",
    )
    return repository


class Run:
    """One DAG run: each operator is executed with a context of its own."""

    def __init__(self, folder, run_id, **group):
        self.folder, self.run_id, self.group = folder, run_id, group

    def context(self, task_id, map_index=-1, try_number=1):
        ti = SimpleNamespace(
            dag_id="d", run_id=self.run_id, task_id=task_id, map_index=map_index, try_number=try_number, xcoms={}
        )
        ti.xcom_push = ti.xcoms.__setitem__
        return {"ti": ti}

    def plan(self, shards=2, **own):
        from airflow_mltest.operators.plan import PlanTestsOperator

        operator = PlanTestsOperator(task_id="unit.plan", project=str(self.folder), shards=shards, **self.group, **own)
        self.shards = operator.execute(self.context("unit.plan"))
        return self.shards

    def test(self, number, try_number=1, **own):
        from airflow_mltest.operators.pytest import PytestOperator

        operator = PytestOperator(task_id="unit.tests", project=str(self.folder), shard=self.shards[number], **own)
        return operator.execute(self.context("unit.tests", number, try_number))

    def merge(self, **own):
        from airflow_mltest.operators.merge import MergeTestsOperator

        operator = MergeTestsOperator(
            task_id="unit.merge", plan="unit.plan", shards="unit.tests", project=str(self.folder), **own
        )
        return operator.execute(self.context("unit.merge"))

    def whole(self, **own):
        """Plan, run every shard, and merge, whatever the shards say."""
        for number in range(len(self.plan(**own))):
            try:
                self.test(number)
            except TestsFailedError:
                continue
        return self.merge()

    def suite(self):
        from airflow_mltest.reports.merge import merge
        from airflow_mltest.settings import open_store

        (suite,) = merge(kept.suite for kept in open_store().kept("d", self.run_id))
        return suite


@pytest.fixture
def run(report_root, repository):
    """Begin a DAG run over the repository."""
    return lambda run_id="r", **group: Run(repository.folder, run_id, **group)


def cases(suite):
    return {case.name: case.outcome for case in suite.cases}


ALL = ["tests/test_prices.py::test_price", "tests/test_taxes.py::test_tax", "tests/test_taxes.py::test_zero"]


def test_shards_run_every_test_once_and_merge_to_one_suite_under_the_groups_name(run):
    ran = run()
    summary = ran.whole()
    suite = ran.suite()

    assert [shard["tests"] for shard in ran.shards] == [2, 1]
    assert summary["counts"]["passed"] == 3
    assert sorted(cases(suite)) == ALL
    assert suite.name == "unit"
    assert suite.passed


def test_shard_collects_its_own_files_only(run, repository):
    ran = run()
    ran.plan(shards=2)
    (repository.folder / "tests" / "test_prices.py").write_text("import no_such_module\n")
    taxes = next(number for number, shard in enumerate(ran.shards) if shard["tests"] == 2)

    assert ran.test(taxes)["counts"]["passed"] == 2


def test_plan_names_its_shards_for_a_person(run):
    assert [shard["label"] for shard in run().plan(shards="2")] == [
        "1/2 tests/test_taxes.py: 2 tests, ~0 s",
        "2/2 tests/test_prices.py: 1 test, ~0 s",
    ]


def test_there_are_never_more_shards_than_airflow_maps_over(run, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "1")

    assert len(run().plan(shards=2)) == 1


def test_shards_are_balanced_by_what_tests_took_before(run, repository):
    repository.commit(
        tests__test_slow_py="import time\nimport pytest\n"
        "@pytest.mark.parametrize('n', range(4))\ndef test_slow(n): time.sleep(0.3)\n",
        tests__test_many_py="import pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_quick(n): pass\n",
    )
    run("first").whole(shards=1)
    again = run("second")
    again.plan(shards=2)

    assert sorted(shard["seconds"] > 0.5 for shard in again.shards) == [True, True]


def test_only_what_changed_since_the_last_passed_commit_can_reach_runs(run, repository):
    run("first", changed_since="last-passed").whole()
    repository.commit(pkg__taxes_py="def tax(x):\n    return 3 * x + 0\n")
    second = run("second", changed_since="last-passed")
    second.whole()

    assert sorted(cases(second.suite())) == ALL[1:]
    repository.commit(pkg__prices_py="def price(x):\n    return x + x\n")
    third = run("third", changed_since="last-passed")
    third.whole()
    assert sorted(cases(third.suite())) == ALL[:1]


def test_commit_that_failed_is_not_what_the_next_one_is_compared_with(run, repository):
    run("first", changed_since="last-passed").whole()
    repository.commit(pkg__taxes_py="def tax(x):\n    return 4 * x\n")
    with pytest.raises(TestsFailedError):
        run("second", changed_since="last-passed").whole()
    repository.commit(pkg__prices_py="def price(x):\n    return x + x\n")
    third = run("third", changed_since="last-passed")
    with pytest.raises(TestsFailedError):
        third.whole()

    assert sorted(cases(third.suite())) == ALL


def test_nothing_reached_is_no_shard_and_the_merge_is_skipped(run, repository):
    from airflow.sdk.exceptions import AirflowSkipException

    run("first", changed_since="last-passed").whole()
    repository.commit(pkg__taxes_py='def tax(x):\n    """Say more."""\n    return 3 * x  # the same\n')
    second = run("second", changed_since="last-passed")

    assert second.plan() == []
    with pytest.raises(AirflowSkipException, match="reaches a test"):
        second.merge()
    assert second.suite().outcome is Outcome.SKIPPED
    from airflow_mltest.operators.report import ReportOperator

    with pytest.raises(AirflowSkipException, match="reaches a test"):
        ReportOperator(task_id="report", required=["unit"]).execute(second.context("report"))


@pytest.mark.parametrize("since", ["last-passed", "no-such-branch", "0" * 40])
def test_selection_that_cannot_be_made_selects_everything(run, since):
    ran = run(changed_since=since)
    ran.whole()

    assert sorted(cases(ran.suite())) == ALL


def test_project_that_is_under_no_git_runs_everything(report_root, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "test_x.py").write_text("def test_x(): pass\n")
    ran = Run(tmp_path / "bare", "r", changed_since="last-passed")
    ran.whole()

    assert cases(ran.suite()) == {"test_x.py::test_x": Outcome.PASSED}


def test_file_that_cannot_be_collected_is_a_broken_case_of_the_merged_suite(run, repository):
    repository.commit(tests__test_bad_py="import no_such_module\n")
    ran = run()
    with pytest.raises(TestsFailedError, match=r"test_bad\.py"):
        ran.whole()

    assert cases(ran.suite()) == {**dict.fromkeys(ALL, Outcome.PASSED), "tests/test_bad.py": Outcome.BROKEN}


def test_shard_that_never_reported_is_told_test_by_test(run):
    ran = run()
    ran.plan()
    ran.test(1)
    with pytest.raises(TestsFailedError, match="2 of 3 cases"):
        ran.merge()

    broken = ran.suite().failures
    assert [case.name for case in broken] == ALL[1:]
    assert "shard 1/2, which never reported" in broken[0].detail


def test_merge_without_a_plan_says_so(run):
    with pytest.raises(BrokenRunError, match=r"plan\.json"):
        run().merge()


def test_shard_of_a_plan_that_was_made_anew_is_not_run(run):
    ran = run()
    old = ran.plan()
    time.sleep(0.01)
    ran.plan(shards=3)
    ran.shards = old

    with pytest.raises(BrokenRunError, match="made anew"):
        ran.test(0)


@pytest.mark.parametrize("shard", [{"plan": "unit.plan"}, "1/2", {"number": "x", "plan": "p", "digest": "d"}])
def test_shard_that_is_none_is_named(run, shard):
    ran = run()
    ran.shards = [shard]

    with pytest.raises(ConfigurationError, match="PlanTestsOperator"):
        ran.test(0)


@pytest.mark.parametrize("shards", [0, -1, "many", None])
def test_number_of_shards_that_cannot_be_is_refused(run, shards):
    with pytest.raises(ConfigurationError, match="shards is"):
        run().plan(shards=shards)


def test_project_without_tests_is_refused(report_root, tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(ConfigurationError, match="collected no tests"):
        Run(tmp_path / "empty", "r").plan()


SLOW = """
import os, time
def test_one():
    with open(os.environ["RAN"], "a") as file: file.write("one ")
def test_two():
    with open(os.environ["RAN"], "a") as file: file.write("two ")
    if os.environ["RAN"].endswith("first"): time.sleep(60)
def test_three():
    with open(os.environ["RAN"], "a") as file: file.write("three ")
"""


def test_shard_that_is_retried_runs_only_what_had_not_finished(run, repository, tmp_path, report_root):
    repository.commit(tests__test_prices_py=SLOW, tests__test_taxes_py="")
    ran = run()
    ran.plan(shards=1)
    script = tmp_path / "task.py"
    script.write_text(
        "import json, sys\nfrom types import SimpleNamespace\n"
        "from airflow_mltest.operators.pytest import PytestOperator\n"
        "ti = SimpleNamespace(dag_id='d', run_id='r', task_id='unit.tests', map_index=0, try_number=1)\n"
        "ti.xcom_push = lambda *_: None\n"
        f"PytestOperator(task_id='unit.tests', project={str(repository.folder)!r}, shard=json.loads(sys.argv[1]),\n"
        f"    env={{'RAN': {str(tmp_path / 'first')!r}}}).execute({{'ti': ti}})\n"
    )
    task = subprocess.Popen([sys.executable, str(script), json.dumps(ran.shards[0])], env=os.environ)
    deadline_s = time.monotonic() + 60
    while not (tmp_path / "first").exists() or "two" not in (tmp_path / "first").read_text():
        assert time.monotonic() < deadline_s, "the second test did not begin"
        time.sleep(0.05)
    time.sleep(0.5)
    task.send_signal(signal.SIGKILL)
    task.wait()
    summary = ran.test(0, try_number=2, env={"RAN": str(tmp_path / "again")})

    assert summary["counts"]["passed"] == 3
    assert (tmp_path / "again").read_text().split() == ["two", "three"]
    ran.merge()
    assert len(ran.suite().cases) == 3


def test_try_that_came_to_its_end_is_run_whole_again(run):
    ran = run()
    ran.plan(shards=1)
    ran.test(0)

    assert ran.test(0, try_number=2)["counts"]["passed"] == 3


def test_coverage_of_all_shards_is_one_figure_and_one_of_the_change(run, repository):
    base = repository.git("rev-parse", "HEAD")
    repository.commit(pkg__taxes_py="def tax(x):\n    if x > 9:\n        return 0\n    return 3 * x\n")
    ran = run(changed_since=base)
    ran.group["changed_since"] = None
    ran.plan()
    for number in range(2):
        ran.test(number, coverage=True)
    summary = ran.merge()

    assert summary["counts"]["passed"] == 4
    coverage = next(case for case in ran.suite().cases if case.name == "coverage")
    assert 0.5 < coverage.measurements[0].value < 1


def test_coverage_of_the_change_names_the_lines_that_no_test_runs(run, repository):
    base = repository.git("rev-parse", "HEAD")
    repository.commit(pkg__taxes_py="def tax(x):\n    if x > 9:\n        return 0\n    return 3 * x\n")
    ran = run(changed_since=base)
    ran.plan(shards=1)
    ran.test(0, coverage=True)
    ran.merge()

    change = next(case for case in ran.suite().cases if case.name == "coverage_of_change")
    assert "pkg/taxes.py: 3" in change.detail


def test_test_that_past_runs_know_to_be_flaky_says_so_when_it_fails(run, repository):
    for number, failing in enumerate(("", "1", "")):
        os.environ["BAD"] = failing
        if number == 0:
            repository.commit(tests__test_prices_py="import os\ndef test_price(): assert not os.environ['BAD']\n")
        try:
            run(f"r{number}").whole()
        except TestsFailedError:
            assert failing
    os.environ["BAD"] = "1"
    last = run("last")
    with pytest.raises(TestsFailedError):
        last.whole()
    del os.environ["BAD"]

    (case,) = last.suite().failures
    assert case.facts["flaky"] == "1 of 3 runs"
    assert last.suite().environment["flaky"] == {ALL[0]: "1 of 3 runs"}
