import os
import subprocess
import sys
import time

from airflow_mltest.checks.deployment.process_tree import descendants, is_alive, memory_bytes

CHILD = "import time; print(1, flush=True); time.sleep(99)"
TREE = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_children_and_their_children_are_found_until_they_end():
    with subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        child, grandchild = (one for one in descendants(os.getpid()) if process.pid in {one.pid, one.parent})

        assert (child.pid, grandchild.parent) == (process.pid, process.pid)
        assert is_alive(grandchild)
        assert 2**20 < memory_bytes([grandchild]) < memory_bytes([child, grandchild]) < 2**30
        process.kill()
        os.kill(grandchild.pid, 9)

    assert not is_alive(child)
    assert memory_bytes([child]) == 0


def test_process_that_is_dead_and_not_collected_does_not_live():
    pid = os.fork()
    if not pid:
        os._exit(0)
    time.sleep(0.2)

    assert pid not in {process.pid for process in descendants(os.getpid())}
    os.waitpid(pid, 0)
