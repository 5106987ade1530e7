"""Which processes are alive, and waiting until something holds."""

import time
from pathlib import Path


def alive(word):
    """Find the living processes that have *word* among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words, state = (path / "cmdline").read_bytes(), (path / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if word.encode() in words.split(b"\0") and state != "Z":
            found.append(int(path.name))
    return found


def wait_until(holds, seconds=20.0):
    deadline_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.02)
