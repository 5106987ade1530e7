import json
import os
import platform

import numpy as np

from airflow_mltest.core.environment import conditions


def test_conditions_name_what_this_process_runs_on():
    found = conditions(["numpy"])

    assert found["python"] == platform.python_version()
    assert found["packages"] == {"numpy": np.__version__}
    assert 1 <= found["cpus"] <= os.cpu_count()
    assert found["cpu"]


def test_packages_that_are_absent_are_left_out():
    assert conditions(["no-such-distribution", "numpy"])["packages"].keys() == {"numpy"}


def test_conditions_are_strict_json():
    found = conditions(["numpy"])

    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_cpus_are_those_that_the_process_may_use():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert conditions([])["cpus"] == 1
    finally:
        os.sched_setaffinity(0, before)


def test_cpus_are_counted_where_the_system_has_no_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")

    assert conditions([])["cpus"] == os.cpu_count()
