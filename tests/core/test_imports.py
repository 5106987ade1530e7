"""What a source text uses, and which file each name in it means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.imports import Modules, Source, imports_between, joined, source_of, symbol_of
from airflow_mltest.core.symbols import Symbols

SHOP = {
    "shop/__init__.py": "from .prices import price as cost\n",
    "shop/prices.py": "from shop.rounding import *\n\ndef price(x):\n    return half(x)\n",
    "shop/rounding.py": "__all__ = ['half']\n\ndef half(x): ...\n\ndef whole(x): ...\n",
    "scripts/job.py": "import shop\n",
}
names = st.sampled_from("abcdef")


def uses(text, block="f"):
    return source_of(text).blocks[block].uses


def symbols(files, **points):
    return Symbols(Modules(files, {}), {path: source_of(text) for path, text in files.items()}, points)


def test_names_are_read_with_what_is_asked_of_them_and_local_ones_are_not():
    found = uses("def f(x, y=limit):\n    z = nx.utils.opened(x)\n    return z.size + top\n")

    assert found.chains == {("nx", "utils", "opened"), ("top",)}
    assert found.asked == {"utils", "opened", "size"}


def test_class_uses_what_its_body_and_its_keywords_read():
    found = uses("class C(Base, metaclass=Meta):\n    size = limit()\n    count += top\n", "class C")

    assert (found.bases, found.chains) == ({("Base",)}, {("Meta",), ("limit",), ("top",)})


def test_annotation_of_a_variable_is_read_in_a_class_and_not_in_a_function():
    text = "class C:\n    size: Whole\n\ndef f():\n    size: Whole = top\n"

    assert uses(text, "class C").chains == {("Whole",)}
    assert uses(text).chains == {("top",)}


def test_name_that_is_declared_global_is_not_local():
    found = uses("def f():\n    global count\n    count = limit\n")

    assert (found.changes, found.chains) == ({("count",)}, {("limit",)})


@pytest.mark.parametrize(
    "statement, changed",
    [
        ("table.append(x)", {("table",)}),
        ("m.table['a'] = x", {("m", "table")}),
        ("del table['a']", {("table",)}),
        ("table, m.size = x", {("m", "size")}),
        ("y = table.append(x)", set()),
        ("x.append(table)", set()),
        ("table.read()", set()),
    ],
)
def test_variable_is_changed_where_it_is_by_what_stands_for_its_effect(statement, changed):
    assert uses(f"def f(x):\n    {statement}\n").changes == changed


@pytest.mark.parametrize(
    "value, read, mentioned",
    [
        ("{'a': g, 'b': [m.h]}", set(), {("g",), ("m", "h")}),
        ("{'a': g()}", {("g",)}, set()),
        ("[g, h + 1]", {("g",), ("h",)}, set()),
    ],
)
def test_table_of_functions_mentions_them_and_does_not_run_them(value, read, mentioned):
    found = uses(f"TABLE = {value}\n", "TABLE =")

    assert (found.chains, found.references) == (read, mentioned)


@pytest.mark.parametrize(
    "body, kinds",
    [
        ("return x.copy()", set()),
        ("return copy.deepcopy(x)", {"copying"}),
        ("return pickle.load(x)", {"copying", "unpickling"}),
        ("return pickle.loads(pickle.dumps(x))", {"copying"}),
        ("return subprocess.run(x)", {"running"}),
        ("return os.system(x)", {"running"}),
        ("return exec(x.read_text())", {"running"}),
        ("return listdir(x)", {"listing"}),
        ("return importlib.import_module(x)", {"importing"}),
        ("return sorted(x.glob('*.csv'))", {"listing", "active"}),
        ("return getattr(x, f'on_{y}')", {"anything", "active"}),
        ("return getattr(x, 'size')", set()),
    ],
)
def test_what_a_function_does_beyond_calling_others_is_told_by_how_it_does_it(body, kinds):
    found = uses(f"def f(x, y):\n    {body}\n")
    every = ("copying", "unpickling", "running", "importing", "listing", "active", "anything")

    assert {kind for kind in every if getattr(found, kind)} == kinds


def test_text_that_does_not_parse_uses_nothing_and_says_so():
    assert source_of("def f(:") == Source(readable=False)


@pytest.mark.parametrize(
    "block, name",
    [
        ("f", "f"),
        ("f()", "f"),
        ("f.<locals>.g", "f"),
        ("class C", "C"),
        ("C.m()", "C"),
        ("class C.D", "C"),
        ("LIMIT =", "LIMIT"),
        ("import np", "np"),
        ("import * shop", ""),
        ("<module>", ""),
    ],
)
def test_every_block_belongs_to_one_name_of_its_module(block, name):
    assert symbol_of(block) == name


@pytest.mark.parametrize(
    "source, importer, places",
    [
        ("shop.prices", "scripts/job.py", {"shop/prices"}),
        (".prices", "shop/rounding.py", {"shop/prices"}),
        (".", "shop/rounding.py", {"shop"}),
        ("..job", "scripts/deep/x.py", {"scripts/job"}),
        ("job", "scripts/other.py", {"scripts/job"}),
        ("numpy", "shop/prices.py", set()),
        ("shop.gone", "scripts/job.py", set()),
    ],
)
def test_module_is_found_from_where_it_is_imported(source, importer, places):
    assert set(Modules(SHOP, {}).places(source, importer)) == places


def test_of_two_modules_of_one_name_the_one_that_was_imported_is_meant_unless_another_is_new():
    paths, known = ["a/src/shop.py", "b/shop.py"], {"shop": "a/src/shop.py"}

    assert set(Modules(paths, {}).places("shop")) == {"a/src/shop", "b/shop"}
    assert set(Modules(paths, known).places("shop")) == {"a/src/shop"}
    assert set(Modules(paths, known, ["b/shop.py"]).places("shop")) == {"a/src/shop", "b/shop"}


def test_package_without_an_init_is_found_below_src():
    assert Modules(["src/names/shop.py"], {}).places("names.shop") == ["src/names/shop"]


def test_star_hands_on_what_came_by_a_star():
    found = symbols({"a.py": "from b import *\n", "b.py": "from c import *\n", "c.py": "def f(): ...\n"})

    ends = {("c.py", "export f"), ("c.py", "f")}
    assert found.named("a.py", ("f",)) == {("a.py", "f"), ("b.py", "export f"), ("b.py", "f"), *ends}
    assert found.named("a.py", ("g",)) == {("a.py", "g")}


def test_import_runs_the_packages_around_a_module_and_counts_inside_functions():
    files = {
        **SHOP,
        "late.py": "def f():\n    from shop import rounding\n",
        "typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import shop\n",
    }
    imports = imports_between(Modules(files, {}), {path: source_of(text) for path, text in files.items()})

    assert imports == {
        "shop/__init__.py": {"shop/prices.py"},
        "shop/prices.py": {"shop/__init__.py", "shop/rounding.py"},
        "shop/rounding.py": {"shop/__init__.py"},
        "scripts/job.py": {"shop/__init__.py"},
        "late.py": {"shop/__init__.py", "shop/rounding.py"},
        "typed.py": set(),
    }


@pytest.mark.parametrize(
    "chain, meant",
    [
        ("shop.cost", {("shop/__init__.py", "cost"), ("shop/prices.py", "price")}),
        ("shop.prices.price", {("shop/__init__.py", "prices"), ("shop/prices.py", "price")}),
        (
            "shop.prices.half",
            {
                ("shop/__init__.py", "prices"),
                ("shop/prices.py", "half"),
                ("shop/rounding.py", "export half"),
                ("shop/rounding.py", "half"),
            },
        ),
        ("shop.prices.whole", {("shop/__init__.py", "prices"), ("shop/prices.py", "whole")}),  # `__all__` keeps it
        ("shop", {("shop/__init__.py", "*")}),
    ],
)
def test_name_means_all_that_hands_it_on_and_what_is_at_the_end(chain, meant):
    assert symbols(SHOP).named("scripts/job.py", tuple(chain.split("."))) == {("scripts/job.py", "shop"), *meant}


def test_import_in_a_function_holds_in_it_and_in_those_inside_and_nowhere_else():
    files = {
        "late.py": (
            "def f():\n    from shop.prices import price\n    def g():\n        return price\n\ndef h():\n    price\n"
        ),
        **SHOP,
    }
    found, blocks = symbols(files), source_of(files["late.py"]).blocks

    for block in ("f", "f.<locals>.g"):
        assert found.meant("late.py", blocks[block], ("price",)) == {("shop/prices.py", "price")}
    assert found.meant("late.py", blocks["h"], ("price",)) == {("late.py", "price")}


@pytest.mark.parametrize(
    "text, meant",
    [
        ("shop.rounding.half", {("shop/__init__.py", "rounding"), ("shop/rounding.py", "half")}),
        ("shop.rounding:half", {("shop/__init__.py", "rounding"), ("shop/rounding.py", "half")}),
        ("shop", {("shop/__init__.py", "*")}),
        ("run shop.rounding now", {("shop/__init__.py", "rounding"), ("shop/rounding.py", "*")}),
        ("tools/job.py", {("scripts/job.py", "*")}),
        ("plugins", {("shop/__init__.py", "prices"), ("shop/prices.py", "price")}),
        ("numpy.random", set()),
        ("half", set()),
        ("", set()),
    ],
)
def test_text_may_name_a_module_a_function_a_script_or_a_group_of_entry_points(text, meant):
    assert symbols(SHOP, plugins=["shop.prices:price"]).of_text(text) == meant


@settings(deadline=None)
@given(
    st.lists(names, min_size=2, max_size=9).flatmap(
        lambda bound: st.tuples(
            st.just(bound),
            st.tuples(*(st.integers(at + 1, len(bound) - 1) for at in range(len(bound) - 1))),
            st.permutations(range(len(bound))),
        )
    )
)
def test_reexports_under_other_names_are_followed_to_the_end_whatever_was_asked_before(case):
    bound, following, order = case
    files = {f"m{at}.py": f"from m{to} import {bound[to]} as {bound[at]}\n" for at, to in enumerate(following)} | {
        f"m{len(bound) - 1}.py": f"{bound[-1]} = 1\n"
    }
    found = symbols(files)

    for start in order:
        path, at = {start}, start
        while at < len(following):
            at = following[at]
            path.add(at)
        assert found.named(f"m{start}.py", (bound[start],)) == {(f"m{one}.py", bound[one]) for one in path}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sets(st.integers(0, 4)), min_size=5, max_size=5),
    st.permutations([(at, to) for at in range(5) for to in range(5)]),
)
def test_what_star_imports_in_a_circle_give_does_not_depend_on_what_was_asked_before(stars, questions):
    files = {
        f"m{at}.py": "".join(f"from m{to} import *\n" for to in sorted(others)) + f"x{at} = 1\n"
        for at, others in enumerate(stars)
    }
    found = symbols(files)

    for at, to in questions:
        found.exported(f"m{to}.py")
        assert found.named(f"m{at}.py", (f"x{to}",)) == symbols(files).named(f"m{at}.py", (f"x{to}",))


functions = st.lists(st.tuples(names, names), max_size=5).map(
    lambda pairs: "".join(f"def {name}():\n    return {used}.{used}\n" for name, used in pairs)
)


@settings(deadline=None)
@given(functions, functions)
def test_two_states_of_a_file_joined_hold_what_either_holds(one, other):
    before, after = source_of(one), source_of(other)
    both = joined(before, after)

    assert both.blocks.keys() == before.blocks.keys() | after.blocks.keys()
    assert both.names.keys() == before.names.keys() | after.names.keys()
    for name, block in both.blocks.items():
        sides = [side.blocks[name].uses.chains for side in (before, after) if name in side.blocks]
        assert block.uses.chains == set().union(*sides)
