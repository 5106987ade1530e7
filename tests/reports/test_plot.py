import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.outcome import Measurement
from airflow_mltest.reports.plot import WIDTH, plot, standing, words

ends = st.none() | st.floats()
measurements = st.builds(
    Measurement, name=st.just("m"), value=st.floats(), low=ends, high=ends, minimum=ends, maximum=ends
)


@given(measurements)
def test_no_number_is_drawn_outside_of_the_picture_or_on_the_wrong_side(measured):
    drawn = plot(measured)
    said = words(measured)

    assert said["value"]
    if drawn is None:
        return
    spans = [*drawn.forbidden, *([drawn.bar] if drawn.bar else [])]
    assert all(0 <= x <= WIDTH for x in (drawn.dot, *drawn.bounds))
    assert all(start >= 0 and length >= 0 and start + length <= WIDTH + 2 for start, length in spans)
    if standing(measured) == "holds" and measured.minimum is not None and math.isfinite(measured.minimum):
        assert drawn.bounds[0] <= drawn.dot


def test_estimate_interval_and_bound_are_in_their_order():
    drawn = plot(Measurement(name="p95_ms", value=12.5, low=11.0, high=14.0, maximum=20.0))

    assert drawn.bar[0] < drawn.dot < sum(drawn.bar) < drawn.bounds[0] == drawn.forbidden[0][0] < WIDTH


def test_both_forbidden_sides_are_shaded_and_wide_enough_to_see():
    drawn = plot(Measurement(name="n", value=5, minimum=1, maximum=9))

    assert len(drawn.forbidden) == 2
    assert drawn.forbidden[0][0] == 0
    assert sum(drawn.forbidden[1]) == WIDTH
    assert min(length for _, length in drawn.forbidden) > WIDTH / 12


def test_what_is_never_negative_has_nothing_left_of_its_zero():
    assert plot(Measurement(name="s", value=1.0, maximum=1000.0)).dot < WIDTH / 20


def test_numbers_all_alike_are_drawn_in_the_middle():
    assert plot(Measurement(name="n", value=1, minimum=1)).dot == WIDTH / 2
    assert plot(Measurement(name="n", value=0, minimum=0)).dot == WIDTH / 2


@pytest.mark.parametrize(
    "measured",
    [
        Measurement(name="n", value=5),
        Measurement(name="n", value=math.nan, minimum=1),
        Measurement(name="n", value=5, minimum=math.nan),
        Measurement(name="n", value=1e308, minimum=-1e308),
    ],
)
def test_where_there_is_nothing_to_compare_there_is_no_picture(measured):
    assert plot(measured) is None


@pytest.mark.parametrize(
    "more, expected",
    [
        ({"minimum": 0.5}, "holds"),
        ({"minimum": 0.7}, "holds"),
        ({"minimum": 0.8}, "violates"),
        ({"maximum": 0.6}, "violates"),
        ({"minimum": 0.5, "low": 0.6, "high": 0.8}, "holds"),
        ({"minimum": 0.65, "low": 0.6, "high": 0.8}, "crosses"),
        ({"minimum": 0.9, "low": 0.6, "high": 0.8}, "violates"),
        ({"minimum": 0.5, "maximum": 0.75, "low": 0.6, "high": 0.8}, "crosses"),
        ({"low": 0.6, "high": 0.8}, ""),
        ({}, ""),
    ],
)
def test_standing_is_that_of_the_whole_interval(more, expected):
    assert standing(Measurement(name="m", value=0.7, **more)) == expected


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("roc_auc", 0.68712, "0.6871"),
        ("latency_p95_ms", 12.3456, "12.35 ms"),
        ("latency_p95_ms[50 rows]", 12.3456, "12.35 ms"),
        ("rows_per_s", 18_234.4, "18 234/s"),
        ("startup_s", 2.0, "2 s"),
        ("peak_mib", 412.71, "412.7 MiB"),
        ("positive_share", 0.27134, "27.13 %"),
        ("rows", 1_234_567, "1 234 567"),
        ("change", -0.0041, "\N{MINUS SIGN}0.0041"),
        ("p_value", 1.234567e-9, "1.235e\N{MINUS SIGN}9"),
        ("x", 0.0, "0"),
        ("x", math.nan, "not measured"),
        ("x", math.inf, "not measured"),
    ],
)
def test_numbers_have_four_figures_and_the_unit_of_their_name(name, value, said):
    text = words(Measurement(name=name, value=value))["value"]

    assert text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") == said


def test_value_just_short_of_its_bound_does_not_read_like_the_bound():
    said = words(Measurement(name="accuracy", value=0.799996, minimum=0.8))

    assert (said["value"], said["wanted"]) == ("0.799996", "at least 0.8")
