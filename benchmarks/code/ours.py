"""What we select: the steps of `PlanTestsOperator` and of a recording shard, one by one, without Airflow."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.blocks import blocks_of
from airflow_mltest.core.impact import select
from airflow_mltest.core.recording import Recording
from airflow_mltest.core.records import records_of
from airflow_mltest.integrations.git_repository import WorkTree
from airflow_mltest.integrations.pytest_collector import collect
from airflow_mltest.integrations.pytest_runner import PytestCommand, PytestRunner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltest.core.collected import Collected
    from airflow_mltest.core.impact import Selection
    from airflow_mltest.core.records import Records

# Bytecode is told apart by the second and the size of its source: an edit could be taken for another one.
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": ""}


class Ours:
    """
    A project whose tests were recorded once, and are then selected by what changed since.

    Args:
        python: The project's interpreter.
        folder: The project, the top of a git work tree.
        args: What pytest is called with.
    """

    def __init__(self, python: str, folder: Path, args: Sequence[str] = ()) -> None:
        self._folder = folder
        self._command = PytestCommand(project=str(folder), args=tuple(args), python=python, env=_ENVIRONMENT)
        with WorkTree(folder) as tree:
            self._base = tree.commit or ""

    def record(self) -> Records:
        """Run all tests at the base, and give what each of them touched."""
        recording = Recording("tests", "code")
        with tempfile.TemporaryDirectory(prefix="mltest-record-") as folder:
            settings = {"root": str(self._folder), "cache": ""}
            Path(folder, "settings.json").write_text(json.dumps(settings), encoding="utf-8")
            PytestRunner(replace(self._command, record=folder)).run(recording)
            processes = [path.read_text(encoding="utf-8").splitlines() for path in Path(folder).glob("*.jsonl")]
        environment = str(recording.environment["environment"])
        return records_of(
            processes, environment=environment, commit=self._base, read=self._after, blocks_of=blocks_of
        )  # fmt: skip

    def collect(self) -> Collected:
        """Collect the project as it is now."""
        return collect(self._command, root=str(self._folder))

    def select(self, collected: Collected, records: Sequence[Records], *, base: str = "") -> Selection:
        """
        Tell which tests what changed since *base* can reach.

        Args:
            collected: The project as it is now.
            records: What is known of earlier runs, the newest first.
            base: A commit; empty: the one that was checked out when this was made.
        """
        with WorkTree(self._folder) as tree:
            return select(
                collected,
                changed=tree.changed(base or self._base),
                before=lambda path: _text(tree.read(base or self._base, path)),
                after=self._after,
                paths=tree.paths(),
                records=records,
            )

    def _after(self, path: str) -> str | None:
        file = self._folder / path
        return _text(file.read_bytes()) if file.is_file() else None


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
