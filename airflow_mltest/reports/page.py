"""A suite and its history as one self-contained HTML page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.reports import plot
from airflow_mltest.reports.examples import examples_of
from airflow_mltest.reports.figure import svg
from airflow_mltest.reports.trend import trends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment, Template

    from airflow_mltest.core.figure import Figure, Matrix
    from airflow_mltest.core.outcome import Case, Suite
    from airflow_mltest.reports.merge import Report

_LOUD = (Outcome.FAILED, Outcome.BROKEN, Outcome.INCONCLUSIVE)
_MARKS = {"passed": "✓", "failed": "✕", "broken": "!", "inconclusive": "?", "skipped": "–"}  # noqa: RUF001
VERDICTS = {
    Outcome.PASSED: "Everything passed",
    Outcome.FAILED: "Tests failed",
    Outcome.BROKEN: "Not everything could be judged",
    Outcome.INCONCLUSIVE: "The data cannot tell",
    Outcome.SKIPPED: "Nothing ran",
}
_SUBJECT = ("model", "version", "model_digest", "data", "data_digest", "commit")

# A page of more than this no browser opens gladly; what is left out is in report.json.
_TOLD_CASES = 100
_TABLE_ROWS = 200
_LISTED_CASES = 10_000
_PICTURED_CASES = 100
_SHORT_SUITE = 25
_TEXT_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """
    A suite as the page shows it.

    Args:
        anchor: Its id on the page.
        rows: Cases worth a row of the table.
        listed: The others, by outcome: a name and a line each.
        unlisted: How many more there are.
        trends: Its metrics in this run and in earlier ones.
    """

    suite: Suite
    anchor: str
    subject: dict[str, str]
    rows: list[Case]
    listed: dict[str, list[Case]]
    unlisted: int
    trends: tuple[Figure | Matrix, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """
    What a page shows of suites.

    Args:
        sections: One a suite.
        told: What has not passed and is told in full, the worst first.
        untold: Of the others that have not passed, the names.
        loud_count: How many have not passed.
        anchors: Ids on the page of the cases that are told, by the case's own.
        pictured: Cases whose figures are drawn.
    """

    sections: list[_Section]
    told: list[tuple[_Section, Case]]
    untold: list[tuple[_Section, Case]]
    loud_count: int
    anchors: dict[int, str]
    pictured: set[int]


def render(report: Report, *, past: Sequence[Suite] = (), run_folder: str = "") -> str:
    """
    Write *report* as one HTML page that loads and runs nothing, whatever the tests have printed.

    What did not pass comes first; of very long suites and outputs the page says what it leaves
    out. Everything is in `report.json`.

    Args:
        report: What to show.
        past: Suites of earlier runs, newest first: what they measured is shown beside what was measured now.
        run_folder: Where the run's folder of the store lies, seen from the page, so that attachments can be
            linked; empty: their paths are told.
    """
    return template("report.html.j2").render(
        report=report,
        verdict=VERDICTS[report.outcome],
        sentence=_sentence(report),
        contents=contents(report.suites, past),
        run_folder=run_folder,
    )


def contents(suites: Sequence[Suite], past: Sequence[Suite] = ()) -> Contents:
    """Choose what a page shows of *suites*; *past* are suites of earlier runs, newest first."""
    sections = [_section(f"suite-{number}", suite, past) for number, suite in enumerate(suites, 1)]
    loud = [
        (section, case)
        for outcome in _LOUD
        for section in sections
        for case in section.suite.cases
        if case.outcome is outcome
    ]
    shown = [case for _, case in loud[:_TOLD_CASES]] + [case for section in sections for case in section.rows]
    return Contents(
        sections=sections,
        told=loud[:_TOLD_CASES],
        untold=loud[_TOLD_CASES:][:_LISTED_CASES],
        loud_count=len(loud),
        anchors={id(case): f"case-{number}" for number, (_, case) in enumerate(loud[:_TOLD_CASES], 1)},
        pictured={*list(dict.fromkeys(id(case) for case in shown if case.figures))[:_PICTURED_CASES]},
    )


def template(name: str) -> Template:
    """Give the template that is called so, beside this file; it escapes all that it is given."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=_duration, clip=_clip, ending=_ending, text=_text, thousands=_thousands)
    environment.filters.update(
        quoted=lambda text: quote(text, safe=""), ref=id, first_line=lambda text: _clip(text.partition("\n")[0])
    )
    environment.globals.update(draw=svg, examples_of=examples_of)
    environment.globals.update(plot=plot.plot, standing=plot.standing, words=plot.words, width=plot.WIDTH, marks=_MARKS)
    return environment


def _section(anchor: str, suite: Suite, past: Sequence[Suite]) -> _Section:
    short = len(suite.cases) <= _SHORT_SUITE
    worth = [case for case in suite.cases if short or case.outcome in _LOUD or _tells(case)]
    # The table is read from the top, and may end before the suite does.
    worth.sort(key=lambda case: _LOUD.index(case.outcome) if case.outcome in _LOUD else len(_LOUD))
    rows = worth[:_TABLE_ROWS]
    shown = {id(case) for case in rows}
    others = [case for case in suite.cases if id(case) not in shown]
    listed: dict[str, list[Case]] = {}
    for case in others[:_LISTED_CASES]:
        listed.setdefault(case.outcome.value, []).append(case)
    known = [key for key in _SUBJECT if key in suite.subject]
    return _Section(
        suite=suite,
        anchor=anchor,
        subject={key: suite.subject[key] for key in (*known, *sorted(suite.subject.keys() - {*known}))},
        rows=rows,
        listed=listed,
        unlisted=len(others[_LISTED_CASES:]),
        trends=trends(suite, past),
    )


def _tells(case: Case) -> bool:
    return bool(case.measurements or case.figures or case.flaky)


def _sentence(report: Report) -> str:
    """Say in sentences what the counts say in numbers."""
    counts = report.counts
    total = sum(count for name, count in counts.items() if name != "flaky")
    incomplete = sum(bool(suite.incomplete) for suite in report.suites)
    said = [
        (len(report.missing), f"{_several(len(report.missing), 'required suite')} missing."),
        (counts["failed"], f"{_thousands(counts['failed'])} of {_several(total, 'case')} failed."),
        (counts["broken"], f"{_several(counts['broken'], 'case')} could not be judged."),
        (incomplete, f"{_several(incomplete, 'suite')} did not reach the end."),
        (counts["inconclusive"], f"In {_several(counts['inconclusive'], 'case')} the data cannot tell."),
        (not total, "Nothing ran."),
        (report.outcome is Outcome.SKIPPED, f"{_several(total, 'case')} skipped, and none passed."),
    ]
    sentences = [sentence for count, sentence in said if count]
    if not sentences:
        skipped = f"; {_several(counts['skipped'], 'case')} skipped" if counts["skipped"] else ""
        sentences = [f"{_several(counts['passed'], 'case')} passed, and none failed{skipped}."]
    return " ".join(sentences)


def _several(count: int, noun: str) -> str:
    return f"{_thousands(count)} {noun}{'' if count == 1 else 's'}"


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _duration(seconds: float) -> str:
    """Write seconds as a person would say them."""
    if not 0 <= seconds < float("inf"):
        return "unknown"
    if seconds < 1:
        return f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"
    if seconds < 59.95:  # noqa: PLR2004  what would be rounded to 60.0 s is a minute
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _clip(text: str) -> str:
    """Keep the beginning of a text, where it says what was wrong."""
    left_out = len(text) - _TEXT_CHARACTERS
    return text if left_out <= 0 else f"{text[:_TEXT_CHARACTERS]} … ({_thousands(left_out)} more characters)"


def _ending(text: str) -> str:
    """Keep the end of an output, where it says what happened last."""
    left_out = len(text) - _TEXT_CHARACTERS
    return text if left_out <= 0 else f"({_thousands(left_out)} characters before this) …\n{text[-_TEXT_CHARACTERS:]}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _text(value: Any) -> str:
    """Write a fact: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
