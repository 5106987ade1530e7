import unittest

from shop import handlers, mixins, query
from shop.metas import Tagged
from shop.records import Colour, Item, Point, Shelf
from tests.traps.contract import StoreContract


def test_registry_of_subclasses():
    assert sorted(handlers.Handler.known) == ["Mail", "Phone"]


def test_property_of_a_subclass():
    assert handlers.Mail().label == "handler"


def test_override():
    assert handlers.Phone().size() == 2


def test_no_override():
    assert handlers.Mail().size() == 1


def test_field_default():
    assert Item("tea").count == 1


def test_abstract_class():
    assert Shelf().get() == "book"


def test_named_tuple():
    assert Point(1) == (1, 0)


def test_enumeration():
    assert [colour.name for colour in Colour] == ["RED", "BLUE"]


def test_metaclass():
    assert Tagged.tag == "tagged"


def test_order_of_bases():
    assert mixins.Both().who() == "base"


def test_method_by_computed_name():
    assert query.Visitor().visit(1) == 2


class TestShelf(StoreContract):
    def make(self):
        return Shelf()


class TestOldStyle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.found = handlers.Mail().size()

    def test_first(self):
        self.assertEqual(self.found, 1)

    def test_second(self):
        self.assertEqual(self.found + 1, 2)
