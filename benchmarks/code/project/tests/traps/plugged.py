import pytest


@pytest.fixture
def plugged():
    return 9
