"""Three flights of one autumn morning, small enough to be read."""

import pandas as pd
import pytest


@pytest.fixture
def flights() -> pd.DataFrame:
    """One is late, one cancelled, and the plane of the last is unknown; 06:00 in New York is 10:00 UTC."""
    return pd.DataFrame(
        {
            "year": 2013,
            "month": 9,
            "day": 30,
            "sched_dep_time": [600, 645, 2359],
            "arr_delay": [40.0, None, -3.0],
            "carrier": ["UA", "B6", "DL"],
            "flight": [1, 22, 333],
            "tailnum": ["N1", "N2", None],
            "origin": ["EWR", "JFK", "LGA"],
            "dest": ["SFO", "BOS", "ATL"],
            "distance": [2565, 187, 762],
            "time_hour": pd.to_datetime(["2013-09-30T10:00Z", "2013-09-30T10:00Z", "2013-10-01T03:00Z"]),
        }
    )


@pytest.fixture
def weather() -> pd.DataFrame:
    """Newark's six o'clock, beside a neighbour in place and one in time; none for LaGuardia's last flight."""
    return pd.DataFrame(
        {
            "origin": ["EWR", "JFK", "EWR"],
            "time_hour": pd.to_datetime(["2013-09-30T10:00Z", "2013-09-30T10:00Z", "2013-09-30T11:00Z"]),
            "temp": [57.0, 61.0, 63.0],
            "wind_speed": [4.6, 5.8, 6.9],
            "precip": [0.0, 0.1, 0.2],
            "visib": [10.0, 9.0, 8.0],
            "pressure": [1019.5, 1020.5, None],
            "humid": [80.0, 70.0, 60.0],
        }
    )


@pytest.fixture
def planes() -> pd.DataFrame:
    """The planes of the first two flights, and one nobody flew."""
    return pd.DataFrame({"tailnum": ["N1", "N2", "N3"], "year": [1998.0, None, 2013.0], "seats": [182, 20, 55]})
