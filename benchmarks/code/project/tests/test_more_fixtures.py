from shop.exchange import exchange


def test_catalog_in_another_file(catalog):
    assert catalog["tea"] == 3


def test_user_in_another_file(database):
    assert len(database["user"]) == 3 and database["age"] == 40


def test_euro():
    assert exchange()["EUR"] == 1


def test_dollar():
    assert exchange()["USD"] == 2 * exchange()["EUR"]


def test_dollar_is_more_than_a_euro():
    assert exchange()["USD"] > exchange()["EUR"] == 1
