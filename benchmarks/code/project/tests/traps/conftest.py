import sys
from pathlib import Path

import pytest

import shop.effects  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

SOURCES = ["web", "disk"]


@pytest.fixture(params=SOURCES)
def source(request):
    return request.param


@pytest.fixture
def who():
    return "traps"


@pytest.fixture
def opened():
    lines = ["open"]
    yield lines
    close(lines)


def close(lines):
    assert lines.pop() == "open"
