"""What leads where in source texts, and what a start reaches: no values, only what values could do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.graph import Graph
from airflow_mltest.core.imports import Modules, source_of
from airflow_mltest.core.reach import Reach
from airflow_mltest.core.registries import Registries
from airflow_mltest.core.symbols import Symbols

SHAPES = """
import abc

class Shape(abc.ABC):
    def __init__(self):
        self.size = unit()

    def area(self):
        return self.side() * self.side()

    def side(self):
        return 1

    def __len__(self):
        return 4

class Square(Shape):
    def side(self):
        return 2

def unit():
    return 1

def lonely():
    return 0
"""


def graph_of(files):
    sources = {path: source_of(text) for path, text in files.items()}
    return Graph(sources, Symbols(Modules(files, {}), sources))


def bodies(files, *starts):
    """Name the bodies of functions, without those that were begun with, that starts can lead to."""
    graph = graph_of(files)
    reach = Reach(graph, [frozenset(starts)])
    every = [
        f"{file}::{name}"
        for file, source in graph.sources.items()
        for name in source.blocks
        if source.blocks[name].inside
    ]
    return {node for node in every if reach.hits({node: "reached"})} - {*starts}


def body(text, files=None, start="f"):
    """Name the bodies that a function `f` of `user.py` leads to; those of `shapes.py` without their file."""
    found = bodies({"shapes.py": SHAPES, "user.py": text, **(files or {})}, f"user.py::{start}")
    return {node.removeprefix("shapes.py::") for node in found}


@pytest.mark.parametrize(
    "statement, reached",
    [
        ("shapes.unit()", {"unit"}),
        ("return shapes.unit", {"unit"}),
        ("shapes.Shape", {"Shape.__init__", "unit"}),
        ("shapes.Shape().side()", {"Shape.__init__", "unit", "Shape.side"}),
        ("shapes.Shape().area()", {"Shape.__init__", "unit", "Shape.area", "Shape.side", "Shape.__len__"}),
        ("shapes.Square().side()", {"Shape.__init__", "unit", "Square.side", "Shape.side"}),
        ("len(shapes.Shape())", {"Shape.__init__", "unit", "Shape.__len__"}),
        ("isinstance(x, shapes.Shape)", {"Shape.__init__", "unit"}),
        ("pickle.load(x)", {"Shape.__init__", "unit", "Shape.__len__"}),  # it may be of any class
        ("other.side()", set()),
        ("len(x)", set()),
        ("shapes.gone()", set()),
    ],
)
def test_object_does_what_its_class_can_where_somebody_asks_for_it(statement, reached):
    assert body(f"import pickle\nimport shapes\n\ndef f(x, other):\n    {statement}\n") == reached


def test_who_makes_an_object_and_who_asks_it_may_stand_in_different_modules():
    files = {"asking.py": "def ask(shape):\n    return shape.side()\n"}
    text = (
        "from asking import ask\nfrom shapes import Square\n\n"
        "def f():\n    return ask(made())\n\ndef made():\n    return Square()\n"
    )

    asked = {"Square.side", "Shape.side", "Shape.__init__", "unit"}
    assert body(text, files) == {"asking.py::ask", "user.py::made", *asked}


@pytest.mark.parametrize(
    "base, reached",
    [("object", {"user.py::C.__init__"}), ("threading.Thread", {"user.py::C.__init__", "user.py::C.hidden"})],
)
def test_class_of_other_people_may_call_all_that_is_in_its_children(base, reached):
    text = (
        "import threading\n\ndef f():\n    return C\n\n"
        f"class C({base}):\n    def __init__(self): ...\n    def hidden(self): ...\n"
    )

    assert body(text) == reached
    assert graph_of({"user.py": text}).is_foreign("user.py", "C") is (base != "object")


@pytest.mark.parametrize(
    "decorator, reached",
    [
        ("shout", {"user.py::shout"}),
        ("shout(1)", {"user.py::shout"}),
        ("Loud", {"user.py::Loud.__init__", "user.py::Loud.__call__"}),
        ("other.loud", set()),
    ],
)
def test_decorator_runs_with_what_it_decorates(decorator, reached):
    text = (
        f"import other\n\ndef f():\n    return g()\n\n@{decorator}\ndef g(): ...\n\ndef shout(x): ...\n\n"
        "class Loud:\n    def __init__(self, x): ...\n    def __call__(self): ...\n    def rest(self): ...\n"
    )

    assert body(text) == {"user.py::g", *reached}


@pytest.mark.parametrize("name, reached", [("f'on_{x}'", {"user.py::C.on_day"}), ("'on_' 'night'", set())])
def test_name_made_up_at_run_time_may_be_that_of_any_method(name, reached):
    text = f"def f(x):\n    c = C()\n    return getattr(c, {name})\n\nclass C:\n    def on_day(self): ...\n"

    assert body(text) == reached


def test_table_of_functions_runs_them_for_those_who_use_it_and_not_for_who_only_asks_what_is_in_it():
    text = (
        "TABLE = {'a': g}\n\ndef g(): ...\n\ndef f(x):\n    return TABLE[x]()\n\n"
        "def asks(x):\n    return x in TABLE\n\ndef other(): ...\n"
    )

    assert body(text) == {"user.py::g"}
    assert body(text, start="asks") == set()


REGISTRY = {
    "registry.py": (
        "ALL = {}\nSEEN = []\n\ndef register(x):\n    _keep(x)\n    return x\n\n"
        "def _keep(x):\n    ALL[x.__name__] = x\n\n"
        "def found(name):\n    return ALL[name]\n\ndef see():\n    SEEN.append(1)\n"
    ),
    "plugins.py": "from registry import register\n\n@register\ndef plugin(): ...\n\ndef other(): ...\n",
    "filling.py": "from registry import ALL\nfill(ALL)\n",
}


def test_what_registers_itself_is_reached_by_who_looks_into_the_registry():
    registering = {"registry.py::register", "registry.py::_keep"}
    assert bodies(REGISTRY, "registry.py::found") == {"plugins.py::plugin", *registering}
    assert bodies(REGISTRY, "registry.py::see") == set()


def test_variables_are_known_with_what_is_put_into_them():
    assert set(Registries(graph_of(REGISTRY)).contents()) == {
        (("registry.py", "ALL"), "registry.py::_keep"),
        (("registry.py", "ALL"), "plugins.py::@plugin"),
        (("registry.py", "ALL"), "filling.py::<module>"),
        (("registry.py", "SEEN"), "registry.py::see"),
    }


def test_child_of_a_class_that_collects_its_children_is_reached_by_who_has_the_class():
    text = (
        "class Base:\n    ALL = []\n    def __init_subclass__(cls):\n        Base.ALL.append(cls)\n\n"
        "class Child(Base):\n    def run(self): ...\n\ndef f():\n    return [one().run() for one in Base.ALL]\n"
    )

    assert body(text) == {"user.py::Base.__init_subclass__", "user.py::Child.run"}


def test_text_that_names_a_function_leads_to_it():
    assert body("def f(mock):\n    mock.patch('shapes.unit')\n") == {"unit"}
    assert body("def f(mock):\n    mock.patch('shapes.nothing')\n") == set()
    assert body("def f(mock):\n    mock.say('shapes')\n") == set()


def test_module_by_a_name_made_up_is_one_of_those_that_a_text_begins():
    files = {
        "drivers/__init__.py": "",
        "drivers/csv.py": "def read(): ...\n",
        "drivers/tsv.py": "def read(): ...\n",
    }
    text = "import importlib\n\ndef f(x):\n    return importlib.import_module('drivers.' + x)\n"

    assert body(text, files) == {"drivers/csv.py::read", "drivers/tsv.py::read"}


def test_script_is_reached_by_who_names_it_and_runs_something():
    files = {"job.py": "def work(): ...\n\nif __name__ == '__main__':\n    work()\n"}

    assert body("import subprocess\n\ndef f():\n    subprocess.run(['job.py'])\n", files) == {"job.py::work"}
    assert body("def f():\n    return 'job.py'\n", files) == set()


@pytest.mark.parametrize("text", ["from lazy import x\n\ndef f():\n    x\n", "import lazy\n\ndef f():\n    lazy.x\n"])
def test_what_a_module_does_not_define_it_may_make_when_asked(text):
    assert body(text, {"lazy.py": "def __getattr__(name): ...\n"}) == {"lazy.py::__getattr__"}


def test_annotation_does_not_run_what_it_names():
    assert body("from shapes import unit\n\ndef f(x: unit) -> unit: ...\n") == set()


def test_method_that_runs_once_for_an_object_is_known_by_its_attribute():
    text = "import functools\n\nclass C:\n    @functools.cached_property\n    def a(self): ...\n    def b(self): ...\n"

    assert graph_of({"c.py": text}).cached == {"a": {"c.py::C.a"}}


def test_methods_of_a_class_are_found_in_its_bases_though_they_are_a_circle():
    text = "class A(B):\n    def m(self): ...\n\nclass B(A):\n    def m(self): ...\n    def n(self): ...\n"
    graph = graph_of({"c.py": text})

    assert set(graph.methods("c.py", "A", {"m"})) == {
        "c.py::A.m",
        "c.py::A.m()",
        "c.py::B.m",
        "c.py::B.m()",
    }
    assert graph.bases("c.py", "A") == {("c.py", "B")}


nodes = st.sampled_from("abcdefgh")
pairs = st.tuples(nodes, nodes)


def searched(edges, importing, gates, start):
    """Search for what *start* leads to, one start at a time and round by round."""
    found = set(start)
    while True:
        more = {target for user, target in {*edges, *importing} if user in found}
        more |= {target for both, target in gates if found.issuperset(both)}
        if more <= found:
            return found
        found |= more


@settings(deadline=None)
@given(
    edges=st.sets(pairs, max_size=12),
    importing=st.sets(pairs, max_size=3),
    gates=st.sets(st.tuples(pairs, nodes), max_size=6),
    starts=st.lists(st.frozensets(nodes, max_size=3), max_size=5),
)
def test_many_starts_at_once_reach_what_each_reaches_alone(edges, importing, gates, starts):
    graph = graph_of({})
    for user, used in edges:
        graph.edges[user].add(used)
    for user, used in importing:
        graph.importing[user].add(used)
    for both, target in gates:
        graph._gate(*both, target)
    reach = Reach(graph, starts)

    for node in "abcdefgh":
        hit = {start for start in starts if node in searched(edges, importing, gates, start)}
        assert reach.hits({node: "it"}) == dict.fromkeys(hit, "it")


def test_start_is_told_the_first_of_what_it_reaches():
    graph = graph_of({"m.py": "def a(): ...\n\ndef b():\n    a()\n"})
    one, both = frozenset({"m.py::a"}), frozenset({"m.py::b"})

    assert Reach(graph, [one, both]).hits({"m.py::b": "b changed", "m.py::a": "a changed"}) == {
        one: "a changed",
        both: "b changed",
    }
