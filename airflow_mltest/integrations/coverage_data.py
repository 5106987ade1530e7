"""coverage.py: the data of several shards as one figure, and of a change."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.coverage import ChangeCoverage, CoverageResult
from airflow_mltest.extras import extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# Where coverage.py reads its configuration, and what paths are relative to, is the current directory: a
# process of its own has one of its own. The project comes last on its path, where it shadows nothing.
_REPORT = """
import sys
sys.path.append(sys.path.pop(0))
import json, warnings
import coverage
merged, target, report, answer = sys.argv[1:]
lines = {}
try:
    whole = coverage.Coverage(data_file=target)
    whole.combine([merged], keep=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        whole.json_report(outfile=report, ignore_errors=True)
    with open(report, encoding="utf-8") as file:
        reported = json.load(file)["files"]
    for path in set(json.load(sys.stdin)) & set(reported):
        lines[path] = whole.analysis2(path)[1]
except coverage.CoverageException as error:
    sys.exit(str(error))
said = {name: whole.get_option("report:" + name) for name in ("fail_under", "precision")}
said["measured"] = sorted(whole.get_data().measured_files())
texts = [str(one.message).partition(" (couldnt-parse)")[0] for one in told]
said["unparsed"] = [text for text in texts if "Couldn't parse" in text and "No source for" not in text]
with open(answer, "w", encoding="utf-8") as file:
    json.dump(dict(said, statements=lines), file)
"""


def combine(
    data_files: Sequence[Path],
    *,
    folder: Path,
    roots: Sequence[str] = (),
    changed_lines: Mapping[str, Iterable[int]] | None = None,
    python: str = "",
) -> CoverageResult:
    """
    Make one figure of the data of several processes, on whatever machine they ran.

    What cannot be read is named, and the rest counted.

    Args:
        data_files: As `coverage run --parallel-mode` leaves them.
        folder: The project: its sources, and its own configuration of coverage.py, which counts.
        roots: Where the project was when the data were recorded, absolute. Without: found by which of the
            measured files are in *folder*.
        changed_lines: Numbers of the lines that a change has written, by path relative to *folder*.
        python: The interpreter, with coverage.py, that reads the sources: that of the project, if its
            Python is newer than this one or its configuration names plugins. Empty: this one.

    Raises:
        MissingExtraError: coverage.py is not installed here.
    """
    folder = folder.resolve()
    with tempfile.TemporaryDirectory(prefix="mltest-coverage-") as aside:
        merged = Path(aside) / "merged"
        problems = _merge(data_files, merged, folder, roots)
        if len(problems) == len(data_files):
            return CoverageResult(problems=problems)
        try:
            report, answer = _report(merged, folder, python, list(changed_lines or ()))
        except (OSError, ValueError) as error:
            return CoverageResult(problems=(*problems, f"coverage.py could not count: {error}"))
    return replace(
        _result(report, answer, folder),
        problems=(*problems, *_unread(report, answer, folder)),
        change=None if changed_lines is None else _change(report, answer, folder, changed_lines),
    )


def _merge(data_files: Iterable[Path], target: Path, folder: Path, roots: Sequence[str]) -> tuple[str, ...]:
    """Write all data into one file, with the paths that the sources have here; give what could not be read."""
    with extra("coverage", provides="coverage"):
        from coverage import CoverageData

    merged = CoverageData(basename=str(target))
    problems = []
    # Each shard has measured the same files, more or less.
    is_here = cache(lambda inside: (folder / inside).is_file())
    for path in data_files:
        try:
            _check(path)
            data = CoverageData(basename=str(path))
            data.read()
            root = _root(data.measured_files(), roots, is_here)
            merged.update(data, map_path=partial(_moved, root=root, folder=folder))
        except Exception as error:  # noqa: BLE001  coverage.py's, sqlite's or the disk's: the others still count
            problems.append(f"{path.name}: {type(error).__name__}: {error}")
    merged.write()
    return tuple(problems)


def _check(path: Path) -> None:
    """Refuse a damaged file before a part of it is merged, and one that coverage.py would take for a new one."""
    if not path.stat().st_size:
        msg = "it is empty"
        raise ValueError(msg)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        (found,) = database.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        raise ValueError(found)


def _root(measured: Iterable[str], roots: Sequence[str], is_here: Callable[[str], bool]) -> str:
    """
    Say where the project was when *measured* files ran; empty where that cannot be told.

    Without *roots* to choose from it is the folder in which most of the files are called as files of the
    project are here; of several, the uppermost.
    """
    votes: Counter[str] = Counter()
    for path in measured:
        if roots:
            votes.update(root for root in roots if path.startswith(f"{root.rstrip('/')}/"))
            continue
        cut = path.rfind("/")
        while cut > 0:
            if is_here(path[cut + 1 :]):
                votes[path[:cut]] += 1
            cut = path.rfind("/", 0, cut)
    return min(votes, key=lambda root: (-votes[root], len(root))) if votes else ""


def _moved(path: str, *, root: str, folder: Path) -> str:
    """Say where *path* is here; what was not below the *root* stays, unless it is beside the project here, too."""
    if not root or not path.startswith("/"):
        return path
    inside = os.path.relpath(path, root)
    here = os.path.normpath(f"{folder}/{inside}")
    return here if not inside.startswith("../") or Path(here).is_file() else path


def _report(merged: Path, folder: Path, python: str, changed: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    target, report, answer = (merged.with_name(name) for name in ("whole", "report.json", "answer.json"))
    command = [python or sys.executable, "-c", _REPORT, *map(str, (merged, target, report, answer))]
    # Whoever measures us does not measure this.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    ended = subprocess.run(
        command, cwd=folder, env=env, input=json.dumps(changed), capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise ValueError(ended.stderr.strip()[-2_000:] or f"it ended with {ended.returncode}")
    return json.loads(report.read_text("utf-8")), json.loads(answer.read_text("utf-8"))


def _result(report: Mapping[str, Any], answer: Mapping[str, Any], folder: Path) -> CoverageResult:
    return CoverageResult(
        percent=float(report["totals"]["percent_covered"]),
        files={
            _relative(path, folder): round(float(found["summary"]["percent_covered"]), 2)
            for path, found in report["files"].items()
        },
        branch=bool(report["meta"]["branch_coverage"]),
        fail_under=float(answer["fail_under"] or 0),
        precision=int(answer["precision"] or 0),
    )


def _relative(path: str, folder: Path) -> str:
    """Give *path* relative to *folder*, if it is below it."""
    whole = Path(folder, path)
    return whole.relative_to(folder).as_posix() if whole.is_relative_to(folder) else path


def _unread(report: Mapping[str, Any], answer: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Name measured files of the project that cannot be read; a test's temporary modules are no part of it."""
    yield from answer["unparsed"]
    for path in answer["measured"]:
        whole = Path(folder, path)
        if path not in report["files"] and whole.is_relative_to(folder) and not whole.exists():
            yield f"{_relative(path, folder)}: was measured, and there is no such file in {folder}"


def _change(
    report: Mapping[str, Any], answer: Mapping[str, Any], folder: Path, changed_lines: Mapping[str, Iterable[int]]
) -> ChangeCoverage:
    missing, statements, unmeasured = {}, 0, []
    for path, lines in sorted(changed_lines.items()):
        if path not in report["files"]:
            if path.endswith(".py") and (folder / path).is_file():
                unmeasured.append(path)
            continue
        first = _first_lines(folder / path)
        touched = {first.get(line, line) for line in lines} & set(answer["statements"][path])
        statements += len(touched)
        missed = sorted(touched & set(report["files"][path]["missing_lines"]))
        if missed:
            missing[path] = tuple(missed)
    return ChangeCoverage(
        statements=statements,
        covered=statements - sum(map(len, missing.values())),
        missing=missing,
        unmeasured=tuple(unmeasured),
    )


def _first_lines(path: Path) -> dict[int, int]:
    """Number the first line of the statement that each line is part of: coverage.py knows statements by it."""
    first: dict[int, int] = {}
    start = 0
    try:
        with tokenize.open(path) as file:
            for token in tokenize.generate_tokens(StringIO(file.read()).readline):
                if token.type in {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT}:
                    continue
                start = start or token.start[0]
                if token.type == tokenize.NEWLINE:
                    first.update(dict.fromkeys(range(start, token.end[0] + 1), start))
                    start = 0
    except (OSError, SyntaxError, tokenize.TokenError):
        pass  # of a newer Python than this one: statements of one line are still right
    return first
