import os

import pytest

from airflow_mltest.testing.variables import variables


def test_variables_hold_in_the_body_and_are_taken_back_after_it(monkeypatch):
    monkeypatch.setenv("MLTESTX_OLD", "old")
    monkeypatch.setenv("MLTESTX_HIDDEN", "hidden")

    with variables({"MLTESTX_OLD": "new"}, of=("MLTESTX_",), without=("MLTESTX_HIDDEN",)):
        assert os.environ["MLTESTX_OLD"] == "new"
        assert "MLTESTX_HIDDEN" not in os.environ
        os.environ["MLTESTX_MORE"] = "left behind"
        del os.environ["MLTESTX_OLD"]

    assert {name: value for name, value in os.environ.items() if name.startswith("MLTESTX_")} == {
        "MLTESTX_OLD": "old",
        "MLTESTX_HIDDEN": "hidden",
    }


def test_variables_are_taken_back_after_a_failure():
    with pytest.raises(ZeroDivisionError), variables({"MLTESTX_A": "1"}, of=("MLTESTX_",)):
        _ = 1 / 0

    assert "MLTESTX_A" not in os.environ


def test_other_variables_are_left_alone(monkeypatch):
    monkeypatch.setenv("OTHER", "1")

    with variables({}, of=("MLTESTX_",)):
        os.environ["OTHER"] = "2"

    assert os.environ["OTHER"] == "2"
