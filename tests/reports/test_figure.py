import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mltest.core.figure import Figure, Matrix, Series
from airflow_mltest.reports.figure import svg

NAMESPACE = "{http://www.w3.org/2000/svg}"
EVIL = "<script>alert('x')</script> & \"quotes\" ]]> \x00\x1b\ud800"
words = st.text(max_size=60)
numbers = st.floats()


def lists(values):
    return st.lists(values, max_size=6).map(tuple)


every_series = st.builds(
    Series,
    name=words,
    x=st.one_of(lists(numbers), lists(words)),
    y=lists(numbers),
    low=lists(numbers),
    high=lists(numbers),
    style=st.sampled_from(["line", "points", "steps"]),
)
every_figure = st.builds(
    Figure,
    title=words,
    x=words,
    y=words,
    series=st.lists(every_series, max_size=10).map(tuple),
    bounds=lists(numbers),
    diagonal=st.booleans(),
    log_x=st.booleans(),
)
every_matrix = st.builds(
    Matrix,
    title=words,
    rows=words,
    columns=words,
    row_names=lists(words),
    column_names=lists(words),
    values=lists(lists(numbers)),
)


def figure(*series, **more):
    return Figure(**{"title": "t", "x": "budget", "y": "accuracy", "series": series} | more)


def parsed(drawn):
    return ET.fromstring(drawn)  # noqa: S314  our own


def parts(drawn, name, kind=None):
    root = parsed(drawn)
    return [e for e in root.iter(f"{NAMESPACE}{name}") if kind is None or e.get("class") == kind]


def said(drawn, kind):
    return ["".join(t for t in (e.text, *(c.tail for c in e)) if t) for e in parts(drawn, "text", kind)]


def described(drawn):
    return parsed(drawn).findtext(f"{NAMESPACE}desc").replace("\N{NARROW NO-BREAK SPACE}", " ")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(st.one_of(every_figure, every_matrix))
def test_every_figure_is_drawn_within_its_frame_and_always_the_same(figure):
    drawn = svg(figure)
    root = parsed(drawn)
    _, _, width, height = (float(number) for number in root.get("viewBox").split())

    assert svg(figure) == drawn
    for element in root.iter():
        for key in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
            place = float(element.get(key, 0))
            assert -1 <= place <= (width if "x" in key else height) + 1


@pytest.mark.parametrize(
    "figure",
    [
        figure(Series(name=EVIL, x=(1.0, 2.0), y=(1.0, 2.0)), Series(name="b", x=(1.0,), y=(2.0,))),
        figure(Series(x=(EVIL, "b"), y=(1.0, 2.0), low=(0.5, 1.0), high=(2.0, 3.0)), title=EVIL, x=EVIL, y=EVIL),
        Matrix(title=EVIL, rows=EVIL, columns=EVIL, row_names=(EVIL,), column_names=(EVIL,), values=((1.0,),)),
    ],
)
def test_no_text_of_the_data_becomes_an_element(figure):
    drawn = svg(figure)
    root = parsed(drawn)

    known = {"svg", "title", "desc", "g", "text", "line", "path", "circle", "rect"}
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= known
    assert "alert('x')" in "".join(root.itertext())
    assert not re.search(r"href|url\(|<style|on\w+=|https?:(?!//www\.w3\.org/2000/svg\")", drawn)


def test_what_is_seen_is_also_said_in_words():
    drawn = svg(
        figure(
            Series(name="candidate", x=(0.0, 0.5), y=(0.93, 0.55), low=(0.9, 0.5), high=(0.95, math.inf)),
            Series(name="champion", x=(0.0, 0.5), y=(0.9, math.nan)),
            bounds=(0.6,),
        )
    )

    assert parsed(drawn).get("role") == "img"
    assert parsed(drawn).findtext(f"{NAMESPACE}title") == "t"
    assert described(drawn) == (
        "accuracy by budget: candidate: at 0 0.93 (0.9 to 0.95); at 0.5 0.55 (at least 0.5). "
        "champion: at 0 0.9. Bounds: 0.6."
    )


def test_only_several_series_have_a_legend_and_more_than_eight_are_counted():
    one = Series(name="only", x=(1.0, 2.0), y=(1.0, 2.0))
    many = [Series(name=f"m{number}", x=(1.0, 2.0), y=(1.0, float(number))) for number in range(11)]

    assert said(svg(figure(one)), "name") == []
    assert said(svg(figure(*many)), "name") == [*(f"m{number}" for number in range(8)), "not drawn: 3 more series"]


def test_line_ends_where_a_value_is_not_known_and_what_stands_alone_is_a_dot():
    curve = Series(x=(0.0, 1.0, 2.0, 3.0, 4.0), y=(1.0, 2.0, math.nan, 4.0, math.inf))
    (path,) = parts(svg(figure(curve)), "path", "curve")

    assert path.get("d").count("M") == 2
    assert len(parts(svg(figure(curve)), "circle")) == 3


def test_intervals_of_a_line_are_a_band_and_of_points_bars():
    ends = {"x": (0.0, 1.0), "y": (1.0, 2.0), "low": (0.5, 1.5), "high": (1.5, 2.5)}

    assert len(parts(svg(figure(Series(**ends))), "path", "band")) == 1
    assert len(parts(svg(figure(Series(**ends, style="points"))), "line", "bar")) == 2
    assert parts(svg(figure(Series(**ends, style="points"))), "path") == []


def test_distribution_rises_in_steps():
    (path,) = parts(svg(figure(Series(x=(1.0, 2.0, 3.0), y=(0.3, 0.6, 1.0), style="steps"))), "path", "curve")

    assert re.fullmatch(r"M[\d. ]+(H[\d.]+V[\d.]+){2}", path.get("d"))


def test_bounds_and_the_diagonal_are_lines():
    drawn = svg(figure(Series(x=(0.1, 0.9), y=(0.2, 0.7)), bounds=(0.5, math.nan), diagonal=True))
    (bound,) = parts(drawn, "line", "bound")
    (diagonal,) = parts(drawn, "line", "diagonal")

    assert bound.get("y1") == bound.get("y2")
    assert "bound 0.5" in said(drawn, "tick")
    assert float(diagonal.get("y1")) > float(diagonal.get("y2"))


@pytest.mark.parametrize("series", [(), (Series(x=(), y=()),), (Series(x=(1.0,), y=(math.nan,)),)])
def test_figure_without_a_number_says_so(series):
    assert said(svg(figure(*series)), "name") == ["nothing is known"]


def test_names_become_rows_with_a_dot_an_interval_and_the_numbers():
    rows = Series(x=("nl", "de"), y=(0.8, 0.6), low=(0.7, 0.5), high=(0.9, 0.7))
    drawn = svg(figure(rows, bounds=(0.75,)))

    assert said(drawn, "name") == ["nl", "de"]
    assert {"0.8 (0.7 to 0.9)", "0.6 (0.5 to 0.7)"} <= set(said(drawn, "tick"))
    assert len(parts(drawn, "line", "bar")) == len(parts(drawn, "circle", "point")) == 2
    assert parts(drawn, "line", "bound")[0].get("x1") == parts(drawn, "line", "bound")[0].get("x2")
    assert "nl: 0.8 (0.7 to 0.9); de: 0.6 (0.5 to 0.7)" in described(drawn)


def test_thirty_rows_are_drawn_and_the_others_counted():
    drawn = svg(figure(Series(x=tuple(f"slice {n}" for n in range(200)), y=(0.5,) * 200)))

    assert len(parts(drawn, "circle")) == 30
    assert said(drawn, "name")[-1] == "not drawn: 170 more"
    assert "170 more are not drawn" in described(drawn)


def test_candidate_and_champion_share_the_row_of_a_name():
    drawn = svg(
        figure(
            Series(name="candidate", x=("units", "stuck"), y=(0.1, 0.2)),
            Series(name="champion", x=("stuck", "swapped"), y=(0.3, math.nan)),
        )
    )

    assert said(drawn, "name") == ["candidate", "champion", "units", "stuck", "swapped"]
    assert "stuck: candidate 0.2, champion 0.3; swapped: unknown" in described(drawn)


def test_long_names_are_cut_and_told_whole_where_the_pointer_rests():
    name = "age <= 25 and country = '你好世界' and " * 4
    drawn = svg(figure(Series(x=(name,), y=(0.5,))))

    (text,) = parts(drawn, "text", "name")
    assert text.findtext(f"{NAMESPACE}title") == name
    assert said(drawn, "name")[0].endswith("…")
    assert len(said(drawn, "name")[0]) < 50


def test_small_matrix_is_numbered_and_a_large_one_is_not():
    def matrix(size):
        names = tuple(f"class {n}" for n in range(size))
        values = tuple(tuple(float(10 * (r == c) + 1) for c in range(size)) for r in range(size))
        return svg(Matrix(title="m", rows="true", columns="predicted", row_names=names, column_names=names,
                          values=values))  # fmt: skip

    assert len(said(matrix(20), "number") + said(matrix(20), "on-heat")) == 400
    assert "class 3: class 0 1, class 1 1, class 2 1, class 3 11" in described(matrix(20))
    assert said(matrix(21), "number") == []
    assert "21 by 21 numbers, from 1 to 11" in described(matrix(21))
    assert len(parts(matrix(100), "rect")) == 34 * 34
    assert "each square is the mean of up to 3 by 3 numbers" in said(matrix(100), "name")


def test_number_of_a_matrix_that_is_not_known_is_a_question_mark():
    drawn = svg(Matrix(title="m", rows="r", columns="c", row_names=("a",), column_names=("b", "d"),
                       values=((math.nan, -2.0),)))  # fmt: skip

    assert said(drawn, "number") == ["?"]
    assert [rect.get("class") for rect in parts(drawn, "rect")] == ["unknown", "heat below"]
