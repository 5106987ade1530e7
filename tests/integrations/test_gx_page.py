from html.parser import HTMLParser

import pandas as pd
import pytest

from airflow_mltest.core.outcome import Case, Origin, Outcome, Suite
from airflow_mltest.core.recording import Recording
from airflow_mltest.integrations.gx_batches import validate_batches
from airflow_mltest.integrations.gx_case import Rules
from airflow_mltest.integrations.gx_page import page_of
from airflow_mltest.integrations.gx_suite import read_expectations
from airflow_mltest.integrations.gx_validator import validate

NASTY = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(2)">',
    "{{ 7 * 7 }} {% raw %}",
    "$PARAMETER ${styling} $$ $icon",
    "&lt;b&gt; & \"double\" 'single'",
    "</td></style></title><!-- ]]>",
    "q0x0x [link](javascript:alert(3)) `code`",
]


class Seen(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.style = set(), [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.lasttag == "style" and not self.style.endswith("\n}\n"):
            self.style += data
        self.text.append(" ".join(data.split()))

    def says(self, words):
        return any(words in text for text in self.text)


class Parts:
    """Rows that are not in memory."""

    def __init__(self, rows):
        self.rows, self.columns = rows, list(rows.columns)

    def read(self, columns=None):
        return self.rows[list(columns or self.columns)]

    def batches(self, columns=None):
        yield from (self.read(columns).iloc[place : place + 2] for place in range(0, len(self.rows), 2))


def in_set(column="name", values=("a",), **more):
    kwargs = {"column": column, "value_set": list(values)}
    return {"type": "expect_column_values_to_be_in_set", "kwargs": kwargs, **more}


def page(rows, *items, name="features", redact=(), ask=validate):
    expectations = read_expectations(list(items))
    recording = Recording(name, "data", origin=Origin(dag_id="d", run_id=name, task_id=name))
    recording.about(data=name)
    ask(Parts(rows) if ask is validate_batches else rows, expectations, recording, Rules(redact=redact))
    return page_of(expectations, recording.suite())


def harmless(seen):
    return (
        not seen.tags & {"script", "img", "link", "iframe", "object", "svg", "form", "base"}
        and not any(name.startswith("on") or name in {"src", "srcset", "action"} for name, _ in seen.attributes)
        and all(value.startswith("#") for name, value in seen.attributes if name == "href")
    )


@pytest.mark.parametrize("ask", [validate, validate_batches])
@pytest.mark.parametrize("nasty", NASTY)
def test_text_from_values_columns_expectations_and_names_is_shown_as_it_is_and_runs_nothing(nasty, ask):
    rows = pd.DataFrame({nasty: [f"1{nasty}", f"2{nasty}", "a"]})
    items = [
        in_set(nasty, ["a", f"3{nasty}"]),
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": nasty, "regex": "^a$"}},
        {"type": "expect_column_distinct_values_to_equal_set", "kwargs": {"column": nasty, "value_set": [f"4{nasty}"]}},
        {"type": "expect_table_columns_to_match_ordered_list", "kwargs": {"column_list": [f"5{nasty}"]}},
        {"type": "expect_column_to_exist", "kwargs": {"column": f"6{nasty}"}, "description": f"7{nasty}"},
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": f"8{nasty}", "max_value": 1}},
    ]
    seen = Seen(page(rows, *items, name=f"9{nasty}", ask=ask))

    assert harmless(seen)
    missing = [number for number in (1, 2, 3, 4, 5, 7, 8, 9) if not seen.says(f"{number}{nasty}")]
    assert not missing


@pytest.mark.parametrize("ask", [validate, validate_batches])
def test_page_says_what_great_expectations_says(ask):
    rows = pd.DataFrame({"age": [20, 35, 41], "name": ["a", "b", None]})
    items = [
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "min_value": 0, "max_value": 40}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "age", "min_value": 0}},
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 3}},
        in_set(values=["a", "c"], severity="warning"),
    ]
    seen = Seen(page(rows, *items, ask=ask))

    assert seen.says("values must be greater than or equal to")
    assert seen.says("1 unexpected values found. ≈33.33% of 3 total rows.")
    assert seen.says("41")
    assert seen.text[seen.text.index("Successful Expectations") + 1 :].index("2") < 3
    assert seen.text.index("Table-Level Expectations") < seen.text.index("name")
    icons = [value for name, value in seen.attributes if name == "class" and "fa-" in value]
    assert sorted(icons) == ["fas fa-check-circle text-success"] * 2 + ["fas fa-times text-danger"] * 3


def test_page_loads_nothing_and_brings_its_style():
    written = page(pd.DataFrame({"name": ["a"]}), in_set())
    seen = Seen(written)

    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in seen.attributes
    assert not any(loads in written for loads in ("url(", "@import", "http:", "https:", "//"))
    assert ".cooltip" in seen.style
    assert ".badge-primary" in seen.style


def test_every_link_leads_somewhere_on_the_page():
    seen = Seen(page(pd.DataFrame({"name": ["b"]}), in_set(), in_set("gone")))
    ids = [value for name, value in seen.attributes if name == "id"]
    links = [value for name, value in seen.attributes if name == "href"]

    assert len(links) > 3
    assert {link.removeprefix("#") for link in links} <= {*ids}
    assert any("collapse" in link for link in links)
    assert ".collapse:target { display: block; }" in seen.style
    assert not seen.says("Validation Filter")


def test_what_could_not_be_judged_is_told_with_its_reason():
    rows = pd.DataFrame({"name": ["a"], "empty": [None]})
    seen = Seen(page(rows, in_set("nam"), in_set("empty")))

    assert seen.says("did you mean 'name'?")
    assert seen.says("all 1 values are missing")
    assert seen.says("Failed")


@pytest.mark.parametrize("redact", [["name"], ["*"]])
@pytest.mark.parametrize("ask", [validate, validate_batches])
def test_value_of_a_redacted_column_is_not_on_the_page(redact, ask):
    rows = pd.DataFrame({"name": ["JFK", "LGA", "JFK"]})
    kinds = ["distinct_values_to_equal_set", "most_common_value_to_be_in_set", "values_to_be_in_set"]
    items = [{"type": f"expect_column_{kind}", "kwargs": {"column": "name", "value_set": ["EWR"]}} for kind in kinds]
    items.append({"type": "expect_column_mean_to_be_between", "kwargs": {"column": "name", "max_value": 1}})
    written = page(rows, *items, redact=redact, ask=ask)

    assert "JFK" not in written
    assert "LGA" not in written
    assert Seen(written).says("3 unexpected values found")


def test_markup_of_a_users_own_renderer_runs_nothing():
    import great_expectations.expectations as gxe
    from great_expectations.render import RenderedStringTemplateContent
    from great_expectations.render.renderer.renderer import renderer

    evil = (
        '<b onclick="alert(1)">bold</b><svg onload="alert(2)"></svg><a href="javascript:alert(3)">there</a>'
        '<img src="https://example.org/x.png"><script>alert(4)</script><iframe src="/x"></iframe>'
        '<link rel="stylesheet" href="/x.css"><form action="/x"></form><button>press</button>'
    )

    class ExpectNameToBeOurs(gxe.ExpectColumnValuesToBeInSet):
        @classmethod
        @renderer(renderer_type="renderer.prescriptive")
        def _prescriptive_renderer(cls, **_):
            template = {"template": evil, "params": {}, "styling": {}}
            return [RenderedStringTemplateContent(content_block_type="string_template", string_template=template)]

    seen = Seen(page(pd.DataFrame({"name": ["a"]}), ExpectNameToBeOurs(column="name", value_set=["a"])))

    assert harmless(seen)
    assert "bold" in seen.text
    assert "there" in seen.text
    assert not seen.says("alert(")


def test_cell_that_cannot_be_written_is_left_empty_without_a_word_in_the_log(caplog):
    kwargs = {"column": "name", "value_set": ["z"]}
    item = {"type": "expect_column_distinct_values_to_equal_set", "kwargs": kwargs}
    seen = Seen(page(pd.DataFrame({"name": ["a", "b"]}), item))

    assert seen.says("distinct values must match this set:")
    assert not caplog.records


def test_question_that_great_expectations_would_refuse_in_other_words_is_shown():
    import great_expectations.expectations as gxe
    from great_expectations.compatibility import pydantic
    from great_expectations.expectations.row_conditions import Column

    class ExpectNameToMatchOurs(gxe.ExpectColumnValuesToMatchRegex):
        @pydantic.validator("regex")
        @classmethod
        def _whole(cls, regex):
            if not regex.startswith("^"):
                raise ValueError(regex)
            return regex

    condition = (Column("name") == "<b>") & (Column("age") > 3)
    query = "SELECT * FROM {batch} WHERE age < 3"
    seen = Seen(
        page(
            pd.DataFrame({"name": ["<b>", "a"], "age": [4, 2]}),
            {**in_set(values=["a"]), "kwargs": {"column": "name", "value_set": ["a"], "row_condition": condition}},
            gxe.UnexpectedRowsExpectation(unexpected_rows_query=query),
            ExpectNameToMatchOurs(column="name", regex="^<?[ab]>?$"),
        )
    )

    assert seen.says("<b>")
    assert seen.says("age > 3")
    assert seen.says("WHERE age < 3")
    assert seen.says("^<?[ab]>?$")


def answered(items, outcomes):
    """Make the suite of *items* without asking them, which takes long for hundreds."""
    facts = [{"result": {"partial_unexpected_list": []}, "success": outcome == "passed"} for outcome in outcomes]
    cases = [
        Case(name=str(place), outcome=Outcome(outcome), facts=fact)
        for place, (outcome, fact) in enumerate(zip(outcomes, facts, strict=True))
    ]
    return read_expectations(items), Suite(name="features", kind="data", cases=tuple(cases))


def test_page_of_much_stays_below_two_megabytes_and_shows_what_was_not_met():
    long = [f"{place}{'<' * 2_000}" for place in range(60)]
    written = page_of(*answered([in_set(values=long)] * 120, ["passed"] * 60 + ["failed"] + ["passed"] * 59))
    seen = Seen(written)
    icons = [value for name, value in seen.attributes if name == "class" and value.startswith("fas ")]

    assert len(written.encode()) < 2_000_000
    assert seen.says(f"{len(icons) - 1} of 120 expectations are shown")
    assert icons[1] == "fas fa-times text-danger"
    assert seen.says("… and 10 more")
    assert seen.says("more characters")


def test_long_suite_is_shown_as_far_as_three_hundred_expectations():
    seen = Seen(page_of(*answered([in_set()] * 311, ["passed"] * 310 + ["failed"])))
    icons = [value for name, value in seen.attributes if name == "class" and value.startswith("fas ")]

    assert seen.says("300 of 311 expectations are shown")
    assert icons.count("fas fa-check-circle text-success") == 299
    assert icons.count("fas fa-times text-danger") == 2
    assert seen.says("311")


def test_half_a_character_in_a_name_costs_no_page():
    assert Seen(page(pd.DataFrame({"name": ["a"]}), in_set(), name="half \ud800")).says("half \ud800")
