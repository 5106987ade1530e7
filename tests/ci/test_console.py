import io

import pytest

from airflow_mltest.ci.console import Console
from airflow_mltest.core.outcome import Case, Outcome


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")


def test_terminal_has_one_line_that_moves_and_makes_way_for_what_stays():
    terminal = Terminal()
    console = Console(terminal)
    console.progress("running: 1/2 tasks done", 1)
    console.progress("running: 1/2 tasks done", 3)
    console.say("told")

    line = "\r\x1b[2K"
    assert terminal.getvalue() == (
        f"{line}running: 1/2 tasks done, 1 s{line}running: 1/2 tasks done, 3 s{line}told\n"
    )  # fmt: skip


def test_line_is_no_longer_than_the_terminal_is_wide():
    terminal = Terminal()
    Console(terminal).progress("x" * 100, 1)

    assert terminal.getvalue() == "\r\x1b[2K" + "x" * 39


def test_log_has_a_line_for_each_change():
    log = io.StringIO()
    console = Console(log)
    for text, elapsed_s in (("1/2 done", 1), ("1/2 done", 3), ("2/2 done", 5)):
        console.progress(text, elapsed_s)

    assert log.getvalue() == "1/2 done, 1 s\n2/2 done, 5 s\n"


def test_detail_of_a_failure_neither_steers_the_terminal_nor_commands_the_ci_system():
    log = io.StringIO()
    detail = "::stop-commands::x\n\x1b[2Jgone" + "\nline" * 20
    Console(log).failure("unit\r", Case(name="a\x1b]0;b", outcome=Outcome.BROKEN, detail=detail))

    lines = log.getvalue().splitlines()
    assert lines[:3] == [
        "BROKEN unit\N{REPLACEMENT CHARACTER}: a\N{REPLACEMENT CHARACTER}]0;b",
        "    | ::stop-commands::x",
        "    | \N{REPLACEMENT CHARACTER}[2Jgone",
    ]
    assert lines[-1] == "    | … (10 more lines)"
    assert "\x1b" not in log.getvalue()
