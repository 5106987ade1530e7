import pytest

from shop import computed, rates
from shop.cases import doubles
from shop.shapes import Shape, Square


def test_constant():
    assert rates.RATE == 19


def test_dictionary_constant():
    assert rates.LIMITS["high"] == 9


def test_class_attribute():
    assert Shape().sides == 4


def test_inherited_class_attribute():
    assert Square().corners() == 4


def test_constant_computed_at_import():
    assert computed.AREA == 9


@pytest.mark.parametrize("number, double", doubles(), ids=["one", "two"])
def test_parameters_from_a_function(number, double):
    assert number * 2 == double
