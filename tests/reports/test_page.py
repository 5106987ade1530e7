import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from airflow_mltest.core.figure import Figure, Matrix, Series
from airflow_mltest.core.outcome import Measurement
from airflow_mltest.reports.merge import report_of
from airflow_mltest.reports.page import render


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
    assert all(link.startswith("#") for link in seen.loads)
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?:", page)
    assert "<script>alert('x')</script>" in "".join(seen.text)


def test_verdict_comes_first_and_failures_before_the_suites_they_are_of(suite, case):
    page = render(
        report_of("release", [suite("good", "passed"), suite("bad", case("broken one", "failed", detail="why"))])
    )
    text = "".join(Tags(page).text)

    assert (
        text.index("Tests failed") < text.index("What has not passed") < text.index("broken one") < text.rindex("good")
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
    assert "200 more that have not passed, by name" in page
    assert "96\N{NARROW NO-BREAK SPACE}000 more characters" in page
    assert "96\N{NARROW NO-BREAK SPACE}000 characters before this" in page


def test_page_of_any_suite_can_be_written(suites):
    @settings(max_examples=30)
    @given(suites)
    def check(found):
        assert Tags(render(report_of("r", [found]))).tags[0] == "html"

    check()


def test_every_link_leads_somewhere_on_the_page(nasty, suite):
    page = render(report_of("r", [nasty, suite("s", "failed", "passed", incomplete="killed")]))
    ids = re.findall(r' id="([^"]+)"', page)

    assert len(ids) == len(set(ids))
    assert {link[1:] for link in Tags(page).loads} <= set(ids)
    assert len(Tags(page).loads) >= 6


def test_every_number_is_pictured_and_the_picture_says_it_in_words(suite, case):
    measured = Measurement(name="p95_<ms>_ms", value=12.5, low=11.0, high=14.0, maximum=20.0, confidence=0.95)
    page = render(report_of("r", [suite("s", case("latency", measurements=(measured,)))]))
    (said,) = re.findall(r'role="img" aria-label="([^"]*)"', page)

    assert said.replace("\N{NO-BREAK SPACE}", " ") == (
        "p95_&lt;ms&gt;_ms: 12.5 ms; 95 % interval 11 ms to 14 ms; wanted at most 20 ms; within bounds"
    )
    assert f"<title>{said}</title>" in page


def test_numbers_of_one_case_beyond_a_dozen_are_folded_and_beyond_two_hundred_left_out(suite, case):
    measured = tuple(Measurement(name=f"m{number}", value=1.0, minimum=0.5) for number in range(300))
    page = render(report_of("r", [suite("s", case("slices", measurements=measured))]))

    assert page.count('role="img"') == 200
    assert "288 more numbers" in page
    assert "100 more are in report.json" in page


@pytest.mark.parametrize(
    "outcomes, said",
    [
        (["passed"], "1 case passed, and none failed."),
        (["passed", "passed", "skipped"], "2 cases passed, and none failed; 1 case skipped."),
        (["passed", "failed", "broken", "inconclusive"], "1 of 4 cases failed. 1 case could not be judged. In 1 case"),
        (["skipped"], "1 case skipped, and none passed."),
        ([], "Nothing ran."),
    ],
)
def test_counts_are_said_as_a_sentence(suite, outcomes, said):
    assert said in render(report_of("r", [suite("s", *outcomes)]))


def test_facts_conditions_and_subject_are_told(nasty):
    text = "".join(Tags(render(report_of("r", [nasty]))).text)

    for told in ("Environment", "packages", '{"numpy": "2"}', "Facts", "a.py:3", "Model"):
        assert told in text


def test_flaky_case_of_a_long_suite_is_not_hidden_among_the_others(suite, case):
    many = [case(f"t{number}") for number in range(500)]
    page = render(report_of("r", [suite("s", *many, case("shaky", flaky=True))]))
    text = "".join(Tags(page).text)

    assert text.index("shaky") < text.index("500 more cases")


@pytest.mark.parametrize(
    "seconds, said",
    [(0.0321, "32 ms"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (3725, "1 h 02 min"), (float("nan"), "unknown")],
)
def test_durations_are_said_as_people_say_them(suite, seconds, said):
    page = render(report_of("r", [suite("s", "passed", duration_s=seconds)]))

    assert said in page.replace("\N{NO-BREAK SPACE}", " ")


CURVE = Figure(title="Robust <b>accuracy</b>", x="budget", y="accuracy", series=(Series(x=(0.0, 1.0), y=(1.0, 0.5)),))
MATRIX = Matrix(title="Confusion", rows="true", columns="predicted", row_names=("</svg><script>",),
                column_names=("a",), values=((1.0,),))  # fmt: skip


def test_figures_of_what_has_not_passed_are_open_and_all_are_drawn_once(suite, case):
    bad, good = case("bad", "failed", figures=(CURVE,)), case("good", figures=(MATRIX,))
    page = render(report_of("r", [suite("s", bad, good)]))

    assert page.count('class="chart"') == 2
    assert page.count("<details open><summary>Figures</summary>") == 1
    assert page.index("<details open><summary>Figures") < page.index("<details><summary>Figures")
    assert "<figcaption>Robust &lt;b&gt;accuracy&lt;/b&gt;</figcaption>" in page
    assert "script" not in Tags(page).tags


def test_case_with_a_figure_is_not_hidden_among_the_others(suite, case):
    many = [case(f"t{number}") for number in range(500)]
    page = render(report_of("r", [suite("s", *many, case("drawn", figures=(CURVE,) * 9))]))

    assert page.count('class="chart"') == 6
    assert "3 more are in report.json" in page


def test_figures_of_the_first_hundred_cases_that_have_some_are_drawn(suite, case):
    many = [case(f"t{number}", outcome, figures=(CURVE,)) for number, outcome in enumerate(["failed", "passed"] * 75)]
    page = render(report_of("r", [suite("s", *many)]))

    assert page.count('class="chart"') == 100
    assert page.count("Its figures are in report.json.") == 50


def test_examples_are_a_table_and_no_other_fact(suite, case):
    told = {
        "row": 17,
        "before": {"plan": "gold", "age": 30},
        "after": {"plan": "<i>"},
        "answers": ["stays", "leaves"],
        "budget": 0.5,
    }
    page = render(report_of("r", [suite("s", case("a", "failed", facts={"examples": [told], "worst": "plan"}))]))

    assert re.search(r"Row 17.*<td>plan</td><td>gold</td><td>&lt;i&gt;</td>", page, re.DOTALL)
    assert "<td>stays</td><td>leaves</td>" in page
    assert "Budget: 0.5. Unchanged: age = 30" in page
    assert "<dt>worst</dt>" in page
    assert "<dt>examples</dt>" not in page


def test_without_an_example_there_is_nothing_to_tell(suite, case):
    page = render(report_of("r", [suite("s", case("a", "failed", facts={"examples": []}))]))

    assert "Examples" not in page
    assert "Facts" not in page


def test_examples_of_another_form_are_facts(suite, case):
    page = render(report_of("r", [suite("s", case("a", "failed", facts={"examples": ["x"]}))]))

    assert "<dt>examples</dt>" in page
    assert "<summary>Examples" not in page


def test_metrics_over_past_versions_are_drawn_in_the_section_of_their_suite(suite, case):
    def run(version, value):
        measured = (Measurement(name="auc", value=value, minimum=0.5),)
        return suite("s", case("Metric", measurements=measured), subject={"version": version})

    report = report_of("r", [run("2", 0.9)])
    page = render(report, past=[run("1", 0.8)])

    assert "Metrics over past versions" in page
    assert "auc by model version: at 1 0.8; at 2 0.9. Bounds: 0.5." in page
    assert "Metrics over past" not in render(report)


def test_attachments_are_linked_where_the_runs_folder_is_known_and_else_told_by_their_path(suite):
    path = 'g%2Ea@-1/1."page".html'
    report = report_of("r", [suite("g.a", "passed", attachments=(path,))])
    linked, told = Tags(render(report, run_folder="..")), Tags(render(report))

    assert "../g%252Ea%40-1/1.%22page%22.html" in linked.loads
    assert path in linked.text
    assert path in told.text
    assert all(link.startswith("#") for link in told.loads)
