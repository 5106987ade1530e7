"""What a change reaches by records: who ran it, whose record is still true, and what no record holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.blocks import blocks_of
from airflow_mltest.core.changes import Program
from airflow_mltest.core.collected import CollectedTest
from airflow_mltest.core.recorded import Change, Seen
from airflow_mltest.core.records import Records, Touched
from airflow_mltest.core.roots import Roots

FILES = {
    "shop.py": (
        "import functools\n\nLIMIT = rate() + 3\n\ndef rate():\n    return 1\n\n"
        "def price(x):\n    return 2 * x\n\ndef capped(x):\n    return min(x, LIMIT)\n\n"
        "NAMES = [LIMIT]\nKEPT = {}\n\ndef first():\n    return NAMES[0]\n\ndef made(x):\n    return x\n\n"
        "def kept(x):\n    if x not in KEPT:\n        KEPT[x] = made(x)\n    return KEPT[x]\n\n"
        "class Cart:\n    size = 5\n    def count(self):\n        return self.rows\n"
        "    @functools.cached_property\n    def rows(self):\n        return [self.size]\n"
    ),
    "loud.py": "import shop\nprint(shop.LIMIT)\n",
    "settings.py": "def load():\n    return open('settings.toml').read()\n\nTEXT = globals()['load']()\n",
    "tests/conftest.py": "def pytest_runtest_setup(item):\n    prepare()\n\ndef prepare(): ...\n",
    "tests/test_shop.py": (
        "import loud, settings, shop\n\n"
        "def test_price(n=1): ...\n\ndef test_capped(): ...\n\ndef test_cart(): ...\n\n"
        "def test_text():\n    settings.TEXT\n\ndef test_first(): ...\n\ndef test_kept(): ...\n"
    ),
    "tests/test_other.py": "def test_other(): ...\n",
}
RAN = {
    "test_price": {"shop.py::price"},
    "test_capped": {"shop.py::capped"},
    "test_cart": {"shop.py::Cart.count"},  # another test had asked for its rows before
    "test_text": set(),
    "test_first": {"shop.py::first"},
    "test_kept": {"shop.py::kept"},  # and another test had made what it finds
}
OTHER = CollectedTest(id="tests/test_other.py::test_other", file="tests/test_other.py", function="test_other")
TESTS = [
    *(CollectedTest(id=f"tests/test_shop.py::{name}", file="tests/test_shop.py", function=name) for name in RAN),
    OTHER,
]
EVERY = {test.function for test in TESTS}


def records(without=(), **touched):
    """Make records of all tests but *without*; *touched* is what a test or a module touched besides."""
    tests = {
        test.id: Touched(functions=frozenset({f"{test.file}::{test.function}", *RAN.get(test.function, ())}))
        | touched.get(test.function, Touched())
        for test in TESTS
        if test.function not in without
    }
    modules = {
        **dict.fromkeys(FILES, Touched()),
        "settings.py": Touched(functions=frozenset({"settings.py::load"}), files=frozenset({"settings.toml"})),
        "": Touched(functions=frozenset({"tests/conftest.py::pytest_runtest_setup", "tests/conftest.py::prepare"})),
    }
    blocks = {path: dict(blocks_of(text)) for path, text in FILES.items()}
    return Records(environment="e", blocks=blocks, tests=tests, modules=modules)


def judged(edits, *known, paths=(), notable=None):
    """Judge all tests for *edits* by *known* records: function of a test -> why it is selected, or nothing."""
    after = {**FILES, **edits}
    program = Program(after.keys(), [*edits], FILES.get, after.get, {}, {})
    found = program.difference()
    seen = Seen(program, Roots(program, ["tests/conftest.py"]), TESTS, known or [records()])
    told = seen.judge(
        Change(nodes=found.nodes, modules=found.modules, paths=frozenset(paths), notable=dict(notable or {}))
    )
    return {test.rpartition("::")[2]: reason for test, reason in told.items()}


def selected(edits, *known, **change):
    return {test for test, reason in judged(edits, *known, **change).items() if reason}


def edited(old, new, path="shop.py"):
    assert old in FILES[path]
    return {path: FILES[path].replace(old, new)}


PRICE = edited("2 * x", "3 * x")


@pytest.mark.parametrize(
    "edits, tests",
    [
        ({}, set()),
        (PRICE, {"test_price"}),
        (edited("price(x)", "price(x, y=0)"), {"test_price"}),  # its body is the same, its head is not
        (edited("min(x", "max(x"), {"test_capped"}),
        (edited("size = 5", "size = 6"), {"test_cart"}),
        (edited("[self.size]", "[]"), {"test_cart"}),  # it ran once, for whoever came first
        (edited("    return x\n", "    return -x\n"), {"test_kept"}),
        (edited("n=1", "n=2", "tests/test_shop.py"), {"test_price"}),
        (edited("test_other(): ...", "test_other():\n    pass", "tests/test_other.py"), {"test_other"}),
        (edited("prepare(): ...", "prepare():\n    pass", "tests/conftest.py"), EVERY),  # a hook ran it, around all
        (edited(".read()", ".readline()", "settings.py"), {"test_text"}),  # what was made of it, at import
        ({"new.py": "def f(): ...\n"}, set()),
    ],
)
def test_change_reaches_those_who_ran_it_or_use_what_it_made(edits, tests):
    assert selected(edits) == tests


def test_variable_and_what_makes_it_reach_those_who_ran_who_uses_it_and_who_import_its_effect():
    for edits in (edited("+ 3", "+ 4"), edited("return 1", "return 2")):
        reasons = judged(edits)

        assert {test for test, reason in reasons.items() if reason} == EVERY - {"test_other"}
        assert "ran capped, which uses what changed" in reasons["test_capped"]
        assert "ran first, which uses what changed" in reasons["test_first"]
        assert "imports what changed" in reasons["test_price"]  # loud.py prints it when it is imported


def test_reason_names_what_was_run():
    assert judged(PRICE)["test_price"] == "ran price: the body of price changed (shop.py)"


def test_without_a_record_nothing_is_judged():
    known = records(without=["test_price", "test_other"])

    assert judged(PRICE, known).keys() == EVERY - {"test_price", "test_other"}
    assert judged(PRICE, Records()) == {}


def test_record_of_code_that_was_another_then_is_not_true_of_those_who_ran_it():
    stale = records()
    stale.blocks["shop.py"].update({"": "another", "price": "another"})

    assert judged({}, stale).keys() == EVERY - {"test_price"}


def test_record_that_names_a_file_whose_blocks_are_not_known_is_not_used():
    known = records()
    del known.blocks["shop.py"]

    assert judged(PRICE, known) == {"test_text": "", "test_other": ""}


def test_newest_record_that_is_true_is_the_one_that_judges():
    stale = records(test_price=Touched(functions=frozenset({"shop.py::capped"})))
    stale.blocks["shop.py"].update({"": "another", "price": "another"})
    newest = records(test_price=Touched(functions=frozenset({"shop.py::capped"})))
    change = edited("min(x", "max(x")

    assert selected(change, stale, records()) == {"test_capped"}
    assert selected(change, newest, records()) == {"test_price", "test_capped"}
    assert selected(change, records(), newest) == {"test_capped"}


def test_test_that_forks_is_not_judged_by_its_record():
    assert judged(PRICE, records(test_price=Touched(opaque="forks"))).keys() == EVERY - {"test_price"}


def test_what_a_test_read_selects_it_and_a_folder_that_it_listed():
    known = records(test_price=Touched(files=frozenset({"a.csv"})), test_other=Touched(folders=frozenset({"data"})))

    assert judged({}, known, paths=["a.csv", "b.csv"]) == {
        **dict.fromkeys(EVERY, ""),
        "test_price": "reads a.csv, which changed",
    }
    assert selected({}, known, paths=["data"]) == {"test_other"}


def test_what_a_module_read_at_import_selects_those_who_use_what_it_made():
    assert selected({}, paths=["settings.toml"]) == {"test_text"}


def test_test_that_does_what_no_record_holds_is_selected_for_all_but_the_tests_of_others():
    known = records(test_other=Touched(opaque="starts a process (git)"))

    assert selected({}, known, notable={"shop.py": "it changed"}) == {"test_other"}
    assert selected({}, known, notable={"tests/test_other.py": "it changed"}) == {"test_other"}
    assert selected({}, known, notable={"tests/test_shop.py": "it changed"}) == set()


functions = st.sampled_from("abcdef")


@settings(deadline=None)
@given(ran=st.lists(st.frozensets(functions), min_size=1, max_size=6), changed=st.sets(functions))
def test_of_functions_that_use_no_others_those_tests_are_selected_that_ran_one_that_changed(ran, changed):
    before = {"m.py": "".join(f"def {name}():\n    return 1\n" for name in "abcdef")}
    before["test_m.py"] = "import m\n" + "".join(f"def test_{number}(): ...\n" for number in range(len(ran)))
    after = {**before, "m.py": "".join(f"def {name}():\n    return {1 + (name in changed)}\n" for name in "abcdef")}
    tests = [
        CollectedTest(id=f"test_m.py::test_{number}", file="test_m.py", function=f"test_{number}")
        for number in range(len(ran))
    ]
    known = Records(
        blocks={path: dict(blocks_of(text)) for path, text in before.items()},
        tests={
            test.id: Touched(functions=frozenset(f"m.py::{name}" for name in names))
            for test, names in zip(tests, ran, strict=True)
        },
    )
    program = Program(after.keys(), ["m.py"], before.get, after.get, {}, {})
    nodes = program.difference().nodes
    told = Seen(program, Roots(program, []), tests, [known]).judge(Change(nodes=nodes, modules={}))

    assert told.keys() == {test.id for test in tests}
    assert {test for test, why in told.items() if why} == {
        test.id for test, names in zip(tests, ran, strict=True) if names & changed
    }


PUT = "if k not in {0}: {0}[k] = made(k)\n"
KEEP = "def keep(f):\n    d = {}\n    def inner(k):\n        d[k] = f(k)\n        return d[k]\n    return inner\n"


@pytest.mark.parametrize(
    "text, ran",
    [
        ("class C:\n    d = {}\n    @classmethod\n    def get(cls, k):\n        " + PUT.format("cls.d"), "C.get"),
        (
            "class C:\n    one = None\n    @classmethod\n    def get(cls):\n        cls.one = cls.one or made(1)\n",
            "C.get",
        ),
        ("class C:\n    def get(self):\n        type(self).one = made(1)\n", "C.get"),
        (
            "class C:\n    d = {}\n    def get(self, k):\n        "
            + PUT.format("self.d")
            + "        return self.d[k]\nKEPT = C()\n",
            "C.get",
        ),
        ("def f():\n    if not hasattr(f, 'v'): f.v = made(1)\n    return f.v\n", "f"),
        ("def f(k, d={}):\n    " + PUT.format("d"), "f"),
        ("def f(k, *, d=[]):\n    d.append(made(k))\n", "f"),
        (KEEP + "@keep\ndef f(k): return made(k)\n", "keep.<locals>.inner"),
    ],
)
def test_what_an_earlier_call_made_and_kept_reaches_those_who_find_it(text, ran):
    files = {"m.py": f"def made(k): return 1\n{text}", "test_m.py": "import m\ndef test_b(): m.f()\n"}
    test = CollectedTest(id="test_m.py::test_b", file="test_m.py", function="test_b")
    known = Records(
        blocks={path: dict(blocks_of(text)) for path, text in files.items()},
        tests={test.id: Touched(functions=frozenset({"test_m.py::test_b", f"m.py::{ran}"}))},
    )
    after = {**files, "m.py": files["m.py"].replace("return 1", "return 2")}
    program = Program(after.keys(), ["m.py"], files.get, after.get, {}, {})
    change = Change(nodes=program.difference().nodes, modules={})

    assert Seen(program, Roots(program, []), [test], [known]).judge(change)[test.id]


def test_hook_of_a_plugin_whose_functions_are_not_seen_reaches_all():
    known = records()
    known.modules["tests/conftest.py"] = Touched(opaque="imported before it could be followed")
    known.modules[""] = Touched()

    assert selected(edited("prepare(): ...", "prepare():\n    pass", "tests/conftest.py"), known) == EVERY
