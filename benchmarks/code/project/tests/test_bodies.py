from shop.greetings import hello
from shop.prices import net, with_tax
from shop.worker import forked, threaded
from tests.shared import expected_total


def test_net():
    assert net(100) == 80


def test_default_argument():
    assert with_tax(10) == 20


def test_argument_given():
    assert with_tax(10, 3) == 30


def test_what_a_decorator_adds_to_a_call():
    assert hello("ann") == "hello ann!"


def test_what_a_decorator_does_at_import():
    assert hello.mark == "loud"


def test_thread():
    assert threaded() == [42]


def test_forked_child():
    assert forked() == 7


def test_helper():
    assert expected_total() == 5


def test_function_fixture(basket):
    assert basket == ["tea", "milk"]


def test_nothing_of_the_shop():
    assert sum([1, 2]) == 3
