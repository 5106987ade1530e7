import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from late_flights.features import INPUTS, KEYS, NUMBERS, TARGET, WEATHER, DataError, build_features, split_by_time

EXPECTATIONS = Path(__file__).parents[2] / "expectations" / "features.json"


def test_a_flight_becomes_what_was_known_before_it_departed(flights, weather, planes):
    first = build_features(flights, weather, planes).iloc[0]

    assert first.to_dict() == {
        "flight_id": "20130930-UA1-EWR",
        "scheduled": pd.Timestamp("2013-09-30T10:00Z"),
        "carrier": "UA",
        "origin": "EWR",
        "dest": "SFO",
        "weekday": 0.0,
        "departure_minute": 360.0,
        "distance": 2565.0,
        "plane_age": 15.0,
        "seats": 182.0,
        "temp": 57.0,
        "wind_speed": 4.6,
        "precip": 0.0,
        "visib": 10.0,
        "pressure": 1019.5,
        "humid": 80.0,
        "late": 1,
    }


def test_nothing_that_happens_after_departure_changes_an_input(flights, weather, planes):
    told = flights.assign(dep_time=555.0, dep_delay=5.0, arr_time=900.0, air_time=180.0)
    told["arr_delay"] += 500

    before, after = (build_features(table, weather, planes)[KEYS + INPUTS] for table in (flights, told))

    pd.testing.assert_frame_equal(before, after)


@pytest.mark.parametrize("delay_min, late", [(-60.0, 0), (15.0, 0), (15.5, 1), (16.0, 1), (1272.0, 1)])
def test_late_is_more_than_fifteen_minutes(flights, weather, planes, delay_min, late):
    features = build_features(flights.assign(arr_delay=delay_min), weather, planes)

    assert features[TARGET].tolist() == [late] * 3


def test_cancelled_flights_are_left_out(flights, weather, planes):
    features = build_features(flights, weather, planes)

    assert features["flight_id"].tolist() == ["20130930-UA1-EWR", "20130930-DL333-LGA"]


def test_unknown_planes_leave_a_gap(flights, weather, planes):
    features = build_features(flights.assign(arr_delay=0.0), weather, planes)

    assert features["seats"].isna().tolist() == [False, False, True]
    assert features["plane_age"].isna().tolist() == [False, True, True]  # the second was built nobody knows when


def test_a_missing_weather_report_leaves_a_gap(flights, weather, planes):
    features = build_features(flights, weather, planes)

    assert features[WEATHER].isna().all(axis="columns").tolist() == [False, True]


def test_the_join_keeps_one_row_a_flight(flights, weather, planes):
    many = pd.concat([flights.assign(flight=number, arr_delay=0.0) for number in range(1, 41)])

    features = build_features(many, weather, planes)

    assert len(features) == 120
    assert features["flight_id"].is_unique


@pytest.mark.parametrize("source", ["weather", "planes"])
def test_a_source_with_duplicates_is_refused_instead_of_multiplying_flights(flights, weather, planes, source):
    tables = {"weather": weather, "planes": planes}
    tables[source] = pd.concat([tables[source]] * 2)

    with pytest.raises(pd.errors.MergeError, match="many-to-one"):
        build_features(flights, **tables)


@pytest.mark.parametrize("clock, minute", [(1, 1.0), (59, 59.0), (100, 60.0), (1230, 750.0), (2359, 1439.0)], ids=str)
def test_the_scheduled_clock_becomes_minutes_since_midnight(flights, weather, planes, clock, minute):
    features = build_features(flights.assign(sched_dep_time=clock), weather, planes)

    assert features["departure_minute"].tolist() == [minute] * 2


def test_numbers_are_floats_whatever_the_sources_held(flights, weather, planes):
    features = build_features(flights.astype({"distance": "int32"}), weather, planes.astype({"seats": "float32"}))

    assert set(features[NUMBERS].dtypes) == {np.dtype("float64")}


def test_a_source_without_a_needed_column_is_named(flights, weather, planes):
    with pytest.raises(DataError, match=r"weather lacks the columns \['humid'\]"):
        build_features(flights, weather.drop(columns="humid"), planes)


def test_the_test_flights_are_all_scheduled_after_the_training_flights(flights, weather, planes):
    october = flights.assign(month=10, day=1, time_hour=flights["time_hour"] + pd.Timedelta(days=1))
    features = build_features(pd.concat([flights, october]), weather, planes)

    train, test = split_by_time(features)

    assert train["scheduled"].max() < test["scheduled"].min()
    # 23:59 on the last of September is October in UTC already, but not in New York.
    assert train["flight_id"].tolist() == ["20130930-UA1-EWR", "20130930-DL333-LGA"]
    assert test["flight_id"].tolist() == ["20131001-UA1-EWR", "20131001-DL333-LGA"]


def test_a_split_that_leaves_nothing_to_test_on_is_refused(flights, weather, planes):
    with pytest.raises(DataError, match="2 rows to train on, 0 to test on"):
        split_by_time(build_features(flights, weather, planes))


def test_the_expectations_know_the_columns(flights, weather, planes):
    expected, *_ = json.loads(EXPECTATIONS.read_text())

    assert expected["type"] == "expect_table_columns_to_match_ordered_list"
    assert expected["kwargs"]["column_list"] == list(build_features(flights, weather, planes).columns)
