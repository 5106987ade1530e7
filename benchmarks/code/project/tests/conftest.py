import pytest

from shop.catalog import load_catalog


@pytest.fixture(scope="session")
def catalog():
    return load_catalog()


@pytest.fixture(scope="session")
def database():
    return {"user": "ann", "age": 40}


@pytest.fixture
def basket():
    return ["tea", "milk"]
