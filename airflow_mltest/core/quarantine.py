"""Tests that are known to be flaky: they run, and until a date their failures do not count."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = "quarantine"
_KEYS = {"test": str, "until": date, "reason": str, "owner": str}
_OPTIONAL = {"owner"}
# A date that nobody will live to see is no date: whoever still needs the entry then has to say so again.
_LONGEST = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One flaky test, or several in one class or file.

    Args:
        test: A node id as pytest prints it. Without `[...]` it covers all parameters of a test; that
            of a class or a file covers what is in it.
        until: The last day on which failures do not count.
        reason: Why it may fail, such as a ticket.
        owner: Who sees to it, if that is known.
    """

    test: str
    until: date
    reason: str
    owner: str = ""

    @property
    def why(self) -> str:
        """The reason, and the owner if there is one."""
        return ", ".join(filter(None, (self.reason, self.owner)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """
    The `[[tool.mltest.quarantine]]` tables of a project, as they are on one day.

    Args:
        entries: By the test that they name.
        today: The day.
    """

    entries: dict[str, Entry]
    today: date

    @classmethod
    def read(cls, text: str, *, today: date, path: str) -> Quarantine:
        """
        Read the entries from the text of a `pyproject.toml`; there need not be any.

        Args:
            text: The file's content.
            today: Decides which entries are over, and which last too long.
            path: The file's name, for messages.

        Raises:
            ConfigurationError: The text is no TOML, or an entry cannot mean what its author wants.
        """
        entries: dict[str, Entry] = {}
        for number, table in enumerate(_tables(text, path), start=1):
            where = f"{path}: [[tool.mltest.{_NAME}]] no. {number}"
            entry = _entry(table, today, where)
            if entry.test in entries:
                msg = f"{where}: {entry.test!r} is in an entry before it, too; keep one of them."
                raise ConfigurationError(msg)
            entries[entry.test] = entry
        return cls(entries=entries, today=today)

    def judge(self, case: Case) -> Case:
        """
        Give what counts of a case.

        Returns:
            The failed or broken case of a quarantined test as a skipped one that is flaky and tells
            what happened; any other case of such a test with its outcome among its facts, since a test
            that keeps passing may leave; a failing one whose quarantine is over as it is, with
            the day on which it ended in its detail. All other cases unchanged.
        """
        covering = [self.entries[name] for name in _covering(case.name) if name in self.entries]
        failing = case.outcome in {Outcome.FAILED, Outcome.BROKEN}
        for entry in covering:
            if entry.until >= self.today:
                return _quarantined(case, entry, failing=failing)
        if covering and failing:
            entry = covering[0]
            ended = f"its quarantine ended on {entry.until} ({entry.why})"
            return replace(case, detail=f"{ended}: {case.detail}" if case.detail else ended)
        return case

    def unused(self, tests: Iterable[str]) -> tuple[Entry, ...]:
        """Give the entries that cover none of *tests*, which must be all that the project has."""
        used = {name for test in tests for name in _covering(test)}
        return tuple(entry for entry in self.entries.values() if entry.test not in used)


def _quarantined(case: Case, entry: Entry, *, failing: bool) -> Case:
    told = {"until": entry.until.isoformat(), "reason": entry.reason, "owner": entry.owner}
    facts = {**case.facts, _NAME: {**told, "outcome": case.outcome.value}}
    if not failing:
        return replace(case, facts=facts)
    happened = ": ".join(filter(None, (case.outcome.value, case.detail)))
    detail = f"quarantined until {entry.until} ({entry.why}): {happened}"
    return replace(case, outcome=Outcome.SKIPPED, flaky=True, detail=detail, facts=facts)


def _covering(test: str) -> Iterator[str]:
    """Give what an entry may name to cover *test*: itself, it without parameters, its classes, its file."""
    yield test
    file, colons, inside = test.partition("::")
    # Only here: a file's name may have brackets, and parameters may have colons.
    name, bracket, _ = inside.partition("[")
    parts = name.split("::") if colons else []
    shortest_of_itself = len(parts) if bracket else len(parts) - 1
    for length in range(shortest_of_itself, -1, -1):
        yield "::".join([file, *parts[:length]])


def _tables(text: str, path: str) -> list[Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is no TOML: {error}."
        raise ConfigurationError(msg) from error
    ours = _table(_table(document, "tool"), "mltest")
    meant = get_close_matches(_NAME, ours.keys() - {_NAME}, n=1, cutoff=0.8)
    if meant:
        msg = f"{path}: tool.mltest.{meant[0]} means nothing; write [[tool.mltest.{_NAME}]]."
        raise ConfigurationError(msg)
    tables = ours.get(_NAME, [])
    if not isinstance(tables, list):
        msg = f"{path}: tool.mltest.{_NAME} is no list of tables; write [[tool.mltest.{_NAME}]], with two brackets."
        raise ConfigurationError(msg)
    return tables


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    # What is no table here is another tool's mistake, and that tool says so.
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _entry(table: Any, today: date, where: str) -> Entry:
    if not isinstance(table, dict):
        msg = f"{where} is {table!r:.80}, and no table with test, until and reason."
        raise ConfigurationError(msg)
    problem = _wrong_key(table) or _wrong_type(table) or _wrong_test(table["test"])
    if not problem and table["until"] > today + _LONGEST:
        latest = today + _LONGEST
        problem = (
            f"until is {table['until']}, more than {_LONGEST.days} days ahead: give a date up to {latest}, and "
            "extend it then if the test still needs it"
        )
    if problem:
        test = f" ({table['test']!r:.200})" if isinstance(table.get("test"), str) else ""
        msg = f"{where}{test}: {problem}."
        raise ConfigurationError(msg)
    return Entry(**table)


def _wrong_key(table: dict[str, Any]) -> str:
    for key in table:
        if key not in _KEYS:
            meant = get_close_matches(key, _KEYS, n=1)
            advice = f"did you mean {meant[0]!r}?" if meant else f"it may have {', '.join(_KEYS)}"
            return f"it has an unknown key {key!r}; {advice}"
    missing = [key for key in _KEYS if key not in table and key not in _OPTIONAL]
    return f"it has no {' and no '.join(missing)}; add it" if missing else ""


def _wrong_type(table: dict[str, Any]) -> str:
    until = table["until"]
    if not isinstance(until, date) or isinstance(until, datetime):
        return f"until is {str(until)!r}, and no date; write it without quotes and without a time: until = 2026-12-31"
    for key, kind in _KEYS.items():
        if kind is str and not (isinstance(table.get(key, "-"), str) and table.get(key, "-").strip()):
            return f"{key} is {table[key]!r:.80}, and no text; say {_WANTED[key]}"
    return ""


_WANTED = {
    "test": "which test, by its node id",
    "reason": "why the test may fail, such as a ticket",
    "owner": "who sees to it, or leave it out",
}


def _wrong_test(test: str) -> str:
    """Say why *test* can be no node id, so that it would cover nothing and nobody would know."""
    file, _, inside = test.partition("::")
    name = inside.partition("[")[0]
    if test != test.strip() or file.startswith(("/", "./")) or "\\" in file or re.match(r"[A-Za-z]:", file):
        return "test is no node id as pytest prints it, such as tests/unit/test_a.py::TestA::test_b"
    if "*" in file + name or "?" in file + name:
        return "test has a pattern, and patterns are not known here; name the class or the file to cover all in it"
    if test.endswith(("::", "/")) or not file:
        return "test names no file, class or test; an entry covers what is in a file, not what is in a folder"
    return ""
