"""What is known about a flight before it departs, one row a flight."""

import pandas as pd

KEYS = ["flight_id", "scheduled"]
CATEGORIES = ["carrier", "origin", "dest"]
WEATHER = ["temp", "wind_speed", "precip", "visib", "pressure", "humid"]
NUMBERS = ["weekday", "departure_minute", "distance", "plane_age", "seats", *WEATHER]
INPUTS = [*CATEGORIES, *NUMBERS]
TARGET = "late"

LATE_AFTER_MIN = 15

# New York's midnight of the first of October: a model is tested on what came after its training.
TEST_FROM = pd.Timestamp("2013-10-01T04:00Z")

_NEEDED = {
    "flights": [
        *("year", "month", "day", "sched_dep_time", "arr_delay", "carrier", "flight"),
        *("tailnum", "origin", "dest", "distance", "time_hour"),
    ],
    "weather": ["origin", "time_hour", *WEATHER],
    "planes": ["tailnum", "year", "seats"],
}


class DataError(ValueError):
    """The data is not what the pipeline needs; the message says where."""


def build_features(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """
    Join the three sources to one row for each flight that arrived, in order of the schedule.

    Flights without an arrival delay were cancelled or diverted, and are left out. Weather is that of the scheduled
    hour at the origin. An unknown plane or a missing weather report leaves NaN. The month is no feature: the test
    months are not among those of the training.

    Returns:
        The columns KEYS, INPUTS and TARGET: keys and categories as text (`scheduled` as UTC time), numbers as
        float64 (minutes since midnight, miles, years, F, mph, inches, millibars, percent), `late` as 0 or 1.

    Raises:
        DataError: A source lacks a column.
        pandas.errors.MergeError: The weather has two reports for one hour, or planes two rows for one tail number.
    """
    _require("flights", flights)
    _require("weather", weather)
    _require("planes", planes)
    arrived = flights[flights["arr_delay"].notna()]
    rows = arrived.merge(
        weather[_NEEDED["weather"]], how="left", on=["origin", "time_hour"], validate="many_to_one"
    ).merge(
        planes[_NEEDED["planes"]].rename(columns={"year": "built"}), how="left", on="tailnum", validate="many_to_one"
    )
    date = pd.to_datetime(rows[["year", "month", "day"]])
    minute = rows["sched_dep_time"] % 100
    rows["flight_id"] = (
        date.dt.strftime("%Y%m%d-") + rows["carrier"] + rows["flight"].astype(str) + "-" + rows["origin"]
    )
    rows["scheduled"] = rows["time_hour"] + pd.to_timedelta(minute, unit="min")
    rows["weekday"] = date.dt.day_of_week
    rows["departure_minute"] = rows["sched_dep_time"] // 100 * 60 + minute
    rows["plane_age"] = rows["year"] - rows["built"]
    rows[NUMBERS] = rows[NUMBERS].astype("float64")
    rows[TARGET] = (rows["arr_delay"] > LATE_AFTER_MIN).astype("int64")
    return rows[[*KEYS, *INPUTS, TARGET]].sort_values(["scheduled", "flight_id"], ignore_index=True)


def split_by_time(features: pd.DataFrame, test_from: pd.Timestamp = TEST_FROM) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Part the flights scheduled before *test_from* from the others.

    Returns:
        The training and the test part.

    Raises:
        DataError: One of the parts would be empty.
    """
    before = features["scheduled"] < test_from
    train, test = features[before], features[~before]
    if train.empty or test.empty:
        msg = f"Split at {test_from}: {len(train)} rows to train on, {len(test)} to test on; both need some."
        raise DataError(msg)
    return train, test


def _require(name: str, table: pd.DataFrame) -> None:
    missing = [column for column in _NEEDED[name] if column not in table.columns]
    if missing:
        msg = f"{name} lacks the columns {missing}; it has {list(table.columns)}."
        raise DataError(msg)
