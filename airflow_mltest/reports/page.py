"""A suite and its history as one self-contained HTML page."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.outcome import Outcome, Suite
from airflow_mltest.reports.plot import in_words, number, picture

if TYPE_CHECKING:
    from jinja2 import Template

    from airflow_mltest.reports.merge import Report

_LOUD = (Outcome.FAILED, Outcome.BROKEN, Outcome.INCONCLUSIVE)
_TEXT, _OUTPUT, _SHOWN = 4_000, 6_000, 200


def render(report: Report) -> str:
    """
    Write *report* as one HTML page that loads nothing and runs nothing.

    Of a text or a list that is very long the page shows a part, and says how much it leaves out;
    `report.json` has it all.
    """
    loud = [
        (suite, case) for outcome in _LOUD for suite in report.suites for case in suite.cases if case.outcome is outcome
    ]
    return _template().render(
        report=report,
        verdict=_VERDICTS[report.outcome],
        loud=loud[:_SHOWN],
        more_loud=max(0, len(loud) - _SHOWN),
        suites=[_suite(suite) for suite in report.suites],
    )


_VERDICTS = {
    Outcome.PASSED: "Everything passed",
    Outcome.FAILED: "Tests failed",
    Outcome.BROKEN: "Not everything could be judged",
    Outcome.INCONCLUSIVE: "The data cannot tell",
    Outcome.SKIPPED: "Nothing ran",
}


def _suite(suite: Suite) -> dict[str, Any]:
    """Sort a suite's cases into those with figures, and those of which a line is enough."""
    figures = [case for case in suite.cases if case.measurements or case.outcome in _LOUD]
    plain = [case for case in suite.cases if not case.measurements and case.outcome not in _LOUD]
    return {
        "suite": suite,
        "figures": figures[:_SHOWN],
        "plain": plain[: 10 * _SHOWN],
        "left_out": max(0, len(figures) - _SHOWN) + max(0, len(plain) - 10 * _SHOWN),
    }


@cache
def _template() -> Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("airflow_mltest.reports", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(picture=_picture, number=number, in_words=in_words, clip=_clip, seconds=_seconds)
    environment.globals.update(text_limit=_TEXT, output_limit=_OUTPUT)
    return environment.get_template("report.html.j2")


def _picture(measurement: Any) -> Any:
    import markupsafe

    return markupsafe.Markup(picture(measurement))  # noqa: S704  numbers, and words that are escaped there


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}\n... ({len(text) - length} more characters)"


def _seconds(value: float) -> str:
    if value >= 60:  # noqa: PLR2004
        return f"{int(value // 60)} min {value % 60:.0f} s"
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"
