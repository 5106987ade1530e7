"""What recording costs: CPU seconds of whole suites, plain, with our recorder, and with testmon's."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import airflow_mltest.integrations
from benchmarks.code.runs import PLAIN, Warm
from benchmarks.code.theirs import Testmon
from benchmarks.table import in_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.code.subjects import Subject
    from benchmarks.table import Table

_ROUNDS = 5
_MOST = 1.15


def recording(table: Table, subject: Subject, folder: Path, python: str) -> None:
    """
    Run a part of a package's tests in turns.

    What the tests need from other packages is imported before, so that its cost hides nothing; the
    package itself is imported, or instrumented and imported, in each run.

    Args:
        table: Where to print.
        subject: The package.
        folder: Where it lies, a git work tree.
        python: The interpreter that it is installed for.
    """
    args = subject.small or subject.tests
    with tempfile.TemporaryDirectory(prefix="mltest-recording-") as scratch, Warm(python, subject.preload) as warm:
        plain = _plain(warm, folder, args)
        plain()
        count = len(warm.run(folder, [*PLAIN, *args], frozen=False).outcomes)
        cache = Path(scratch, "cache")
        ours = _recorded(warm, folder, args, Path(scratch), cache)
        kept = Path(scratch, "testmon")
        kept.mkdir()
        theirs = Testmon(warm, folder, kept, args)

        def cold() -> float:
            shutil.rmtree(cache, ignore_errors=True)
            return ours()

        label = f"{subject.name}, {count} tests (CPU)"
        cold_s, cold_plain_s = in_turns(2, cold, plain)
        table.ratio(f"recording over plain, {label}: first run, nothing cached", cold_s, cold_plain_s)
        ours_s, plain_s, theirs_s = in_turns(_ROUNDS, ours, plain, lambda: theirs.record().cpu_s)
        table.ratio(f"recording over plain, {label}", ours_s, plain_s, most=_MOST)
        table.ratio(f"  testmon over plain, {label}", theirs_s, plain_s)


def _plain(warm: Warm, folder: Path, args: Sequence[str]) -> Callable[[], float]:
    return lambda: warm.run(folder, [*PLAIN, *args], frozen=False, alarm=False).cpu_s


def _recorded(warm: Warm, folder: Path, args: Sequence[str], scratch: Path, cache: Path) -> Callable[[], float]:
    """Give what runs the tests with our recorder, as our runner loads it."""
    plugin = scratch / "plugin"
    plugin.mkdir()
    for source in Path(airflow_mltest.integrations.__path__[0]).glob("pytest_*.py"):
        shutil.copy(source, plugin / f"{source.stem.replace('pytest', 'mltest', 1)}.py")

    def run() -> float:
        cache.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as written:
            Path(written, "settings.json").write_text(json.dumps({"root": str(folder), "cache": str(cache)}))
            run = warm.run(
                folder, [*PLAIN, "-p", "mltest_recorder", *args],
                env={"MLTEST_RECORD": written}, path=[str(plugin)], frozen=False, alarm=False,
            )  # fmt: skip
            if not list(Path(written).glob("*.jsonl")):
                msg = f"nothing was recorded: {run.output}"
                raise AssertionError(msg)
        return run.cpu_s

    return run
