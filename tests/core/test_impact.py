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


def selects(files, path, old, new, ran=None):
    """Say if the test of a small project is selected for one edit: by its source, or by what it *ran*."""
    files = {**files, "test_m.py": files.get("test_m.py", "import m\n\ndef test_a():\n    m.go()\n")}
    assert old in files[path]
    after = {**files, path: files[path].replace(old, new, 1)}
    test = CollectedTest(id="test_m.py::test_a", file="test_m.py", function="test_a")
    touched = {test.id: Touched(functions=frozenset({"test_m.py::test_a", *(ran or ())}))}
    known = Records(blocks={name: dict(blocks_of(text)) for name, text in files.items()}, tests=touched)
    return bool(select(
        Collected(tests=(test,), modules={name[:-3]: name for name in files}),
        changed=[path],
        before=files.get,
        after=after.get,
        paths=set(after),
        records=[] if ran is None else [known],
    ).reasons)  # fmt: skip


REG = {
    "r.py": "T = {}\ndef reg(n):\n    def deco(f):\n        T[n] = f\n        return f\n    return deco\n",
    "p.py": "from r import reg\n@reg('csv')\ndef read(): return other()\ndef other(): ...\n",
    "m.py": "import p\nfrom r import T\ndef go(): return 'csv' in T\n",
}
STAR = {
    "m.py": "from o import *\nfrom n import *\ndef go(): return b()\n",
    "n.py": "def a(): ...\ndef b(): ...\n",
    "o.py": "def b(): ...\n",
}
LISTED = {**STAR, "n.py": "__all__ = ['a']\n" + STAR["n.py"]}
IMPORTED = {**STAR, "m.py": "from o import b\nfrom n import *\ndef go(): return b()\n", "n.py": "def a(): ...\n"}
MINE = {**IMPORTED, "m.py": "def b(): ...\nfrom n import *\ndef go(): return b()\n"}
CHILDREN = {
    "m.py": "import n\nclass B: ...\ndef go(): return B.__subclasses__()\n",
    "n.py": "from m import B\nclass C(B): ...\n",
}
CONDITIONAL = {"m.py": "class B:\n    x = 1\nif True:\n    class C(B): ...\ndef go(): return C.x\n"}


@pytest.mark.parametrize("records", [False, True], ids=["by source", "by records"])
@pytest.mark.parametrize(
    "files, path, old, new, expected",
    [
        ({"m.py": "class C:\n    n = ('a',)\ndef go(): return 'a' in C.n\n"}, "m.py", "'a',", "'b',", True),
        (REG, "p.py", "'csv'", "'tsv'", True),
        (REG, "p.py", "return other()", "return 1", False),  # only what is in the table is asked
        (STAR, "n.py", "def a", "__all__ = ['a']\ndef a", True),
        (LISTED, "n.py", "__all__ = ['a']\n", "", True),
        (IMPORTED, "n.py", "def a", "def b(): ...\ndef a", True),
        (MINE, "n.py", "def a", "def b(): ...\ndef a", True),
        (MINE, "n.py", "def a", "def c(): ...\ndef a", False),
        (CHILDREN, "n.py", "class C", "class D(B): ...\nclass C", True),
        (CHILDREN, "n.py", "class C(B): ...", "class C(B): ...\nclass D(list): ...", False),
        (CONDITIONAL, "m.py", "x = 1", "x = 2", True),
    ],
)
def test_what_others_put_hide_or_inherit_is_reached(files, path, old, new, expected, records):
    assert selects(files, path, old, new, {"m.py::go"} if records else None) is expected


@pytest.mark.parametrize(
    "text",
    [
        "def register(x): return 1\ndef go(): pass\n",
        "class S:\n    @classmethod\n    def add(cls, x): return 1\ndef go():\n    S.add(1)\n",
        "import cmd\nclass B(cmd.Cmd): ...\nclass C(B):\n    def do_x(self): return 1\ndef go(): C().onecmd('x')\n",
        "import cmd\nB = cmd.Cmd\nclass C(B):\n    def do_x(self): return 1\ndef go(): C().onecmd('x')\n",
        "try: from cmd import B\nexcept ImportError: B = 1\nclass C(B):\n    def do(self): return 1\ndef go(): C()\n",
        "class C:\n    def on(self): return 1\ndef go(k='n', c=C()):\n    n = f'o{k}'\n    getattr(c, n)()\n",
        "def on(): return 1\ndef go(k='n'):\n    globals()[f'o{k}']()\n",
        "import sys\ndef on(): return 1\ndef go(k='n'):\n    getattr(sys.modules[__name__], f'o{k}')()\n",
        "class C:\n    def get(self): return 1\n    x = property(get)\ndef go(): C().x\n",
        "class C:\n    @one\n    def f(self): ...\n    @f.register\n    def g(self): return 1\ndef go(): C().f()\n",
        "class C:\n    def __str__(self): return 1\ndef go(): print(C())\n",
        "class C:\n    def a(self): return 1\n    b = a\ndef go(): C().b()\n",
        "class C:\n    x = property(len)\n    @x.setter\n    def x(self, v): return 1\ndef go():\n    C().x = 2\n",
        "class B:\n    def f(self): return 1\nclass O:\n    class I(B): ...\ndef go(): O.I().f()\n",
        "class C:\n    def __bool__(self): return 1\ndef go():\n    if C(): return\n",
        "class C:\n    def __setattr__(self, k, v): return 1\ndef go():\n    C().x = 2\n",
    ],
)
def test_source_tells_what_runs_by_way_of_names_made_up_bases_and_setters(text):
    files = {"m.py": text, "test_m.py": "import m\n\ndef test_a():\n    m.register(1)\n    m.go()\n"}

    assert selects(files, "m.py", "return 1", "return 2")
