from types import SimpleNamespace

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.operators.project import open_project


@pytest.fixture
def bundle(tmp_path):
    """A version of a DAG bundle, as Airflow lays it."""
    folder = tmp_path / "versions" / "abc"
    (folder / "ml").mkdir(parents=True)
    (folder / "ml" / "test_it.py").write_text("def test_x(): pass\n")
    return SimpleNamespace(name="dags", path=folder, version="abc")


def in_bundle(bundle):
    return {"ti": SimpleNamespace(bundle_instance=bundle)}


def test_relative_project_lies_in_the_bundle_at_its_commit(bundle):
    with open_project("ml", in_bundle(bundle)) as project:
        assert (project.folder, project.commit, project.name) == (bundle.path / "ml", "abc", "dags/ml")


def test_absolute_project_in_the_bundle_has_its_commit_and_any_other_none(bundle, tmp_path):
    with open_project(str(bundle.path / "ml"), in_bundle(bundle)) as project:
        assert project.commit == "abc"
    with open_project(str(tmp_path), in_bundle(bundle)) as project:
        assert project.commit == ""
    with open_project(str(tmp_path), {"ti": SimpleNamespace()}) as project:
        assert project.folder == tmp_path


def test_relative_project_without_a_bundle_is_refused():
    with pytest.raises(ConfigurationError, match="absolute path or a Checkout"), open_project("ml", in_bundle(None)):
        pass


def test_run_leaves_nothing_in_a_bundle_that_other_tasks_read(bundle, report_root, bare_context):
    from airflow_mltest.operators.pytest import PytestOperator
    from airflow_mltest.settings import open_store

    bare_context["ti"].bundle_instance = bundle
    PytestOperator(task_id="t", project="ml").execute(bare_context)

    assert [path.name for path in bundle.path.rglob("*")] == ["ml", "test_it.py"]
    assert open_store().kept("d", "r")[0].suite.subject == {"commit": "abc"}
