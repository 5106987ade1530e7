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
