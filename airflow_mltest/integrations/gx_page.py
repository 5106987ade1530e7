"""Great Expectations: its Data Docs page of a suite, as one file that loads and runs nothing."""

from __future__ import annotations

import logging
import re
import secrets
from contextlib import contextmanager
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.outcome import Case, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_mltest.core.outcome import Suite

# Values that are numbers, dates or plain words mean something to Great Expectations, and nothing to a browser.
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:+-]{0,200}")
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_LISTED, _TEXT_CHARACTERS, _SHOWN = 50, 1_000, 300
_PAGE_BYTES = 2_000_000
_TAGS = frozenset(
    [f"h{level}" for level in range(1, 7)]
    + ["a", "b", "br", "code", "div", "em", "hr", "i", "li", "nav", "ol", "p", "pre", "span", "strong", "ul"]
    + ["table", "tbody", "td", "th", "thead", "tr"]
)
_EMPTY_TAGS = frozenset(["br", "hr"])
# Without what they hold: a menu that needs scripts, and an advertisement.
_LEFT_OUT = frozenset(["button", "footer", "label", "script", "title"])
_ATTRIBUTES = frozenset(["class", "colspan", "hidden", "href", "id", "style"])
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data Docs</title>
"""
# Of Bootstrap and Font Awesome what the page cannot be read without.
_STYLE = """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 80rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: 0 1rem; }
.row > * { flex: 1 1 100%; min-width: 0; }
@media (min-width: 60rem) { .row > .col-lg-2 { flex: 0 0 14rem; } .row > .col-lg-10 { flex: 1 1 0; } }
h4, h5, h6, .h6, p { margin: 0.25rem 0; font-size: 1rem; }
h4, h5 { font-size: 1.25rem; }
.h6 { font-weight: 600; }
ul, ol { margin: 0; }
.nav, .breadcrumb { list-style: none; padding: 0; }
.card, .alert { border: 1px solid #8885; border-radius: 4px; padding: 0.5rem; margin: 0.5rem 0; }
.alert { background: #8882; }
table { width: 100%; border-collapse: collapse; margin: 0.5rem 0; }
th, td { border-top: 1px solid #8885; padding: 0.5rem; text-align: left; vertical-align: top; }
.badge { background: #6c757d; color: #fff; border-radius: 4px; padding: 0 0.3rem; }
.badge-primary { background: #0062cc; }
.badge-danger { background: #b02a37; }
.text-danger { color: #b02a37; }
.text-success { color: #1a7f37; }
.text-warning { color: #9a6700; }
.fas { font-style: normal; }
.fa-check-circle::before { content: "\\2713"; }
.fa-times::before { content: "\\2715"; }
.fa-exclamation-triangle::before { content: "!"; font-weight: bold; }
.collapse { display: none; }
.collapse:target { display: block; }
@media (prefers-color-scheme: dark) {
  body { background: #14171a; color: #f1f1f1; }
  a { color: #8cbdf2; }
  .text-danger { color: #ff9c92; }
  .text-success { color: #74d3a0; }
  .text-warning { color: #f0b868; }
}
"""


def page_of(expectations: Sequence[Any], suite: Suite) -> str:
    """
    Write the page that Great Expectations makes of its answers, from what the cases show and no more.

    Great Expectations writes values into its page as they are, so that one of them could run; here it is given a
    word for each text instead, and the page gets the text itself when all else of it is known to be harmless.

    Of very many expectations the page shows those that were not met first, and as many as a browser opens gladly.

    Args:
        expectations: What was asked.
        suite: Its cases are the answers, in the same order.
    """
    shown = min(len(expectations), _SHOWN)
    while len((page := _page(expectations, suite, shown)).encode(errors="replace")) > _PAGE_BYTES:
        shown //= 2
    return page


def _page(expectations: Sequence[Any], suite: Suite, shown: int) -> str:
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    held = _Held()
    kept = _Harmless()
    with _silent():
        document = ValidationResultsPageRenderer().render(_result(expectations, suite, shown, held))
        document.renderer_type = "ValidationResults"  # by its whole name it has a menu that needs scripts
        kept.feed(DefaultJinjaPageView().render(document))
    kept.close()
    style = re.sub(r"url\([^)]*\)", "none", "".join(kept.style))
    note = f"<p>{shown} of {len(expectations)} expectations are shown.</p>" if shown < len(expectations) else ""
    body = f"{note}{''.join(kept.body)}"
    return held.put_back(f"{_HEAD}<style>{style}{_STYLE}</style>\n</head>\n<body>{body}</body>\n</html>\n")


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the tracebacks of cells that Great Expectations cannot write, and leaves empty, out of the task's log."""
    logger = logging.getLogger("great_expectations.render")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Held:
    """The texts that stand for themselves at the end alone, and the words that stand for them until then."""

    def __init__(self) -> None:
        # No text can hold a word that was drawn after it was written.
        self._mark = f"q{secrets.token_hex(8).translate(_LETTERS)}"
        self._texts: list[str] = []
        self._words: dict[str, str] = {}

    def word(self, text: str) -> str:
        """Give the word for a text."""
        if text not in self._words:
            self._words[text] = f"{self._mark}x{len(self._texts)}x"
            left_out = len(text) - _TEXT_CHARACTERS
            self._texts.append(f"{text[:_TEXT_CHARACTERS]} … ({left_out} more characters)" if left_out > 0 else text)
        return self._words[text]

    def of(self, value: Any) -> Any:
        """Give *value* without any text that could be more than text, and of long lists the beginning."""
        if isinstance(value, dict):
            return {self.of(str(key)): self.of(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            items = [self.of(item) for item in list(value)[:_LISTED]]
            return [*items, self.word(f"… and {len(value) - _LISTED} more")] if len(value) > _LISTED else items
        if value is None or type(value) in {bool, int, float}:
            return value
        text = str(value)
        return text if _PLAIN.fullmatch(text) else self.word(text)

    def put_back(self, page: str) -> str:
        """Write each text where its word stands."""
        return re.sub(f"{self._mark}x([0-9]+)x", lambda found: escape(self._texts[int(found[1])]), page)


class _Harmless(HTMLParser):
    """What remains of a page: its body's structure and words, and its style."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.body: list[str] = []
        self.style: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element that is known, with those of its attributes that load and run nothing."""
        if tag == "style" or tag in _LEFT_OUT:
            self._inside.append(tag)
        elif tag in _TAGS and not self._inside:
            kept = "".join(f' {name}="{escape(value or "")}"' for name, value in attrs if _loads_nothing(name, value))
            self.body.append(f"<{tag}{kept}>")

    def handle_endtag(self, tag: str) -> None:
        """Close an element that was kept, or end what is left out."""
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()
        elif tag in _TAGS - _EMPTY_TAGS and not self._inside:
            self.body.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Keep words, and the style that comes with the page."""
        if not self._inside:
            self.body.append(escape(data) if data.strip() else "\n")
        elif self._inside == ["style"]:
            self.style.append(data)


def _loads_nothing(name: str, value: str | None) -> bool:
    return name in _ATTRIBUTES and (name != "href" or (value or "").startswith("#"))


def _result(expectations: Sequence[Any], suite: Suite, shown: int, held: _Held) -> Any:
    from great_expectations import __version__
    from great_expectations.core import ExpectationSuiteValidationResult

    answers = [_answer(one, case, held) for one, case in zip(expectations, suite.cases, strict=True)]
    met = sum(answer.success for answer in answers)
    run_id = suite.origin.run_id if suite.origin else suite.name
    return ExpectationSuiteValidationResult(
        success=met == len(answers),
        results=answers if shown == len(answers) else sorted(answers, key=lambda answer: answer.success)[:shown],
        suite_name=held.word(suite.name),
        statistics={
            "evaluated_expectations": len(answers),
            "successful_expectations": met,
            "unsuccessful_expectations": len(answers) - met,
            "success_percent": 100 * met / len(answers),
        },
        meta={
            "great_expectations_version": __version__,
            "run_id": {"run_name": held.word(run_id), "run_time": suite.started_at.isoformat()},
            "batch_spec": {"data_asset_name": held.word(suite.subject.get("data", ""))},
        },
    )


def _answer(expectation: Any, case: Case, held: _Held) -> Any:
    from great_expectations.core import ExpectationValidationResult

    broken = case.outcome is Outcome.BROKEN
    return ExpectationValidationResult(
        success=not broken and case.facts["success"],
        expectation_config=_asked(expectation, held),
        result=held.of(case.facts.get("result", {})),
        exception_info={
            "raised_exception": broken,
            "exception_message": held.word(case.detail),
            "exception_traceback": "It is not kept.",
        },
    )


def _asked(expectation: Any, held: _Held) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.row_conditions import deserialize_row_condition

    given = expectation.configuration
    kwargs = dict(given.kwargs)
    if isinstance(kwargs.get("row_condition"), dict):
        kwargs["row_condition"] = repr(deserialize_row_condition(kwargs["row_condition"]))
    asked: Any = ExpectationConfiguration(
        type=given.type,
        kwargs=held.of(kwargs),
        description=expectation.description and held.word(expectation.description),
        severity=given.severity,
    )
    # An expectation is made of it for its description alone, and would refuse a word in place of a query.
    asked.to_domain_obj = lambda: asked
    return asked
