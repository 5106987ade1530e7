"""Selection as a pure function: source texts in, reasons out; the catalogue in benchmarks is the whole of it."""

import pytest

from airflow_mltest.core.blocks import blocks_of
from airflow_mltest.core.collected import Collected, CollectedTest
from airflow_mltest.core.impact import select
from airflow_mltest.core.records import Records, Touched

PROJECT = {
    "shop/__init__.py": "",
    "shop/prices.py": "LIMIT = 3\n\ndef price(x):\n    return 2 * x\n\ndef capped(x):\n    return min(x, LIMIT)\n",
    "shop/taxes.py": "def tax(x):\n    return 3 * x\n",
    "tests/conftest.py": (
        "import pytest\nfrom shop.taxes import tax\n\n@pytest.fixture\ndef taxed():\n    return tax(1)\n"
    ),
    "tests/test_prices.py": (
        "from shop.prices import capped, price\n\n"
        "def test_price():\n    assert price(1) == 2\n\ndef test_capped():\n    assert capped(9) == 3\n"
    ),
    "tests/test_taxes.py": "def test_taxed(taxed):\n    assert taxed == 3\n",
    "README.md": "# Shop\n",
}
PRICE, CAPPED = "tests/test_prices.py::test_price", "tests/test_prices.py::test_capped"
TAXED = "tests/test_taxes.py::test_taxed"
COLLECTED = Collected(
    tests=tuple(
        CollectedTest(
            id=test,
            file=test.partition("::")[0],
            function=test.partition("::")[2],
            fixtures=("tests/conftest.py::taxed",) if test == TAXED else (),
        )
        for test in (PRICE, CAPPED, TAXED)
    ),
    modules={"shop": "shop/__init__.py", "shop.prices": "shop/prices.py", "shop.taxes": "shop/taxes.py"},
    plugins=("tests/conftest.py",),
    environment="e",
)
RECORDS = Records(
    environment="e",
    commit="c",
    blocks={path: dict(blocks_of(text)) for path, text in PROJECT.items() if path.endswith(".py")},
    tests={
        PRICE: Touched(functions=frozenset({"shop/prices.py::price", "tests/test_prices.py::test_price"})),
        CAPPED: Touched(functions=frozenset({"shop/prices.py::capped", "tests/test_prices.py::test_capped"})),
        TAXED: Touched(
            functions=frozenset({"shop/taxes.py::tax", "tests/conftest.py::taxed", "tests/test_taxes.py::test_taxed"})
        ),
    },
    modules={path: Touched() for path in PROJECT if path.endswith(".py")},
)


def selection(edits, *, records=(), collected=COLLECTED, always=None):
    """Select for the difference between the project and the project with *edits* (None: the file is gone)."""
    after = {path: text for path, text in {**PROJECT, **edits}.items() if text is not None}
    return select(
        collected,
        changed=set(edits),
        before=PROJECT.get,
        after=after.get,
        paths=set(after),
        records=records,
        always=always,
    )


def edited(path, old, new):
    assert old in PROJECT[path]
    return {path: PROJECT[path].replace(old, new)}


@pytest.mark.parametrize("records", [(), (RECORDS,)], ids=["by source", "by records"])
@pytest.mark.parametrize(
    "edits, reached",
    [
        (edited("shop/prices.py", "2 * x", "x + x"), [PRICE]),
        (edited("shop/prices.py", "LIMIT = 3", "LIMIT = 4"), [CAPPED]),
        (edited("shop/taxes.py", "3 * x", "4 * x"), [TAXED]),
        (edited("tests/conftest.py", "tax(1)", "tax(2)"), [TAXED]),
        (edited("tests/test_prices.py", "price(1) == 2", "price(2) == 4"), [PRICE]),
        (edited("shop/prices.py", "def price(x):", "def price(x, y=0):"), [PRICE]),
        ({"shop/taxes.py": None}, [TAXED]),
        ({}, []),
        ({"README.md": "# The shop\n"}, []),
        (edited("shop/prices.py", "    return 2 * x", '    """Twice."""\n    return 2 * x  # two'), []),
    ],
)
def test_what_changed_reaches_those_who_use_it_and_nobody_else(edits, reached, records):
    found = selection(edits, records=records)

    assert sorted(found.reasons) == sorted(reached)
    assert found.left_out == 3 - len(reached)
    assert not found.everything
    assert all(found.reasons.values())


@pytest.mark.parametrize("path", ["pytest.ini", "requirements.txt", "constraints.txt", "poetry.lock", "shop/fast.pyx"])
def test_what_rules_all_tests_selects_all_and_is_named(path):
    found = selection({path: "x"}, records=(RECORDS,))

    assert path in found.everything
    assert len(found.reasons) == 3


def test_records_of_another_environment_are_not_used():
    foreign = Records(environment="other", blocks=RECORDS.blocks, tests=RECORDS.tests, modules=RECORDS.modules)
    edits = edited("shop/prices.py", "2 * x", "x + x")

    assert selection(edits, records=(foreign,)) == selection(edits)
    assert selection(edits, records=(foreign,)).recorded == 0


def test_record_of_a_test_whose_code_was_another_then_is_not_used():
    stale = Records(
        environment="e",
        blocks={**RECORDS.blocks, "shop/prices.py": dict(blocks_of("def price(x):\n    return 9\n"))},
        tests=RECORDS.tests,
        modules=RECORDS.modules,
    )
    found = selection(edited("shop/prices.py", "2 * x", "x + x"), records=(stale,))

    assert PRICE in found.reasons


def test_new_test_is_selected_though_nothing_is_recorded_of_it():
    new = CollectedTest(id="tests/test_new.py::test_new", file="tests/test_new.py", function="test_new")
    more = Collected(
        tests=(*COLLECTED.tests, new), modules=COLLECTED.modules, plugins=COLLECTED.plugins, environment="e"
    )
    found = selection({"tests/test_new.py": "def test_new(): pass\n"}, records=(RECORDS,), collected=more)

    assert list(found.reasons) == ["tests/test_new.py::test_new"]


def test_test_that_has_to_run_says_why():
    found = selection({}, always={TAXED: "failed the last time it ran"})

    assert found.reasons == {TAXED: "failed the last time it ran"}


def test_file_that_no_longer_parses_selects_those_who_import_it():
    found = selection({"shop/prices.py": "def price(:\n"}, records=(RECORDS,))

    assert {PRICE, CAPPED} <= found.reasons.keys()


SHARING = {
    "shop/carts.py": (
        "class Cart:\n    def __init__(self):\n        self.items = [1]\n\n"
        "    def copy(self):\n        return list(self.items)\n\n"
        "    @cached_property\n    def total(self):\n        return sum(self.items)\n\n\n"
        "def has_total(cart):\n    return hasattr(cart, 'total')\n"
    ),
    "tests/test_carts.py": (
        "from shop.carts import Cart, has_total\n\n\nclass TestShared:\n    @classmethod\n    def setup_class(cls):\n"
        "        cls.cart = Cart()\n\n    def test_copy(self):\n        self.cart.copy().append(2)\n\n"
        "    def test_items(self):\n        assert self.cart.items == [1]\n\n\n"
        "class TestOwn:\n    def test_copy(self):\n        Cart().copy().append(2)\n\n"
        "    def test_items(self):\n        assert Cart().items == [1]\n\n\n"
        "CART = Cart()\n\n\ndef test_first():\n    assert has_total(CART)\n\n\n"
        "def test_second():\n    assert has_total(CART)\n"
    ),
}
SHARED = [f"tests/test_carts.py::TestShared::{name}" for name in ("test_copy", "test_items")]
OWN = [f"tests/test_carts.py::TestOwn::{name}" for name in ("test_copy", "test_items")]
CARTS = [*SHARED, *OWN, *(f"tests/test_carts.py::{name}" for name in ("test_first", "test_second"))]


def selection_of_carts(old, new, ran):
    """Select for an edit of the carts; *ran* gives what each test ran besides itself, by the test's id."""
    tests = [
        CollectedTest(id=test, file="tests/test_carts.py", function=test.split("::", 1)[1].replace("::", "."))
        for test in CARTS
    ]
    records = Records(
        environment="e",
        blocks={path: dict(blocks_of(text)) for path, text in SHARING.items()},
        tests={
            test.id: Touched(functions=frozenset({f"{test.file}::{test.function}", *ran.get(test.id, ())}))
            for test in tests
        },
        modules={path: Touched() for path in SHARING},
    )
    assert old in SHARING["shop/carts.py"]
    after = {**SHARING, "shop/carts.py": SHARING["shop/carts.py"].replace(old, new)}
    return select(
        Collected(tests=tuple(tests), modules={"shop.carts": "shop/carts.py"}, environment="e"),
        changed={"shop/carts.py"},
        before=SHARING.get,
        after=after.get,
        paths=set(after),
        records=(records,),
    )


def test_what_one_test_may_leave_in_an_object_of_its_class_reaches_the_others_of_the_class():
    copying = {test: ["shop/carts.py::Cart.copy"] for test in (SHARED[0], OWN[0])}

    found = selection_of_carts("return list(self.items)", "return self.items", copying)

    assert sorted(found.reasons) == sorted([*SHARED, OWN[0]])
    assert found.reasons[SHARED[1]] == ("shares what its class sets up with TestShared.test_copy, which is selected")


def test_what_is_computed_once_when_somebody_asks_if_it_is_there_reaches_all_who_ask():
    asking = {test: ["shop/carts.py::has_total"] for test in CARTS[-2:]}
    # The first to ask has it computed.
    asking[CARTS[-2]] = [*asking[CARTS[-2]], "shop/carts.py::Cart.total"]

    found = selection_of_carts("return sum(self.items)", "raise ValueError", asking)

    assert sorted(found.reasons) == sorted(CARTS[-2:])
