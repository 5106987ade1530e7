import subprocess
import sys

import pytest

import airflow_mltest.checks


@pytest.mark.parametrize("name", airflow_mltest.checks.__all__)
def test_each_check_that_is_listed_is_there(name):
    assert getattr(airflow_mltest.checks, name).__name__ == name


def test_all_that_can_be_loaded_is_listed():
    assert set(airflow_mltest.checks._MODULES) == set(airflow_mltest.checks.__all__)


def test_what_is_no_check_is_refused_by_name():
    with pytest.raises(ImportError, match="cannot import name 'Metrik'"):
        from airflow_mltest.checks import Metrik  # noqa: F401


def test_a_dag_that_names_one_check_loads_no_other():
    code = (
        "import sys; from airflow_mltest.checks import RowCount; print([n for n in sys.modules if 'checks.model' in n])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
