"""What each test really touched when it last ran, and the code as it was then."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_SCHEMA, _VERSION = "airflow-mltest/records", 1
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DAMAGED = "its record is damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """
    What ran, and what was read; paths are POSIX paths relative to the root (see `Collected`).

    Args:
        functions: Bodies that ran, as `path.py::qualname`. A body is what stands in a `def`; lambdas
            and comprehensions belong to the body around them.
        files: Files that were opened, were they there or not, also by child processes; Python files only
            where they were read as text, run by name or imported by a name made at run time.
        folders: Folders that were listed; `.` is the root.
        opaque: Why there may be more than this (`starts a process (git)`); empty where there is not.
    """

    functions: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    opaque: str = ""

    def __or__(self, other: Touched) -> Touched:
        """Give what either of both touched."""
        reasons = sorted({*self.opaque.split("; "), *other.opaque.split("; ")} - {""})
        return Touched(
            functions=self.functions | other.functions,
            files=self.files | other.files,
            folders=self.folders | other.folders,
            opaque="; ".join(reasons),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """
    What one run of tests touched, test by test.

    Args:
        environment: Digest of interpreter, pytest and installed packages; see `Collected`.
        commit: Of the work tree that ran; empty where it is under no version control.
        blocks: Of each file that ran code: name of a block -> short hash, as the text was then. A file
            that is missing here is not known, and no record that names it can be used.
        tests: Node id -> what the test touched, with the setups of the wider fixtures that it used.
        modules: File -> what executing (or collecting) it touched, whichever test imported it first;
            `opaque` says why its functions could not be followed, where they could not. The name
            "" stands for what ran outside of tests, fixtures and modules, as the hooks of a conftest
            do: every test stands on that.
    """

    environment: str = ""
    commit: str = ""
    blocks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tests: Mapping[str, Touched] = field(default_factory=dict)
    modules: Mapping[str, Touched] = field(default_factory=dict)


def records_of(
    processes: Iterable[Iterable[str]],
    *,
    environment: str,
    commit: str = "",
    read: Callable[[str], str | None],
    blocks_of: Callable[[str], Mapping[str, str]],
) -> Records:
    """
    Make records of what the recorder wrote while tests ran.

    Args:
        processes: The lines of each process's file. One that is torn, as a killed process leaves
            it, is passed over.
        environment: See `Records`.
        commit: See `Records`.
        read: Gives the text of a file below the root as it was when the tests ran, or None.
        blocks_of: Gives the blocks of a text.
    """
    tests: dict[str, Touched] = {}
    modules: dict[str, Touched] = {}
    for lines in processes:
        for told in _Process.all_of(lines):
            for test, touched in told.credited():
                tests[test] = tests.get(test, Touched()) | touched
            for module, touched in told.modules:
                modules[module] = modules.get(module, Touched()) | touched
    found = Records(environment=environment, commit=commit, tests=tests, modules=modules)
    texts = {file: read(file) for file in sorted(_files_of(found))}
    return replace(found, blocks={file: dict(blocks_of(text)) for file, text in texts.items() if text is not None})


def merge(records: Sequence[Records]) -> Records:
    """
    Join what shards of one commit recorded, in whatever order; nothing is lost.

    Where two know other blocks of one file, the file did not stay as it was between them, and it is
    no longer known.

    Raises:
        ConfigurationError: There are none, or they are of more than one commit or environment.
    """
    origins = {(one.commit, one.environment) for one in records}
    if len(origins) != 1:
        msg = (
            f"Only records of one commit and one environment can be merged; here are {len(records)} "
            f"of {len(origins)}: {sorted(origins)[:4]}."
        )
        raise ConfigurationError(msg)
    ((commit, environment),) = origins
    blocks: dict[str, Mapping[str, str]] = {}
    unknown: set[str] = set()
    for one in records:
        unknown |= {file for file, known in one.blocks.items() if dict(blocks.setdefault(file, known)) != dict(known)}
        # A file that ran code and whose text could not be read is one that changed under the run.
        unknown |= _files_of(one) - one.blocks.keys()
    return Records(
        environment=environment,
        commit=commit,
        blocks={file: known for file, known in blocks.items() if file not in unknown},
        tests=_united(one.tests for one in records),
        modules=_united(one.modules for one in records),
    )


def records_to_document(records: Records) -> dict[str, Any]:
    """
    Give *records* as strict JSON, each name written once.

    A test mostly touches what the one before it did: only the difference is kept.
    """
    distinct = list(dict.fromkeys((*records.tests.values(), *records.modules.values())))
    functions = dict.fromkeys(name for touched in distinct for name in sorted(touched.functions))
    paths = sorted({path for touched in distinct for path in (*touched.files, *touched.folders)})
    function_numbers = {name: number for number, name in enumerate(functions)}
    path_numbers = {path: number for number, path in enumerate(paths)}
    touched_numbers = {touched: number for number, touched in enumerate(distinct)}
    tests: dict[str, dict[str, int]] = {}
    for test, touched in records.tests.items():
        file, sign, rest = test.partition("::")
        tests.setdefault(file, {})[sign + rest] = touched_numbers[touched]
    by_file = groupby((name.partition("::") for name in functions), lambda parts: parts[0])
    return {
        "schema": _SCHEMA,
        "version": _VERSION,
        "environment": records.environment,
        "commit": records.commit,
        "blocks": {file: dict(known) for file, known in records.blocks.items()},
        "functions": [[file, [parts[2] for parts in names]] for file, names in by_file],
        "paths": paths,
        "touched": [
            [
                _steps(function_numbers[name] for name in touched.functions ^ before.functions),
                _steps(path_numbers[path] for path in touched.files),
                _steps(path_numbers[path] for path in touched.folders),
                touched.opaque,
            ]
            for before, touched in pairwise([Touched(), *distinct])
        ],
        "tests": tests,
        "modules": {module: touched_numbers[touched] for module, touched in records.modules.items()},
    }


def records_from_document(document: Any) -> Records | None:
    """Read back what `records_to_document` gave; None for what is damaged or of another version: as if never kept."""
    try:
        if (document["schema"], document["version"]) != (_SCHEMA, _VERSION):
            return None
        functions = [f"{file}::{name}" for file, names in document["functions"] for name in names]
        paths = document["paths"]
        table: list[Touched] = []
        ran: frozenset[str] = frozenset()
        for differing, files, folders, opaque in document["touched"]:
            ran ^= {functions[number] for number in accumulate(differing)}
            table.append(
                Touched(
                    functions=ran,
                    files=frozenset(paths[number] for number in accumulate(files)),
                    folders=frozenset(paths[number] for number in accumulate(folders)),
                    opaque=opaque,
                )
            )
        return Records(
            environment=document["environment"],
            commit=document["commit"],
            blocks={file: dict(known) for file, known in document["blocks"].items()},
            tests={
                file + rest: table[number]
                for file, tests in document["tests"].items()
                for rest, number in tests.items()
            },
            modules={module: table[number] for module, number in document["modules"].items()},
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _steps(numbers: Iterable[int]) -> list[int]:
    """Give *numbers* in order, each as its distance from the one before: small ones, which compress well."""
    ordered = sorted(numbers)
    return [number - before for before, number in zip([0, *ordered], ordered, strict=False)]


def _files_of(records: Records) -> set[str]:
    touched = (*records.tests.values(), *records.modules.values())
    return {name.partition("::")[0] for one in touched for name in one.functions} | (records.modules.keys() - {""})


def _united(parts: Iterable[Mapping[str, Touched]]) -> dict[str, Touched]:
    united: dict[str, Touched] = {}
    for part in parts:
        for name, touched in part.items():
            united[name] = united[name] | touched if name in united else touched
    return united


@dataclass(slots=True, kw_only=True)
class _Process:
    """What one process of the tested interpreter told."""

    functions: dict[int, str] = field(default_factory=dict)
    tests: list[tuple[str, Touched, frozenset[str]]] = field(default_factory=list)
    setups: dict[str, tuple[Touched, frozenset[str]]] = field(default_factory=dict)
    modules: list[tuple[str, Touched]] = field(default_factory=list)

    @classmethod
    def all_of(cls, lines: Iterable[str]) -> list[_Process]:
        """Read *lines*; each `recorder` line begins a process, since a number of processes comes again."""
        processes = [cls()]
        for line in lines:
            told = _parsed(line)
            if "recorder" in told:
                processes.append(cls())
            else:
                processes[-1].add(told)
        return processes

    def add(self, told: Mapping[str, Any]) -> None:
        if "function" in told:
            number, file, name = told["function"]
            self.functions[number] = f"{file}::{name}"
        elif "module" in told:
            self.modules.append((told["module"], self.touched(told)))
        elif "setup" in told:
            touched, inner = self.setups.get(told["setup"], (Touched(), frozenset()))
            self.setups[told["setup"]] = touched | self.touched(told), inner | frozenset(told.get("setups", ()))
        elif "test" in told:
            self.tests.append((told["test"], self.touched(told), frozenset(told.get("setups", ()))))

    def touched(self, told: Mapping[str, Any]) -> Touched:
        numbers = told.get("functions", ())
        known = frozenset(self.functions[number] for number in numbers if number in self.functions)
        return Touched(
            functions=known,
            files=frozenset(told.get("files", ())),
            folders=frozenset(told.get("folders", ())),
            opaque=told.get("opaque", "") if all(number in self.functions for number in numbers) else _DAMAGED,
        )

    def credited(self) -> Iterable[tuple[str, Touched]]:
        """Give each test, with the setups that it used and those that these used."""
        whole: dict[frozenset[str], Touched] = {}  # tests share their setups: join each combination once
        for test, touched, setups in self.tests:
            if setups not in whole:
                whole[setups] = self._joined(setups)
            yield test, touched | whole[setups]

    def _joined(self, setups: frozenset[str]) -> Touched:
        joined, seen, waiting = Touched(), set(setups), sorted(setups)
        while waiting:
            touched, inner = self.setups.get(waiting.pop(), (Touched(opaque=_DAMAGED), frozenset()))
            joined |= touched
            waiting += inner - seen
            seen |= inner
        return joined


def _parsed(line: str) -> Mapping[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return _NOTHING
    return told if isinstance(told, dict) else _NOTHING
