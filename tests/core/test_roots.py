"""Where a test begins, and which fixtures a change took from it."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltest.core.changes import Program
from airflow_mltest.core.collected import CollectedTest
from airflow_mltest.core.roots import Roots, asks_for, lost_fixtures

FILES = {
    "conftest.py": "def pytest_runtest_setup(item): ...\n\ndef other(): ...\n",
    "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef db():\n    def deep(): ...\n    return deep\n",
    "elsewhere/conftest.py": "def pytest_configure(): ...\n",
    "tests/plugin.py": "def pytest_collection(): ...\n",
    "tests/base.py": (
        "class Base:\n    def setUp(self): ...\n    def test_inherited(self): ...\n    def helper(self): ...\n"
    ),
    "tests/test_all.py": (
        "import pytest\nfrom tests.base import Base\n\n"
        "def setup_module(): ...\n\n"
        "def test_plain(db): ...\n\n"
        "def test_asking(request):\n    def inner(): ...\n\n"
        "@pytest.mark.usefixtures('db')\n"
        "class TestOwn:\n    def setup_method(self): ...\n    def test_own(self): ...\n    def helper(self): ...\n\n"
        "class TestChild(Base): ...\n"
    ),
}
TESTS = "tests/test_all.py"
PLUGINS = ["conftest.py", "tests/conftest.py", "elsewhere/conftest.py", "tests/plugin.py"]


def program(edits=(), files=FILES):
    after = {**files, **dict(edits)}
    return Program(after.keys(), [*dict(edits)], files.get, after.get, {}, {})


def collected(function, *fixtures, file=TESTS):
    return CollectedTest(id=f"{file}::{function}", file=file, function=function, fixtures=fixtures)


ROOTS = Roots(program(), PLUGINS)
AROUND = {"conftest.py::<module>", "conftest.py::@pytest_runtest_setup"} | {
    "tests/conftest.py::<module>",
    "tests/plugin.py::<module>",
    "tests/plugin.py::@pytest_collection",
    f"{TESTS}::<module>",
    f"{TESTS}::@setup_module",
}
MADE = {node.replace("@", "~") for node in AROUND}
DB = "tests/conftest.py::db"


@pytest.mark.parametrize(
    "test, begins, made",
    [
        (collected("test_plain"), {f"{TESTS}::test_plain"}, {f"{TESTS}::test_plain()"}),
        (collected("test_plain", DB), {f"{TESTS}::test_plain", DB, f"{DB}.<locals>.deep"},
         {f"{TESTS}::test_plain()", f"{DB}()"}),
        (collected("test_asking"), {f"{TESTS}::test_asking", f"{TESTS}::test_asking.<locals>.inner"},
         {f"{TESTS}::test_asking()"}),
        (collected("TestOwn.test_own"), {f"{TESTS}::TestOwn.test_own", f"{TESTS}::TestOwn.setup_method"},
         {f"{TESTS}::TestOwn.test_own()", f"{TESTS}::class TestOwn", f"{TESTS}::TestOwn.setup_method()"}),
        (collected("TestChild.test_inherited"),
         {"tests/base.py::Base.test_inherited", "tests/base.py::Base.test_inherited()", "tests/base.py::Base.setUp",
          f"{TESTS}::@TestChild"},
         {f"{TESTS}::TestChild.test_inherited()", f"{TESTS}::class TestChild", "tests/base.py::Base.setUp()"}),
    ],
)  # fmt: skip
def test_test_begins_at_its_function_what_sets_it_up_and_the_hooks_around_it(test, begins, made):
    assert ROOTS.whole(test) == AROUND | MADE | begins | made


@pytest.mark.parametrize(
    "test, made",
    [
        (collected("test_plain", DB), {f"{TESTS}::test_plain()", f"{DB}()"}),
        (
            collected("TestOwn.test_own"),
            {f"{TESTS}::TestOwn.test_own()", f"{TESTS}::class TestOwn", f"{TESTS}::TestOwn.setup_method()"},
        ),
    ],
)
def test_of_that_runs_before_the_test_what_is_made_at_import(test, made):
    assert ROOTS.made(test) == MADE | made


def test_doctest_and_function_made_at_run_time_begin_at_the_whole_file():
    for function in ("", "test_made_up"):
        assert f"{TESTS}::*" in ROOTS.whole(collected(function))
    assert f"{TESTS}::*" not in ROOTS.whole(collected("test_plain"))


def test_files_that_a_test_needs_are_its_own_those_of_its_fixtures_and_the_plugins_around():
    assert ROOTS.files(collected("test_plain", "shop/fixtures.py::cart")) == {
        TESTS,
        "shop/fixtures.py",
        "conftest.py",
        "tests/conftest.py",
        "tests/plugin.py",
    }


def test_conftest_that_changed_acts_though_pytest_did_not_load_it():
    edits = {"tests/conftest.py": "def pytest_configure(): ...\n", "elsewhere/conftest.py": "", "tests/base.py": ""}

    assert Roots(program(edits), []).around(TESTS) == ("tests/conftest.py",)


folders = st.lists(st.sampled_from(["a", "ab", "b"]), max_size=3).map("/".join)


@settings(deadline=None)
@given(st.sets(folders, min_size=1), folders)
def test_conftest_acts_on_the_tests_in_its_folder_and_below(known, folder):
    conftests = {str(PurePosixPath(one, "conftest.py")) for one in known}
    test = PurePosixPath(folder, "test_x.py")
    around = Roots(program(files=dict.fromkeys(conftests, "")), conftests).around(str(test))

    assert set(around) == {one for one in conftests if PurePosixPath(one).parent in test.parents}


def fixture(name, how=""):
    return f"import pytest\n\n@pytest.fixture{how}\ndef {name}(): ...\n"


@pytest.mark.parametrize(
    "before, after, lost",
    [
        (fixture("db"), "", {("tests/", "db", False)}),
        (fixture("db"), fixture("cart"), {("tests/", "db", False)}),
        (fixture("db", "(autouse=True)"), "", {("tests/", "db", True)}),
        (fixture("_db", "(name='db')"), "", {("tests/", "db", False), ("tests/", "_db", False)}),
        (fixture("db"), fixture("db", "(scope='session')"), set()),
        ("def db(): ...\n", "", set()),
        ("", fixture("db"), set()),
    ],
)
def test_fixture_is_lost_where_it_was_known(before, after, lost):
    path = "tests/conftest.py"

    assert set(lost_fixtures(program({path: after}, {path: before}), {TESTS})) == lost


def test_fixture_of_a_file_of_tests_is_lost_to_that_file_only():
    assert list(lost_fixtures(program({TESTS: ""}, {TESTS: fixture("db")}), {TESTS})) == [(TESTS, "db", False)]


@pytest.mark.parametrize("plugin", ["plugin.py", "tests/my_conftest.py"])
def test_fixture_of_a_plugin_is_lost_to_all(plugin):
    assert list(lost_fixtures(program({plugin: ""}, {plugin: fixture("db")}), {TESTS})) == [("", "db", False)]


def test_plugin_is_a_conftest_only_by_its_whole_name():
    files = {**FILES, "elsewhere/my_conftest.py": "def pytest_configure(): ...\n"}

    assert "elsewhere/my_conftest.py" in Roots(program((), files), ["elsewhere/my_conftest.py"]).around(TESTS)


def test_fixture_that_is_asked_for_while_a_test_runs_is_one_of_its_own():
    files = {**FILES, TESTS: "def test_late(request):\n    request.getfixturevalue('db')\n\ndef test_not(): 'db'\n"}
    late, other = collected("test_late"), collected("test_not")
    known = program((), files)
    roots = Roots(known, PLUGINS)

    assert "tests/conftest.py::@db" in roots.whole(late)
    assert "tests/conftest.py::@db" not in roots.whole(other)
    assert (asks_for(known, late, "db"), asks_for(known, other, "db")) == (True, False)


@pytest.mark.parametrize(
    "test, asks",
    [
        (collected("test_plain"), True),
        (collected("test_asking"), False),
        (collected("test_asking", f"{TESTS}::test_plain"), True),  # as a fixture of it does
        (collected("TestOwn.test_own"), True),
        (collected("TestChild.test_inherited"), False),
        (collected("test_gone", file="tests/gone.py"), False),
    ],
)
def test_fixture_is_asked_for_by_a_parameter_a_mark_or_another_fixture(test, asks):
    assert asks_for(program(), test, "db") is asks


def test_mark_of_a_whole_file_asks_for_fixtures_in_the_name_of_its_tests():
    files = {TESTS: "import pytest\npytestmark = pytest.mark.usefixtures('db')\n\ndef test_plain(): ...\n"}

    assert asks_for(program(files=files), collected("test_plain"), "db")
    assert not asks_for(program(files=files), collected("test_plain"), "cart")


def test_tests_share_what_a_class_a_module_or_a_fixture_sets_up_once():
    scopes = ("class", "module", "session", "function")
    text = "import pytest\n" + "".join(f"@pytest.fixture(scope='{one}')\ndef by_{one}(): ...\n" for one in scopes)
    files = {
        "conftest.py": text,
        "a.py": "",
        "b.py": "def setup_module(): ...\nclass C:\n    def setup_class(self): ...\n",
    }
    roots = Roots(program((), files), ["conftest.py"])
    every = [f"conftest.py::by_{one}" for one in scopes]

    assert roots.shared(collected("test_a", file="a.py")) == {}
    assert roots.shared(collected("D.test_a", *every, file="a.py")) == {
        "a.py::D::conftest.py::by_class": "the fixture by_class",
        "a.py::conftest.py::by_module": "the fixture by_module",
    }
    assert roots.shared(collected("C.test_a", file="b.py")) == {"b.py::C": "its class", "b.py::<module>": "its module"}
