"""What a change touches: blocks of code, modules, files that code reads, and files that rule all tests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.changes import Program
from airflow_mltest.core.configuration import entry_points, is_about, is_configuration, rules_all
from airflow_mltest.core.files import Files

SHOP = {
    "shop/__init__.py": "",
    "shop/prices.py": (
        "from shop.rounding import *\n\nLIMIT = 3\n\ndef price(x):\n    return 2 * x\n\n"
        "class Cart:\n    size = 0\n\n    def total(self):\n        return 0\n"
    ),
    "shop/rounding.py": "__all__ = ['half']\n\ndef half(x): ...\n\ndef _odd(x): ...\n",
    "shop/loud.py": "print('loaded')\n",
    "tests/test_cart.py": "from shop.prices import Cart\n",
    "tests/test_loud.py": "import tests.test_cart\n",
    "lone.py": "",
}


def program(edits, files=SHOP):
    """Read a project before and after *edits* (None: the file is gone)."""
    after = {**files, **edits}
    return Program({*files, *edits}, [*edits], files.get, after.get, {}, {})


def edited(path, old, new):
    assert old in SHOP[path]
    return {path: SHOP[path].replace(old, new)}


def touched(edits):
    """Name the blocks that differ, in one file."""
    nodes = program(edits).difference().nodes
    return {node.partition("::")[2] for node in nodes if not node.endswith(("!", "?"))}


PRICES = "shop/prices.py"


HEADS = ("Cart.total()", "Cart.sum()")


@pytest.mark.parametrize(
    "edits, blocks",
    [
        (edited(PRICES, "2 * x", "3 * x"), {"price"}),
        (edited(PRICES, "price(x)", "price(x, y=0)"), {"price()"}),
        (edited(PRICES, "LIMIT = 3", "LIMIT = 4"), {"LIMIT ="}),
        (edited(PRICES, "size = 0", "size = 1"), {"class Cart"}),
        # A method may hide one of a base, or uncover it.
        (edited(PRICES, "total(self)", "sum(self)"), {"class Cart", "Cart.total", "Cart.sum", *HEADS}),
        (edited(PRICES, "def price", "print()\n\ndef price"), {"<module>"}),
        (edited(PRICES, "from shop.rounding import *\n", ""), {"import * shop.rounding", "@half", "~half"}),
        (edited("shop/rounding.py", "'half'", "'half', '_odd'"), {"__all__ =", "@export _odd", "~export _odd"}),
        (edited("shop/rounding.py", "def half(x): ...\n", '# Half.\ndef half( x ):\n    """Halve."""\n'), set()),
        ({"lone.py": None}, set()),
    ],
)
def test_change_is_told_by_the_blocks_that_differ(edits, blocks):
    assert touched(edits) == blocks


def test_words_say_what_happened_and_where():
    nodes = program(edited(PRICES, "def price", "def cost")).difference().nodes

    assert {nodes[f"{PRICES}::{name}"] for name in ("price", "price()", "cost", "cost()")} == {
        "the body of price is gone (shop/prices.py)",
        "the signature of price is gone (shop/prices.py)",
        "the body of cost is new (shop/prices.py)",
        "the signature of cost is new (shop/prices.py)",
    }


def test_file_that_cannot_be_read_differs_in_all_that_was_there():
    nodes = program({"shop/rounding.py": "def half(:\n"}).difference().nodes

    everything = {"*", "~*", "@half", "~half", "@_odd", "~_odd"}
    assert {f"shop/rounding.py::{name}" for name in everything} <= nodes.keys()
    assert nodes["shop/rounding.py::@half"] == "shop/rounding.py cannot be read"


@pytest.mark.parametrize(
    "edits, modules",
    [
        (edited("shop/loud.py", "loaded", "here"), {"shop/loud.py"}),
        ({"lone.py": "import shop.loud\n"}, {"lone.py"}),
        ({"lone.py": "import shop.rounding\n"}, set()),
        ({"lone.py": "import colorama\n"}, {"lone.py"}),
        ({"lone.py": "import colorama\n\ndef f():\n    colorama.init()\n"}, set()),
        ({"lone.py": "import json\nfrom __future__ import annotations\n"}, set()),
        (edited(PRICES, "2 * x", "3 * x"), set()),
        (edited(PRICES, "LIMIT = 3", "LIMIT = ("), {PRICES}),
    ],
)
def test_import_may_have_another_effect_where_a_module_acts_or_one_that_acts_is_imported(edits, modules):
    assert program(edits).difference().modules.keys() == modules


def test_effect_of_an_import_spreads_to_all_who_import_it_and_to_nobody_else():
    found = program({})

    assert found.importers(PRICES) == {PRICES, "tests/test_cart.py", "tests/test_loud.py"}
    assert found.spread({"shop/loud.py": "loud", PRICES: "prices"}) == {
        "shop/loud.py": "loud",
        PRICES: "prices",
        "tests/test_cart.py": "prices",
        "tests/test_loud.py": "prices",
    }
    assert set(found.effects()) == {"shop/loud.py::<module>"}


def test_blocks_before_a_change_are_those_of_the_old_text():
    found = program({**edited(PRICES, "price", "cost"), "new.py": "def f(): ...\n"})

    assert {"price", "price()"} <= found.blocks_before(PRICES).keys()
    assert "cost" not in found.blocks_before(PRICES)
    assert found.blocks_before("new.py").keys() == {""}


bodies = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9), min_size=1)
gaps = st.sampled_from(["", "\n", "\n# so\n", "\n'''So.'''\n"])


def written(functions, gap=""):
    return gap.join(f"def {name}(x):{gap and '  # why'}\n    return x + {value}\n" for name, value in functions)


@settings(deadline=None)
@given(bodies.flatmap(lambda one: st.tuples(st.just(one), st.permutations(list(one.items())))), gaps)
def test_functions_in_another_order_and_layout_are_no_change(case, gap):
    functions, moved = case
    files = {"m.py": written(functions.items())}

    assert program({"m.py": written(moved, gap)}, files).difference().nodes == {}


@settings(deadline=None)
@given(bodies, bodies)
def test_functions_that_differ_are_changed_and_no_others(before, after):
    nodes = program({"m.py": written(after.items())}, {"m.py": written(before.items())}).difference().nodes
    differing = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    heads = {f"{name}()" for name in before.keys() ^ after.keys()}

    assert {node for node in nodes if not node.endswith(("!", "?"))} == {f"m.py::{name}" for name in differing | heads}


READING = {
    "shop/data/rates.csv": "1\n",
    "shop/data/big.parquet": None,  # no text
    "README.md": "",
    "shop/rates.py": "def rates():\n    return open('shop/data/rates.csv')\n\ndef stem():\n    return 'rates'\n",
    "shop/big.py": "def big():\n    return read('big')\n",
    "shop/every.py": "def every():\n    return HERE.glob('*.csv')\n",
    "tools/every.py": "def every():\n    return HERE.glob('*.csv')\n",
}


def files(changed, gone=()):
    """Read a project of which *changed* were edited and *gone* are gone."""
    edits = dict.fromkeys([*changed, *gone], "x\n") | dict.fromkeys(gone)
    return Files(program(edits, READING), [*edits], READING.get, {*READING} - {*gone})


def test_file_that_is_new_or_gone_changes_its_folder():
    assert files(["shop/data/rates.csv"]).touched == {"shop/data/rates.csv"}
    assert files(["shop/data/new.csv"], gone=["README.md"]).touched == {
        "shop/data/new.csv",
        "shop/data",
        "README.md",
        ".",
    }


def test_data_may_be_read_by_who_names_them_or_lists_folders_around_them():
    nodes, nobodys = files(["shop/data/rates.csv"]).likely()

    assert nodes.keys() == {"shop/rates.py::rates", "shop/rates.py::stem", "shop/every.py::every"}
    assert nobodys == ""


def test_code_that_is_gone_is_missed_by_who_lists_folders_around_it():
    assert files([], gone=["shop/rates.py"]).likely() == ({"shop/every.py::every": "shop/rates.py changed"}, "")
    assert files(["shop/rates.py"]).likely() == ({}, "")


def test_data_that_nobody_is_known_to_read_are_named_and_what_is_about_the_project_is_not():
    assert files(["other/table.csv"]).likely() == ({}, "other/table.csv")
    assert files(["README.md"]).likely() == ({}, "")


@pytest.mark.parametrize(
    "changed, gone, seen",
    [
        (["shop/data/rates.csv"], [], set()),  # the recorder saw who opened it
        ([], ["shop/data/rates.csv"], {"shop/rates.py::rates"}),
        (["shop/data/big.parquet"], [], {"shop/big.py::big", "shop/rates.py::rates"}),  # by the name of its folder
    ],
)
def test_names_of_files_count_beside_records_where_no_recorder_sees_the_reading(changed, gone, seen):
    assert files(changed, gone).seen().keys() == seen


def test_whoever_runs_what_cannot_be_followed_is_told_of_code_and_data_but_not_of_prose():
    found = files(["shop/data/rates.csv", "README.md"]).notable({"shop/rates.py::rates": "the body changed"})

    assert found == {"shop/rates.py": "the body changed", "shop/data/rates.csv": "shop/data/rates.csv changed"}


@pytest.mark.parametrize(
    "path, before, after, rules",
    [
        ("pytest.ini", "", "[pytest]", True),
        ("src/fast.c", "", "", True),
        ("docs/fast.c", "", "", False),
        ("requirements.txt", "numpy\n", "numpy\npandas\n", True),
        ("requirements.txt", "numpy\n", "# numbers\nnumpy  # 2\n\n", False),
        ("uv.lock", None, "numpy", True),
        ("data.txt", "a", "b", False),
        ("pyproject.toml", "[tool.ruff]\na = 1", "[tool.ruff]\na = 2", False),
        ("pyproject.toml", "[tool.pytest.ini_options]\na = 1", "[tool.pytest.ini_options]\na = 2", True),
        ("pyproject.toml", "[project]\ndescription = 'a'", "[project]\ndescription = 'b'", False),
        ("pyproject.toml", "[project]\ndependencies = ['a']", "[project]\ndependencies = ['b']", True),
        ("pyproject.toml", "", "[project", True),
        ("setup.cfg", "[flake8]\na = 1", "[flake8]\na = 2", False),
        ("setup.cfg", "[metadata]\nurl = a", "[metadata]\nurl = b", False),
        ("setup.cfg", "[metadata]\nversion = 1", "[metadata]\nversion = 2", True),
        ("tox.ini", "[pytest]\na = 1", None, True),
        ("tox.ini", "", "no section", True),
        ("pyproject.toml", "", "tool = 1", True),
        ("pyproject.toml", "", "project = 1", True),
        ("requirements/dev.txt", "numpy\n", "pandas\n", True),
        ("requirements/dev.txt", "numpy\n", "numpy  # so\n", False),
    ],
)
def test_file_rules_all_tests_where_packages_or_the_way_they_run_may_differ(path, before, after, rules):
    why = rules_all(path, before, after)

    assert bool(why) is rules
    assert path in why or not rules


@pytest.mark.parametrize(
    "path, about, configuration",
    [
        ("README.md", True, False),
        ("shop/README.md", False, False),
        ("docs/index.rst", True, False),
        ("docs/conf.py", False, False),
        (".github/workflows/ci.yml", True, False),
        ("shop/types.pyi", True, False),
        ("setup.py", False, True),
        ("pytest.ini", False, True),
        ("requirements/dev.txt", False, True),
        ("sub/pyproject.toml", False, True),
        ("shop/data.csv", False, False),
    ],
)
def test_file_is_about_the_project_or_configures_it_or_is_for_code_to_read(path, about, configuration):
    assert (is_about(path), is_configuration(path)) == (about, configuration)


def test_entry_points_are_read_from_every_version_of_both_files():
    points = entry_points(
        [
            ("pyproject.toml", "[project.entry-points.shop]\na = 'shop.a:A'\n"),
            ("pyproject.toml", "[project.entry-points.shop]\nb = 'shop.b'\n"),
            ("setup.cfg", "[options.entry_points]\nshop =\n    c = shop.c:C\n"),
            ("setup.cfg", None),
            ("pyproject.toml", "no toml"),
            ("pyproject.toml", "[project]\nentry-points = 1\n"),
        ]
    )

    assert points == {"shop": {"shop.a:A", "shop.b", "shop.c:C"}}
