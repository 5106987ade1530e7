"""Runs of a suite in an interpreter of its own: what ended how, and the CPU seconds that it took."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Plain: nothing but pytest, no cache that a later run could read.
PLAIN = ("-q", "--tb=no", "-p", "no:cacheprovider", "--continue-on-collection-errors", "-W", "ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    How one run ended.

    Args:
        outcomes: Node id -> passed, failed or skipped, the worst of its phases.
        broken: Node ids of files and folders that could not be collected, with the reason.
        durations: Node id -> seconds of all its phases.
        collected: Node ids that were to run.
        code: pytest's exit code.
        cpu_s: User and system seconds of the run and its children.
        output: The last of what it printed.
    """

    outcomes: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)
    collected: Sequence[str] = ()
    code: int = 0
    cpu_s: float = 0.0
    output: str = ""

    @property
    def failed(self) -> set[str]:
        """Tests that failed, and files that could not be collected."""
        return {name for name, outcome in self.outcomes.items() if outcome == "failed"} | set(self.broken)


class Warm:
    """
    An interpreter with heavy libraries imported, which forks one pytest for each run.

    Args:
        python: The interpreter.
        preload: Modules to import once; none of what is under test.
    """

    def __init__(self, python: str, preload: Iterable[str] = ("pytest",)) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="mltest-warm-")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
        environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("warm.py")), json.dumps(list(preload))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self._orders, self._answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.close()
        self._process.wait(30)
        self._answers.close()
        self._scratch.cleanup()

    def run(  # noqa: PLR0913  one order, spelled out
        self,
        folder: Path,
        args: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        path: Sequence[str] = (),
        only: Iterable[str] | None = None,
        limit_s: float = 900.0,
        alarm: bool = True,
        frozen: bool = True,
    ) -> Run:
        """
        Run pytest in *folder*.

        Args:
            folder: Where pytest starts.
            args: Its arguments.
            env: Variables added to the environment.
            path: Folders added to `sys.path`, behind *folder*.
            only: Ask these tests only.
            limit_s: Seconds after which the run is killed.
            alarm: Whether a single test that takes too long fails.
            frozen: Whether no bytecode is written, so that no edit can be taken for another.
        """
        result, output = Path(self._scratch.name, "result.json"), Path(self._scratch.name, "output")
        result.unlink(missing_ok=True)
        order = {
            "folder": str(folder), "args": list(args), "env": dict(env or {}), "path": list(path), "alarm": alarm,
            "only": None if only is None else sorted(only), "limit_s": limit_s, "frozen": frozen,
            "result": str(result), "output": str(output),
        }  # fmt: skip
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        answer = json.loads(self._answers.readline())
        known = json.loads(result.read_text()) if result.exists() else {}
        return Run(**known, **answer, output=output.read_text(errors="replace")[-3000:])
