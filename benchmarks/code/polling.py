"""A thousand triggers on one repository: how often the remote is asked."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING

from benchmarks.code.subjects import begin, git

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.table import Table

_TRIGGERS = 1000
_INTERVAL_S = 1.0
_INTERVALS = 4
_COUNTING = """#!/bin/sh
case " $* " in *" ls-remote "*) echo x >> "{count}";; esac
exec "{git}" "$@"
"""


def polling(table: Table, scratch: Path) -> None:
    """Count `git ls-remote` while the triggers of as many DAGs share a stream, as the triggerer has them do."""
    table.section("Git triggers")
    repository, count, path = scratch / "repository", scratch / "count", scratch / "path"
    repository.mkdir()
    (repository / "file").write_text("1\n")
    begin(repository)
    path.mkdir()
    wrapper = path / "git"
    wrapper.write_text(_COUNTING.format(count=count, git=shutil.which("git")))
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    branch = git(repository, "branch", "--show-current").strip()
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{path}{os.pathsep}{before}"
    try:
        fired, streams, lasted_s = asyncio.run(_watch(repository, branch))
    finally:
        os.environ["PATH"] = before
    asked = len(count.read_text().split()) / (lasted_s / _INTERVAL_S)
    table.row(
        f"{_TRIGGERS} triggers on one repository: streams", f"{streams}", f"{_TRIGGERS}", goal="1", kept=streams == 1
    )
    table.row(
        "  requests a poll interval", f"{asked:.2f}", f"{_TRIGGERS}", goal="<= 1 (and the first)",
        kept=asked <= 1 + 1 / _INTERVALS + 0.1,
    )  # fmt: skip
    table.row("  triggers that fire at a commit", f"{fired}", goal=f"{_TRIGGERS}", kept=fired == _TRIGGERS)


async def _watch(repository: Path, branch: str) -> tuple[int, int, float]:
    """Start all triggers in the triggerer's own manager of streams, commit once, and count who fires."""
    from airflow.triggers.shared_stream import SharedStreamManager

    from airflow_mltest.triggers.git_commit import GitCommitTrigger

    triggers = [
        GitCommitTrigger(repository=str(repository), branch=branch, poll_interval_s=_INTERVAL_S)
        for _ in range(_TRIGGERS)
    ]
    manager = SharedStreamManager()
    fired: set[int] = set()

    async def follow(number: int, trigger: GitCommitTrigger) -> None:
        stream = manager.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
        async for _ in trigger.filter_shared_stream(stream):
            fired.add(number)

    start_s = time.monotonic()
    followers = [asyncio.create_task(follow(number, trigger)) for number, trigger in enumerate(triggers)]
    await asyncio.sleep(_INTERVAL_S * 1.5)
    (repository / "file").write_text("2\n")
    await asyncio.to_thread(git, repository, "commit", "--quiet", "--all", "--message", "2")
    await asyncio.sleep(_INTERVAL_S * (_INTERVALS - 1.5))
    lasted_s = time.monotonic() - start_s
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    await manager.stop_all()
    return len(fired), len({trigger.shared_stream_key() for trigger in triggers}), lasted_s
