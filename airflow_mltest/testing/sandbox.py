"""A place to run a training script in: everything it needs inside, everything it makes seen."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.processes import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pytest

_LOOK_S = 0.02
_TAIL_LINES = 40
# Runs `"$@"` with its errors in a file of their own; the shell becomes the command.
_APART = 'exec "$@" 2>"$0"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """
    A command that has ended.

    Args:
        argv: What was run.
        returncode: Its exit code, negative for a signal.
        stdout: What it printed.
        stderr: What it complained.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """
        Its result: the last line that it printed, read as JSON.

        Raises:
            ValueError: It is none.
        """
        last = next((line for line in reversed(self.stdout.splitlines()) if line.strip()), "")
        try:
            return json.loads(last)
        except ValueError as error:
            msg = f"the last line that {self.shown} printed is no JSON: {last!r}"
            raise ValueError(msg) from error

    @property
    def shown(self) -> str:
        """The command in one line."""
        return " ".join(self.argv)

    def told(self, what: str) -> str:
        """Say *what* of the command, and how its output ended."""
        parts = [f"`{self.shown}` {what}"]
        for name, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            lines = text.rstrip().splitlines()
            left_out = f", the last {_TAIL_LINES} of {len(lines)} lines" if len(lines) > _TAIL_LINES else ""
            parts += [f"--- {name}{left_out} ---", *lines[-_TAIL_LINES:]] if lines else [f"--- no {name} ---"]
        return "\n".join(parts)


class Sandbox:
    """
    A folder with all that a script may want to write to: where it works, its home, its temporary files.

    Args:
        folder: Where to make it.
        importable: Folders that Python may import from, put before PYTHONPATH.
    """

    def __init__(self, folder: Path, *, importable: Sequence[Path] = ()) -> None:
        self.folder = folder.absolute()
        self.work = self.folder / "work"
        self._importable = tuple(importable)
        self._made: dict[str, int] = {}
        for inside in (self.work, *map(Path, self._folders().values())):
            inside.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, config: pytest.Config, folder: Path) -> Sandbox:
        """
        Make one for the project that pytest runs in, with its `pythonpath` importable.

        The fixture `sandbox` is this for one test; for a whole module, call it in a fixture of your own.
        """
        return cls(folder, importable=config.getini("pythonpath"))

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands: this process's as it is now, with every folder inside."""
        inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        importable = [*map(str, self._importable), *(os.path.abspath(path) for path in inherited if path)]  # noqa: PTH100
        return {
            **os.environ,
            **self._folders(),
            "MPLBACKEND": "Agg",
            "PYTHONPATH": os.pathsep.join(importable),
            # `python` is the interpreter that runs the test.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        }

    def run(
        self,
        program: str | Path,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 300.0,
        check: bool = True,
        unchanged: Sequence[Path] = (),
    ) -> Completed:
        """
        Run a command in `work` to its end; then nothing that it started is left.

        Args:
            program: What to run; `python` is this interpreter.
            arguments: What it is given.
            env: Variables added to the sandbox's.
            timeout_s: Seconds that it may take.
            check: Whether an exit code that is not 0 is an error.
            unchanged: Folders whose files have to be the same afterwards, whoever changes them; caches
                and hidden files do not count.

        Raises:
            AssertionError: It failed, or what should be unchanged is not; with the end of its output.
            TimeoutError: It took longer than *timeout_s*.
        """
        __tracebackhide__ = True
        command = (sys.executable if program == "python" else str(program), *map(str, arguments))
        before, kept = dict(_files(self.work)), self._kept(unchanged)
        done = self._complete(command, {**self.env, **(env or {})}, timeout_s)
        now = dict(_files(self.work))
        self._made = {
            name: size for name, (size, _) in now.items() if name in self._made or before.get(name) != now[name]
        }
        changed = sorted({name for name, _ in kept.items() ^ self._kept(unchanged).items()})
        if changed:
            msg = done.told(f"ran, and what should be unchanged is not: {', '.join(changed)}")
            raise AssertionError(msg)
        if check and done.returncode:
            msg = done.told(f"ended with exit code {done.returncode}")
            raise AssertionError(msg)
        return done

    def artifacts(self) -> dict[str, int]:
        """List what its commands have made or changed in `work`: the path relative to it, and the size in bytes."""
        return {name: size for name, size in sorted(self._made.items()) if (self.work / name).exists()}

    def _complete(self, command: tuple[str, ...], env: Mapping[str, str], timeout_s: float) -> Completed:
        stdout, stderr = self.folder / "stdout", self.folder / "stderr"
        deadline_s = time.monotonic() + timeout_s
        with stdout.open("wb") as output:
            process = KeptProcess(
                ["/bin/sh", "-c", _APART, str(stderr), *command], cwd=str(self.work), env=env, output=output
            )
            try:
                while (code := process.poll()) is None and time.monotonic() < deadline_s:
                    time.sleep(_LOOK_S)
            finally:
                process.stop()
                ended = process.close()
        done = Completed(
            argv=command,
            returncode=ended,
            stdout=stdout.read_text(encoding="utf-8", errors="replace"),
            stderr=stderr.read_text(encoding="utf-8", errors="replace") if stderr.exists() else "",
        )
        if code is None:
            msg = done.told(f"took longer than {timeout_s:g} s, and was ended")
            raise TimeoutError(msg)
        return done

    def _folders(self) -> dict[str, str]:
        inside = {
            **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), "tmp"),
            "HOME": "home",
            "XDG_CACHE_HOME": "home/.cache",
            "XDG_CONFIG_HOME": "home/.config",
            "XDG_DATA_HOME": "home/.local/share",
            "MPLCONFIGDIR": "home/.config/matplotlib",
        }
        return {name: str(self.folder / path) for name, path in inside.items()}

    def _kept(self, folders: Sequence[Path]) -> dict[str, tuple[int, int]]:
        found = ((folder, seen) for folder in folders for seen in _files(folder, but=self.folder, sources=True))
        return {str(folder / name): status for folder, (name, status) in found}


def _files(folder: Path, *, but: Path | None = None, sources: bool = False) -> Iterator[tuple[str, tuple[int, int]]]:
    """
    List the files below *folder*: relative path, size in bytes and time of the last change in ns.

    Args:
        folder: Where to look.
        but: A folder to leave out.
        sources: Leave out what tools write beside sources: caches, hidden files, environments.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if Path(parent, name) != but and (not sources or _is_source(Path(parent, name)))
        ]
        for name in names:
            path = Path(parent, name)
            if sources and name.startswith("."):
                continue
            try:
                status = path.lstat()
            except FileNotFoundError:  # somebody else's, and gone meanwhile
                continue
            yield path.relative_to(folder).as_posix(), (status.st_size, status.st_mtime_ns)


def _is_source(folder: Path) -> bool:
    name = folder.name
    tools = name.startswith(".") or name in {"__pycache__", "node_modules"} or name.endswith(".egg-info")
    return not tools and not (folder / "pyvenv.cfg").exists()
