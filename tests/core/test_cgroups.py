import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from airflow_mltest.core.cgroups import cpu_quota, memory_limit, oom_kills, out_of_memory

V2 = "30 23 0:26 {shown} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate"
V1 = "3{number} 30 0:3{number} {shown} /sys/fs/cgroup/{name} ro - cgroup cgroup rw,{name}"


@pytest.fixture
def machine(tmp_path):
    """A file system with control groups, as text: which group, what is mounted, what the files say."""

    def make(groups, mounts, files):
        tree = {"proc/self/cgroup": "\n".join(groups), "proc/self/mountinfo": "\n".join(mounts), **files}
        for path, text in tree.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        return tmp_path

    return make


def test_version_2_is_read_from_the_groups_own_files(machine):
    group = "sys/fs/cgroup/system.slice/worker.service"
    root = machine(
        ["0::/system.slice/worker.service"],
        [V2.format(shown="/")],
        {f"{group}/cpu.max": "150000 100000", f"{group}/memory.max": str(2**30)},
    )

    assert cpu_quota(root) == 1.5
    assert memory_limit(root) == 2**30


def test_tightest_limit_up_the_tree_counts(machine):
    top = "sys/fs/cgroup"
    root = machine(
        ["0::/batch/job/step"],
        [V2.format(shown="/")],
        {
            f"{top}/batch/cpu.max": "50000 100000",
            f"{top}/batch/job/cpu.max": "max 100000",
            f"{top}/batch/job/step/cpu.max": "200000 100000",
            f"{top}/batch/memory.max": "max",
            f"{top}/batch/job/memory.max": "1000000",
            f"{top}/batch/job/step/memory.max": "2000000",
        },
    )

    assert cpu_quota(root) == 0.5
    assert memory_limit(root) == 1_000_000


def test_container_with_a_namespace_of_its_own_finds_its_group_at_the_root(machine):
    root = machine(
        ["0::/"],
        [V2.format(shown="/")],
        {"sys/fs/cgroup/cpu.max": "25000 100000", "sys/fs/cgroup/memory.max": "268435456"},
    )

    assert cpu_quota(root) == 0.25
    assert memory_limit(root) == 2**28


def test_pod_of_version_1_sees_its_own_group_where_the_whole_tree_would_be(machine):
    pod = "/kubepods/burstable/pod12ab/34cd"
    root = machine(
        [f"4:memory:{pod}", f"3:cpu,cpuacct:{pod}", "0::/"],
        [V1.format(number=1, shown=pod, name="cpu,cpuacct"), V1.format(number=2, shown=pod, name="memory")],
        {
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912",
        },
    )

    assert cpu_quota(root) == 0.5
    assert memory_limit(root) == 2**29


def test_group_below_that_of_a_container_is_found_within_it(machine):
    root = machine(
        ["4:memory:/docker/ab/worker"],
        [V1.format(number=2, shown="/docker/ab", name="memory")],
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000",
            "sys/fs/cgroup/memory/worker/memory.limit_in_bytes": "1000000",
        },
    )

    assert memory_limit(root) == 1_000_000


def test_group_that_a_container_cannot_see_leaves_the_container_s_own(machine):
    root = machine(["0::/../../elsewhere"], [V2.format(shown="/")], {"sys/fs/cgroup/memory.max": "1000000"})

    assert memory_limit(root) == 1_000_000


def test_version_1_without_a_limit_says_so_in_its_own_way(machine):
    root = machine(
        ["4:memory:/", "3:cpu:/"],
        [V1.format(number=1, shown="/", name="cpu"), V1.format(number=2, shown="/", name="memory")],
        {
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )

    assert cpu_quota(root) is None
    assert memory_limit(root) is None


def test_both_versions_at_once_are_asked_for_what_each_has(machine):
    root = machine(
        ["4:memory:/w", "0::/w"],
        [V1.format(number=2, shown="/", name="memory"), V2.format(shown="/").replace("cgroup rw", "cgroup/unified rw")],
        {
            "sys/fs/cgroup/memory/w/memory.limit_in_bytes": "1000000",
            "sys/fs/cgroup/unified/w/cpu.max": "100000 100000",
        },
    )

    assert cpu_quota(root) == 1.0
    assert memory_limit(root) == 1_000_000


def test_mount_with_a_blank_in_its_path_is_found(machine):
    root = machine(
        ["0::/"],
        [V2.format(shown="/").replace("/sys/fs/cgroup", "/my\\040groups")],
        {"my groups/memory.max": "1000000"},
    )

    assert memory_limit(root) == 1_000_000


def test_system_without_control_groups_limits_nothing(tmp_path):
    assert cpu_quota(tmp_path) is None
    assert memory_limit(tmp_path) is None


@pytest.fixture
def limited():
    """A group of this machine's own with half a CPU and 256 MiB; the command that enters it."""
    folders = [Path(f"/sys/fs/cgroup/{name}/mltest-{os.getpid()}") for name in ("cpu", "memory")]
    limits = {
        folders[0] / "cpu.cfs_period_us": "100000",
        folders[0] / "cpu.cfs_quota_us": "50000",
        folders[1] / "memory.limit_in_bytes": str(2**28),
    }
    try:
        for folder in folders:
            folder.mkdir()
        for file, limit in limits.items():
            file.write_text(limit)
    except OSError as error:
        pytest.skip(f"control groups of version 1 cannot be made here: {error}")
    else:
        yield "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in folders)
    finally:
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()


def test_process_reads_the_limits_that_the_kernel_really_holds_it_to(limited):
    script = "from airflow_mltest.core.cgroups import cpu_quota, memory_limit; print(cpu_quota(), memory_limit())"

    done = subprocess.run(
        ["sh", "-c", f'{limited}; exec "$0" -c "{script}"', sys.executable], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["0.5", str(2**28)]


@pytest.mark.parametrize(
    "groups, mounts, files, count",
    [
        (["0::/job"], [V2.format(shown="/")], {"job/memory.events": "low 0\noom 1\noom_kill 3"}, 3),
        (["0::/far"], [V2.format(shown="/")], {"memory.events": "oom_kill 2"}, 2),
        (
            ["5:memory:/job", "0::/"],
            [V1.format(number=2, shown="/", name="memory")],
            {"memory/job/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4"},
            4,
        ),
        (["5:cpu:/job"], [V1.format(number=1, shown="/", name="cpu")], {}, None),
        ([], [], {}, None),
    ],
)
def test_kills_for_want_of_memory_are_counted_where_the_kernel_counts_them(machine, groups, mounts, files, count):
    root = machine(groups, mounts, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})

    assert oom_kills(root) == count


@pytest.mark.parametrize(
    "before, limit, words",
    [
        (4, str(2**29), "the control group has a limit of 512 MiB, and the kernel killed a process of it"),
        (2, "max", "the control group has no limit, and the kernel killed 3 processes of it"),
        (5, str(2**29), ""),
        (None, str(2**29), ""),
    ],
)
def test_memory_that_ran_out_is_told_with_the_limit(machine, before, limit, words):
    group = "sys/fs/cgroup/job"
    files = {f"{group}/memory.events": "oom_kill 5", f"{group}/memory.max": limit}
    root = machine(["0::/job"], [V2.format(shown="/")], files)

    assert out_of_memory(before, root) == (f"out of memory: {words}" if words else "")
