import json
import os
import platform
import socket
from dataclasses import replace

import numpy as np
import pytest

from airflow_mltest.core.environment import Offered, compare, conditions, differences, offered
from airflow_mltest.core.profile import Profile

WORKER = Offered(
    host="w1",
    cpus=2.0,
    memory_gib=8.0,
    gpus=("NVIDIA A100",),
    python="3.11.7",
    packages={"numpy": "2.4.6"},
    env={"TZ": "UTC", "API_TOKEN": "sesame"},
    image="worker:1.4",
)


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


@pytest.fixture
def nvidia(tmp_path):
    """A folder with a tool that answers for GPUs, as the real one does."""

    def make(script):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        return {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    return make


def test_worker_is_what_this_process_has():
    asked = Profile(packages={"numpy": "1.0", "no-such-distribution": "1.0"}, env={"TZ": "UTC", "GONE": "x"})

    found = offered(asked, {"TZ": "UTC", "OTHER": "x", "MLTEST_IMAGE": "worker:1.4"})

    assert (found.host, found.python, found.image) == (socket.gethostname(), platform.python_version(), "worker:1.4")
    assert 0 < found.cpus <= os.cpu_count()
    assert 0 < found.memory_gib * 2**30 <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") + 1
    assert found.packages == {"numpy": np.__version__}
    assert found.env == {"TZ": "UTC"}


def test_quota_and_limit_count_where_they_are_less_than_the_machine(tmp_path):
    for path, text in {
        "proc/self/cgroup": "0::/",
        "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw",
        "proc/meminfo": "MemTotal:       16777216 kB",
        "sys/fs/cgroup/cpu.max": "50000 100000",
        "sys/fs/cgroup/memory.max": str(2**30),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{text}\n")

    assert (offered(Profile(), {}, tmp_path).cpus, offered(Profile(), {}, tmp_path).memory_gib) == (0.5, 1.0)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max")
    assert offered(Profile(), {}, tmp_path).memory_gib == 16.0


def test_record_of_a_worker_is_strict_json_without_the_values_of_variables():
    found = WORKER.to_dict()

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["env"] == ["API_TOKEN", "TZ"]
    assert "sesame" not in str(found) + repr(WORKER)


def test_what_agrees_is_no_difference():
    asked = Profile(
        cpus=2,
        memory_gib=8,
        gpus=1,
        python="3.11",
        packages={"numpy": "2.4.6"},
        image="worker:1.4",
        env={"TZ": "UTC", "API_TOKEN": "sesame"},
    )

    assert differences(asked, WORKER) == []
    assert len(compare(asked, WORKER)) == 8


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"cpus": 4}, "cpus: wanted 4, this worker has 2"),
        ({"memory_gib": 16}, "memory_gib: wanted 16 GiB, this worker has 8 GiB"),
        ({"gpus": 2, "queue": "gpu"}, "gpus: wanted 2, this worker has 1 (NVIDIA A100)"),
        ({"python": "3.12"}, "python: wanted 3.12, this worker has 3.11.7"),
        ({"python": "3.11.9"}, "python: wanted 3.11.9, this worker has 3.11.7"),
        ({"packages": {"numpy": "2.0.1"}}, "packages[numpy]: wanted 2.0.1, this worker has 2.4.6"),
        ({"packages": {"torch": "2.9.0"}}, "packages[torch]: wanted 2.9.0, this worker has no such package"),
        ({"image": "worker:1.5"}, "image: wanted worker:1.5, this worker has worker:1.4"),
        ({"env": {"TZ": "CET"}}, "env[TZ]: wanted 'CET', this worker has 'UTC'"),
        ({"env": {"GONE": "x"}}, "env[GONE]: wanted a value that is not shown, this worker has none"),
        ({"env": {"API_TOKEN": "open"}}, "env[API_TOKEN]: wanted a value that is not shown, this worker has another"),
    ],
)
def test_difference_is_named(asked, words):
    (different,) = differences(Profile(**asked), WORKER)

    assert str(different) == words
    assert different.same is False


def test_cpus_and_memory_agree_within_two_percent():
    asked = Profile(cpus=2, memory_gib=8)

    assert differences(asked, replace(WORKER, cpus=1.99, memory_gib=7.9)) == []
    assert [one.field for one in differences(asked, replace(WORKER, cpus=1.9, memory_gib=8.3))] == [
        "cpus",
        "memory_gib",
    ]


@pytest.mark.parametrize(
    "asked, worker",
    [
        ({"image": "worker:1.4"}, replace(WORKER, image="")),
        ({"gpus": 1, "queue": "gpu"}, replace(WORKER, gpus=None)),
        ({"memory_gib": 8}, replace(WORKER, memory_gib=None)),
    ],
)
def test_what_cannot_be_known_is_neither_the_same_nor_another(asked, worker):
    assert [one.same for one in differences(Profile(**asked), worker)] == [None]


def test_gpus_are_counted_as_their_tool_lists_them(nvidia):
    two = "echo 'GPU 0: NVIDIA A100 (UUID: GPU-1)'; echo 'GPU 1: NVIDIA T4 (UUID: GPU-2)'"

    assert offered(Profile(), nvidia(two)).gpus == ("NVIDIA A100", "NVIDIA T4")
    assert offered(Profile(), nvidia(two) | {"CUDA_VISIBLE_DEVICES": "0"}).gpus == ("NVIDIA A100",)
    assert offered(Profile(), nvidia(two) | {"CUDA_VISIBLE_DEVICES": ""}).gpus == ()


def test_gpu_that_is_cut_counts_as_its_parts(nvidia):
    cut = (
        "echo 'GPU 0: NVIDIA A100 (UUID: GPU-1)';"
        "echo '  MIG 1g.5gb     Device  0: (UUID: MIG-1)'; echo '  MIG 1g.5gb     Device  1: (UUID: MIG-2)'"
    )

    assert len(offered(Profile(), nvidia(cut)).gpus) == 2


def test_gpus_are_unknown_where_the_tool_fails_and_none_where_there_is_none(nvidia, tmp_path):
    assert offered(Profile(), nvidia("exit 9")).gpus is None
    assert offered(Profile(), {"PATH": str(tmp_path / "empty")}).gpus == ()


def test_gpus_are_unknown_where_the_tool_hangs(nvidia, monkeypatch):
    monkeypatch.setattr("airflow_mltest.core.environment._SMI_LIMIT_S", 0.2)

    assert offered(Profile(), nvidia("exec sleep 60")).gpus is None
