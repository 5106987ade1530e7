import platform
import sys
from importlib.metadata import version

import mlflow.sklearn
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltest.core.deployment import Deployment
from airflow_mltest.integrations.mlflow_environment import differences, logged_with

HERE = platform.python_version()


@pytest.fixture
def model(tmp_path):
    """Write the files of a model that say what it was logged with."""

    def model(*requirements, python=HERE):
        (tmp_path / "requirements.txt").write_text("\n".join(requirements))
        (tmp_path / "python_env.yaml").write_text(f"python: {python}\ndependencies:\n- -r requirements.txt\n")
        return tmp_path

    return model


def own(**said):
    """A deployment of which nobody knows the interpreter."""
    return Deployment(command=("serve", "{port}"), **said)


def test_model_that_mlflow_has_saved_here_differs_in_nothing(tmp_path):
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    mlflow.sklearn.save_model(model, str(tmp_path / "model"), pip_requirements=["scikit-learn"])

    logged = logged_with(tmp_path / "model")
    assert logged.python == HERE
    assert {requirement.name for requirement in logged.requirements} >= {"mlflow", "scikit-learn"}
    assert differences(tmp_path / "model", Deployment()) == []


def test_package_that_is_pinned_otherwise_is_told_with_both_versions(model):
    folder = model("scikit-learn==1.7.2", "numpy>=2,<3")

    assert differences(folder, own(packages={"scikit_learn": "1.7.2", "numpy": "2.3.0"})) == []
    assert differences(folder, own(packages={"scikit-learn": "1.5.0", "numpy": "2.3.0"})) == [
        "packages: scikit-learn was logged as ==1.7.2, and is deployed as 1.5.0"
    ]
    assert differences(folder, own(packages={"scikit-learn": "1.7.2"})) == [], "numpy is not pinned"
    assert differences(folder, own(packages={"scikit-learn": "newest", "numpy": "2.3.0"})) == [
        "packages: scikit-learn was logged as ==1.7.2, and is deployed as newest"
    ]


def test_where_nothing_is_pinned_and_nobody_can_be_asked_nothing_is_compared(model):
    assert differences(model("scikit-learn==0.1"), own()) == []


def test_what_the_interpreter_has_is_compared_too(model):
    folder = model("numpy==1.0", f"pytest=={version('pytest')}", "no-such-package")

    assert differences(folder, Deployment()) == [
        f"python ({sys.executable}): numpy was logged as ==1.0, and is deployed as {version('numpy')}",
        f"python ({sys.executable}): no-such-package was logged as any version, and is not deployed",
    ]


def test_first_two_numbers_of_pythons_version_count(model):
    folder = model(python="3.10.4")

    assert differences(folder, own(python_version="3.10")) == []
    assert differences(folder, own(python_version="3.12.1")) == [
        "python_version: the model was logged with Python 3.10.4, and is deployed on 3.12.1"
    ]
    (difference,) = differences(folder, Deployment())
    assert difference.endswith(f"logged with Python 3.10.4, and is deployed on {HERE}")


def test_interpreter_that_cannot_be_asked_is_named(model):
    (mistake,) = differences(model(), Deployment(python="/no/such/python"))

    assert mistake == "python: '/no/such/python' cannot be asked for its packages: FileNotFoundError"


def test_lines_that_name_no_package_and_those_for_other_systems_are_left_out(model):
    folder = model(
        "", "# a comment", "-r other.txt", "git+https://host/x.git", "numpy; sys_platform == 'win32'", "pytest"
    )

    assert [requirement.name for requirement in logged_with(folder).requirements] == ["pytest"]


def test_model_that_says_nothing_of_its_environment_differs_in_nothing(tmp_path):
    assert differences(tmp_path, Deployment()) == []
