import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from airflow_mltest.core.outcome import Measurement
from airflow_mltest.reports.merge import report_of
from airflow_mltest.reports.page import render
from airflow_mltest.reports.plot import in_words, number, picture


class Tags(HTMLParser):
    """Which elements a page has, and what they load."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.loads, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href", "action", "srcset"}]

    def handle_data(self, data):
        self.text.append(data)


def test_page_loads_nothing_and_runs_nothing(nasty):
    page = render(report_of("release", [nasty], dag_id="<b>d</b>", run_id="r"))
    seen = Tags(page)

    assert "script" not in seen.tags
    assert "b>d" not in page
    assert seen.loads == []
    assert not re.search(r"url\(|@import|https?:", page)
    assert "<script>alert('x')</script>" in "".join(seen.text)


def test_verdict_comes_first_and_failures_before_suites(suite, case):
    page = render(
        report_of("release", [suite("good", "passed"), suite("bad", case("broken one", "failed", detail="why"))])
    )
    text = "".join(Tags(page).text)

    assert (
        text.index("Tests failed") < text.index("What has not passed") < text.index("broken one") < text.index("good")
    )


def test_missing_suites_are_named_on_top(suite):
    text = "".join(Tags(render(report_of("r", [suite("s", "passed")], required=["model_tests"]))).text)

    assert "Not everything could be judged" in text
    assert text.index("Required, and did not run") < text.index("model_tests")


@pytest.mark.parametrize(
    "outcome, words",
    [("passed", "Everything passed"), ("inconclusive", "The data cannot tell"), ("skipped", "Nothing ran")],
)
def test_verdict_is_said_in_words(suite, outcome, words):
    assert words in render(report_of("r", [suite("s", outcome)]))


def test_page_of_five_thousand_tests_stays_small_and_says_what_it_leaves_out(suite, case):
    many = [case(f"tests/test_{n}.py::test", output="x" * 100_000) for n in range(5000)]
    loud = [case(f"bad {n}", "failed", detail="y" * 100_000, output="z" * 100_000) for n in range(300)]
    page = render(report_of("r", [suite("s", *many, *loud)]))

    assert len(page) < 6_000_000
    assert "100 more are in report.json" in page
    assert "more characters" in page


def test_page_of_any_suite_can_be_written(suites):
    @settings(max_examples=30)
    @given(suites)
    def check(found):
        assert Tags(render(report_of("r", [found]))).tags[0] == "html"

    check()


def test_picture_says_in_words_what_it_shows():
    measured = Measurement(name="p95_ms", value=12.5, low=11.0, high=14.0, maximum=20.0)
    drawn = picture(measured)

    assert in_words(measured) == "p95_ms 12.5 ms, between 11 and 14, at most 20 wanted"
    assert f'aria-label="{in_words(measured)}"' in drawn
    positions = {kind: float(x) for kind, x in re.findall(r'class="(\w+)" (?:x1|x|cx)="([\d.]+)"', drawn)}
    assert positions["interval"] < positions["estimate"] < positions["bound"] == positions["no"]


def test_picture_with_both_bounds_shades_both_sides():
    drawn = picture(Measurement(name="n", value=5, minimum=1, maximum=9))

    assert drawn.count('class="no"') == 2


def test_number_without_a_bound_or_a_value_has_no_picture():
    assert picture(Measurement(name="n", value=5)) == ""
    assert picture(Measurement(name="n", value=float("nan"), minimum=1)) == ""


def test_numbers_all_alike_are_drawn_in_the_middle():
    assert 'cx="110.0"' in picture(Measurement(name="n", value=1, minimum=1))


@pytest.mark.parametrize(
    "value, name, text",
    [
        (0.68712, "roc_auc", "0.6871"),
        (12.3456, "latency_p95_ms", "12.35 ms"),
        (12.3456, "latency_p95_ms[50 rows]", "12.35 ms"),
        (1234567, "rows", "1,234,567"),
        (float("nan"), "x", "not measured"),
        (float("inf"), "x", "inf"),
        (None, "x", ""),
    ],
)
def test_numbers_are_written_with_what_counts(value, name, text):
    assert number(value, name) == text
