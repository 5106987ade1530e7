import subprocess
import sys
import threading
import time

import pytest

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.file_lock import locked


def test_lock_is_held_by_one_or_shared_by_many(tmp_path):
    path = tmp_path / "made" / "lock"

    refused = pytest.raises(BrokenRunError, match=r"other processes have held .*lock for 0 s")
    with locked(path, shared=True), locked(path, shared=True, limit_s=0), refused, locked(path, limit_s=0):
        pass
    with locked(path), pytest.raises(BrokenRunError), locked(path, shared=True, limit_s=0):
        pass


def test_lock_that_is_waited_for_comes_and_so_does_an_error_of_those_who_hold_it(tmp_path):
    taken, free = threading.Event(), threading.Event()

    def hold():
        with locked(tmp_path / "lock"):
            taken.set()
            free.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(30)
    threading.Timer(0.1, free.set).start()
    with pytest.raises(BlockingIOError), locked(tmp_path / "lock", limit_s=30):
        raise BlockingIOError
    thread.join()
    with locked(tmp_path / "lock", limit_s=0):
        pass


def test_lock_whose_file_was_removed_meanwhile_is_taken_on_the_new_one(tmp_path):
    path = tmp_path / "lock"

    with locked(path):
        path.unlink()
        with locked(path, limit_s=0):
            assert path.exists()


def test_lock_of_a_process_that_was_killed_is_free_and_one_that_it_passed_on_is_not(tmp_path):
    program = (
        "import subprocess, sys, time\nfrom pathlib import Path\nfrom airflow_mltest.file_lock import locked\n"
        "with locked(Path(sys.argv[1])) as lock:\n"
        "    child = subprocess.Popen(['sleep', '60'], pass_fds=(lock,)) if sys.argv[2:] else None\n"
        "    print(child.pid if child else 0, flush=True)\n    time.sleep(60)\n"
    )
    for passed_on in ((), ("yes",)):
        path = tmp_path / f"lock{len(passed_on)}"
        with subprocess.Popen([sys.executable, "-c", program, str(path), *passed_on], stdout=subprocess.PIPE) as holder:
            child = int(holder.stdout.readline())
            holder.kill()
            holder.wait()
        if passed_on:
            with pytest.raises(BrokenRunError), locked(path, limit_s=0):
                pass
            subprocess.run(["/bin/kill", "-9", str(child)], check=True)
        deadline_s = time.monotonic() + 30
        with locked(path, limit_s=deadline_s - time.monotonic()):
            pass
