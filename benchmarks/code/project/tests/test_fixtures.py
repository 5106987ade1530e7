import pytest


@pytest.fixture(scope="module")
def till():
    return {"open": True, "coins": 3}


def test_till_is_open(till):
    assert till["open"]


def test_till_has_coins(till):
    assert till["open"] and till["coins"] == 3


def test_catalog_has_tea(catalog):
    assert catalog["tea"] == 3


def test_catalog_has_milk(catalog):
    assert catalog["milk"] + catalog["tea"] == 5


def test_user_is_known(database):
    assert database["user"] == "ann"


def test_user_is_grown_up(database):
    assert database["user"] and database["age"] == 40
