"""A real pytest in a child process, which records a real project."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import unittest.mock
from pathlib import Path

import pytest

from airflow_mltest import integrations
from airflow_mltest.core.records import records_of

PARTS = ("recorder", "instrument", "watch", "windows")
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class Project:
    """A folder of files, and a pytest that records it."""

    def __init__(self, folder, files=()):
        self.root = folder / "project"
        self.plugins, self.told, self.cache = folder / "plugins", folder / "told", folder / "cache"
        for made in (self.root, self.plugins, self.told, self.cache):
            made.mkdir()
        for part in PARTS:
            shutil.copy(Path(integrations.__file__).with_name(f"pytest_{part}.py"), self.plugins / f"mltest_{part}.py")
        self.write(dict(files))
        self.output = ""

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"))

    def run(self, *args, recording=True, env=None):
        path = [str(self.plugins)] * recording + [str(self.root / "src")]
        environment = {**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join(path), **(env or {})}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if recording:
            settings = {"root": str(self.root), "cache": str(self.cache)}
            (self.told / "settings.json").write_text(json.dumps(settings))
            environment["MLTEST_RECORD"] = str(self.told)
        command = [sys.executable, "-m", "pytest", "-q", *(["-p", "mltest_recorder"] if recording else []), *args]
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        self.output = done.stdout + done.stderr
        return done.returncode

    def records(self):
        def read(name):
            path = self.root / name
            return path.read_text(errors="replace") if path.is_file() else None

        lines = [path.read_text().splitlines() for path in sorted(self.told.glob("*.jsonl"))]
        return records_of(lines, environment="here", read=read, blocks_of=lambda text: {"all": str(len(text))})

    def recorded(self, *args, **kwargs):
        assert self.run(*args, **kwargs) == 0, self.output
        return self.records()


@pytest.fixture
def make(tmp_path):
    return lambda files: Project(tmp_path, files)


def functions(touched, file="src/shop.py"):
    return {name.partition("::")[2] for name in touched.functions if name.startswith(f"{file}::")}


def test_each_function_that_ran_is_recorded_under_its_qualified_name(make):
    project = make(
        {
            "src/shop.py": """
                def deco(function):
                    def inner(*args):
                        "Documented."
                        return function(*args)
                    return inner

                @deco
                def decorated():
                    "Only documented."

                class Cart:
                    class Line:
                        def price(self):
                            return 1

                    @property
                    def total(self):
                        def summed():
                            class Local:
                                def value(self):
                                    return 2
                            return Local().value()
                        return summed()

                    async def send(self):
                        return 3

                    def never(self):
                        return 4

                def rows():
                    yield 1

                def install():
                    global installed
                    def installed():
                        return 5
                    return installed()

                def branches(flag):
                    if flag:
                        try:
                            def chosen():
                                return 6
                        finally:
                            pass
                    return chosen()
            """,
            "test_shop.py": """
                import asyncio, shop

                def helped():
                    return shop.Cart()

                def test_all():
                    shop.decorated()
                    assert helped().total == 2
                    shop.Cart.Line().price()
                    assert asyncio.run(shop.Cart().send()) == 3
                    assert list(shop.rows()) == [1]
                    assert shop.install() == 5
                    assert shop.branches(True) == 6

                def test_generator_that_nobody_asks():
                    shop.rows()
            """,
        }
    )

    records = project.recorded()

    ran = records.tests["test_shop.py::test_all"]
    assert functions(ran) == {
        "deco.<locals>.inner", "decorated", "Cart.Line.price", "Cart.total", "Cart.total.<locals>.summed",
        "Cart.total.<locals>.summed.<locals>.Local.value", "Cart.send", "rows", "install", "installed", "branches",
        "branches.<locals>.chosen",
    }  # fmt: skip
    assert functions(ran, "test_shop.py") == {"helped", "test_all"}
    assert functions(records.tests["test_shop.py::test_generator_that_nobody_asks"]) == set()
    assert functions(records.modules["src/shop.py"]) == {"deco"}
    assert records.blocks.keys() == {"src/shop.py", "test_shop.py"}


def test_names_are_the_interpreters_own(make):
    project = make(
        {
            "src/shop.py": inspect.getsource(unittest.mock),
            "test_shop.py": """
                import shop

                def names(code):
                    for constant in code.co_consts:
                        if hasattr(constant, "co_code"):
                            if not constant.co_name.startswith("<") and constant.co_flags & 1:
                                keys = [one for one in constant.co_consts if str(one).startswith("src/shop.py::")]
                                yield constant.co_qualname, [key.partition("::")[2] for key in keys]
                            yield from names(constant)

                def test_names():
                    found = list(names(shop.__loader__.get_code("shop")))
                    assert len(found) > 150
                    assert all(keys == [name] for name, keys in found), found
            """,
        }
    )

    assert project.run() == 0, project.output


LOOKS_AT_ITSELF = {
    "src/shop.py": '''
        """Documented."""
        from __future__ import annotations

        import inspect, pickle, warnings
        from dataclasses import dataclass, field

        @dataclass
        class Item:
            """An item."""
            price: int = 1
            tags: list[str] = field(default_factory=list)

            def double(self) -> Item:
                """Twice.

                >>> Item(2).double().price
                4
                """
                return Item(self.price * 2)

            def __reduce__(self):
                return Item, (self.price,)

        def fail():
            # a comment
            raise ValueError("here")

        def warn():
            warnings.warn("careful", stacklevel=2)

        def closure(x):
            return lambda y: x + y
    ''',
    "src/tool.py": """
        import shop
        if __name__ == "__main__":
            print("run by name", shop.Item(3).double().price)
    """,
    "src/warned.py": """
        import warnings
        warnings.warn("imported", stacklevel=2)
    """,
    "src/broken.py": "def (:\n",
    "src/cp1252.py": "# -*- coding: cp1252 -*-\nTEXT = 'x'\n",
    "test_shop.py": """
        import copy, inspect, os, pickle, runpy, sys, traceback, types, warnings
        import cp1252, pytest, shop

        def test_source_and_line_numbers():
            assert inspect.getsource(shop.fail).splitlines()[1].strip() == "# a comment"
            with pytest.raises(ValueError) as caught:
                shop.fail()
            last = traceback.extract_tb(caught.value.__traceback__)[-1]
            assert (last.name, last.line) == ("fail", 'raise ValueError("here")')
            assert shop.fail.__code__.co_firstlineno == inspect.getsourcelines(shop.fail)[1]

        def test_documentation():
            assert shop.__doc__ == "Documented."
            assert shop.Item.double.__doc__.startswith("Twice.")
            assert shop.Item.__annotations__["price"] == "int"

        def test_copies():
            item = pickle.loads(pickle.dumps(shop.Item(2)))
            assert (item, copy.deepcopy(item)) == (shop.Item(2), shop.Item(2))

        def test_warnings_name_their_caller():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                shop.warn()
                import warned
            assert [os.path.basename(one.filename) for one in caught] == ["test_shop.py"] * 2

        def test_what_cannot_be_parsed_says_so():
            with pytest.raises(SyntaxError) as caught:
                import broken
            assert "mltest" not in str(traceback.extract_tb(caught.value.__traceback__))

        def test_missing_module_has_a_short_traceback():
            with pytest.raises(ImportError) as caught:
                import shop.nothing
            assert len(traceback.extract_tb(caught.value.__traceback__)) == 1

        def test_run_by_name(capsys):
            runpy.run_module("tool", run_name="__main__")
            assert "run by name 6" in capsys.readouterr().out

        def test_function_with_other_globals():
            assert types.FunctionType(shop.closure.__code__, {})(1)(2) == 3

        def test_public_names():
            namespace = {}
            exec("from shop import *", namespace)
            assert not [name for name in namespace if "mltest" in name]

        def test_environment():
            assert "MLTEST_RECORD" not in os.environ
            assert not [path for path in sys.path if os.path.exists(os.path.join(path, "mltest_recorder.py"))]

        def test_assertions_are_explained():
            with pytest.raises(AssertionError, match=r"assert 1 == 2"):
                assert shop.Item().price == 2
    """,
}


def test_project_that_looks_at_itself_sees_no_difference(make):
    project = make(LOOKS_AT_ITSELF)
    assert project.run("--doctest-modules", "src/shop.py", "test_shop.py", "-W", "error", recording=False) == 0, (
        project.output
    )
    assert project.run("--doctest-modules", "src/shop.py", "test_shop.py", "-W", "error") == 0, project.output
    compiled = project.output
    assert project.run("--doctest-modules", "src/shop.py", "test_shop.py", "-W", "error") == 0, project.output

    assert re.sub(r"in .*", "", compiled) == re.sub(r"in .*", "", project.output)
    records = project.records()
    assert functions(records.tests["src/shop.py::shop.Item.double"]) == {"Item.double"}
    assert records.tests["test_shop.py::test_run_by_name"].files == {"src/tool.py"}
    assert records.modules["src/broken.py"].opaque == "cannot be followed: SyntaxError"


READS = {
    "src/shop.py": """
        import ctypes, pkgutil
        from pathlib import Path
        HERE = Path(__file__).parent
        RATES = (HERE.parent / "data" / "rates.csv").read_text()
        ctypes.CDLL(None).open(b"data/b/c.txt", 0)

        def plugins():
            return [one.name for one in pkgutil.iter_modules([str(HERE / "plugins")])]
    """,
    "src/plugins/one.py": "LIMIT = 1\n",
    "src/plugins/__init__.py": "",
    "src/loaded.py": "LIMIT = 2\n",
    "src/packed/__init__.py": "",
    "src/packed/text.txt": "packed",
    "data/rates.csv": "1\n",
    "data/a.txt": "a",
    "data/logging.ini": "[empty]",
    "data/b/c.txt": "c",
    "test_files.py": """
        import ctypes, glob, importlib, importlib.util, os, pkgutil, runpy, sqlite3, subprocess
        from pathlib import Path
        import pytest, shop

        def test_nothing(): pass
        def test_open(): open("data/a.txt").close()
        def test_path(): Path("data/a.txt").read_bytes()
        def test_absolute(): open(Path(__file__).with_name("data") / "a.txt").close()
        def test_os_open(): os.close(os.open(b"data/a.txt", os.O_RDONLY))
        def test_elsewhere(monkeypatch):
            monkeypatch.chdir("data/b")
            open("../a.txt").close()
        def test_missing():
            with pytest.raises(FileNotFoundError):
                open("data/new.txt")
        def test_written(): open("data/out.txt", "w").close()
        def test_outside(tmp_path):
            (tmp_path / "x").write_text("x")
            (tmp_path / "x").read_text()
        def test_link():
            os.symlink("a.txt", "data/link.txt")
            open("data/link.txt").close()
        def test_configured():
            import logging.config
            with pytest.raises(Exception):
                logging.config.fileConfig("data/logging.ini")
        def test_native(): ctypes.CDLL(None).open(b"data/a.txt", os.O_RDONLY)
        def test_child(): subprocess.run(["cat", "data/a.txt"], check=True)
        def test_listed(): os.listdir("data")
        def test_globbed(): glob.glob("data/*.txt")
        def test_walked(): list(os.walk("data"))
        def test_descriptor():
            folder = os.open("data", os.O_RDONLY)
            os.scandir(folder).close()
            os.close(folder)
        def test_plugins(): assert shop.plugins() == ["one"]
        def test_database(): sqlite3.connect("file:data/some.db?mode=memory", uri=True).close()
        def test_package_data(): assert pkgutil.get_data("packed", "text.txt") == b"packed"
        def test_named(): assert importlib.import_module("plugins.one").LIMIT == 1
        def test_named_again(): assert importlib.import_module("plugins.one").LIMIT == 1
        def test_name_of_run_time(): __import__("loaded")
        def test_path_of_a_module():
            spec = importlib.util.spec_from_file_location("other", "src/loaded.py")
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        def test_run_by_path(): runpy.run_path("src/loaded.py")
        def test_executed(): exec(open("src/loaded.py").read())
        def test_failing():
            import traceback
            try:
                raise ValueError
            except ValueError:
                traceback.format_exc()
    """,
}


def test_files_and_folders_are_recorded_however_they_are_read(make):
    tests = make(READS).recorded().tests

    seen = {name.partition("::test_")[2]: (sorted(one.files), sorted(one.folders)) for name, one in tests.items()}
    a = ["data/a.txt"]
    assert seen == {
        "nothing": ([], []),
        "open": (a, []),
        "path": (a, []),
        "absolute": (a, []),
        "os_open": (a, []),
        "elsewhere": (a, []),
        "missing": (["data/new.txt"], []),
        "written": (["data/out.txt"], []),
        "configured": (["data/logging.ini"], []),
        "native": (a, []),
        "child": (a, []),
        "outside": ([], []),
        "link": (["data/a.txt", "data/link.txt"], []),
        "listed": ([], ["data"]),
        "globbed": ([], ["data"]),
        "walked": ([], ["data", "data/b"]),
        "descriptor": (["data"], ["data"]),
        "plugins": ([], ["src/plugins"]),
        "database": (["data/some.db"], []),
        "package_data": (["src/packed/__init__.py", "src/packed/text.txt"], []),
        "named": (["src/plugins/one.py"], []),
        "named_again": (["src/plugins/one.py"], []),
        "name_of_run_time": (["src/loaded.py"], []),
        "path_of_a_module": (["src/loaded.py"], []),
        "run_by_path": (["src/loaded.py"], []),
        "executed": (["src/loaded.py"], []),
        "failing": ([], []),
    }


def test_what_an_import_reads_is_the_modules(make):
    modules = make(READS).recorded("-k", "nothing").modules

    assert modules["src/shop.py"].files == {"data/rates.csv", "data/b/c.txt"}
    assert modules["test_files.py"].files == set()


WIDE = {
    "src/shop.py": """
        def session(): pass
        def ended(): pass
        def module(): pass
        def shared(): pass
        def dynamic(): pass
        def each(value): pass
        def one(): pass
        def two(): pass
        def own(): pass
    """,
    "conftest.py": """
        import pytest, shop

        @pytest.fixture(scope="session")
        def session(shared):
            shop.session()
            yield
            shop.ended()

        @pytest.fixture(scope="session")
        def shared():
            shop.shared()

        @pytest.fixture(scope="session")
        def asked_for():
            shop.dynamic()

        @pytest.fixture(scope="session")
        def asks(request):
            request.getfixturevalue("asked_for")

        @pytest.fixture(scope="module", params=["one", "two"])
        def each(request):
            getattr(shop, request.param)()
    """,
    "test_wide.py": """
        import unittest
        import pytest, shop

        def setup_module():
            shop.module()

        @pytest.fixture(scope="session")
        def session(session):
            pass

        def test_first(session): shop.own()
        def test_second(session): pass
        def test_without(): pass
        def test_asks(asks): pass
        def test_asks_again(asks): pass
        def test_asks_itself(request): request.getfixturevalue("asks")
        def test_each(each): pass

        class TestCase(unittest.TestCase):
            @classmethod
            def setUpClass(cls): shop.one()
            @classmethod
            def tearDownClass(cls): shop.two()
            def test_first(self): pass
            def test_second(self): pass

        class TestOther:
            @classmethod
            def setup_class(cls): shop.two()
            def test_first(self): pass
            def test_second(self): pass
    """,
    "test_other.py": "def test_module_of_its_own(): pass\n",
}


def test_setups_are_credited_to_each_test_that_uses_them_and_to_no_other(make):
    tests = make(WIDE).recorded().tests

    ran = {name.removeprefix("test_wide.py::"): functions(touched) for name, touched in tests.items()}
    session = {"session", "shared", "ended", "module"}
    assert ran == {
        "test_first": {*session, "own"},
        "test_second": session,
        "test_without": {"module"},
        "test_asks": {"dynamic", "module"},
        "test_asks_again": {"dynamic", "module"},
        "test_asks_itself": {"dynamic", "module"},
        "test_each[one]": {"one", "module"},
        "test_each[two]": {"two", "module"},
        "TestCase::test_first": {"one", "two", "module"},
        "TestCase::test_second": {"one", "two", "module"},
        "TestOther::test_first": {"two", "module"},
        "TestOther::test_second": {"two", "module"},
        "test_other.py::test_module_of_its_own": set(),
    }
    assert "conftest.py::session" in tests["test_wide.py::test_second"].functions


PROCESSES = {
    "conftest.py": """
        import subprocess, sys
        import pytest

        @pytest.fixture(scope="module")
        def server():
            process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            yield
            process.communicate(b"\\n")
    """,
    "test_a.py": """
        import multiprocessing, os, platform, subprocess, sys
        import pytest

        def test_uses_server(server): pass
        def test_uses_server_again(server): pass
        def test_alone(): pass
        def test_popen(): subprocess.run(["git", "--version", "secret"])
        def test_shell(): os.system("true secret")
        def test_fork():
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
        def test_spawn():
            process = multiprocessing.get_context("spawn").Process(target=print)
            process.start()
            process.join()
        def test_machine(): platform.processor()
        def test_none(): pass
    """,
    "test_b.py": """
        import subprocess, sys
        left = []
        def test_leaves():
            left.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        def test_after(): pass
        def test_ends(): left[0].communicate(b"\\n")
        def test_long_after(): pass
    """,
}


def test_what_starts_a_process_is_opaque(make):
    tests = make(PROCESSES).recorded().tests

    python = f"starts a process ({Path(sys.executable).name})"
    stray = "a process that an earlier test started is still running"
    assert {name.partition("::")[2]: touched.opaque for name, touched in tests.items() if touched.opaque} == {
        "test_uses_server": python,
        "test_uses_server_again": python,
        "test_popen": "starts a process (git)",
        "test_shell": "starts a process (true)",
        "test_fork": "forks",
        "test_spawn": python,
        "test_leaves": python,
        "test_after": stray,
        "test_ends": stray,
    }


def test_modules_say_why_their_functions_cannot_be_followed(make):
    project = make(
        {
            "early.py": "def early(): pass\n",
            "pytest.ini": "[pytest]\naddopts = -p early\npythonpath = .\n",
            "src/accel.py": """
                def njit(function):
                    assert "__mltest_hits__" not in function.__code__.co_names
                    return function

                @njit
                def fast(): pass
            """,
            "src/jitter.py": "def add_jitter(): pass\ndef jittered(): add_jitter()\n",
            "src/threaded.py": "def later(): pass\nlater()\n",
            "src/native.so": "this is no library",
            "test_a.py": """
                import threading
                import accel, early, jitter, pytest

                def test_compiled(): accel.fast()
                def test_named_alike(): jitter.jittered()
                def test_early(): early.early()
                def test_thread():
                    def load(): import threaded
                    thread = threading.Thread(target=load)
                    thread.start()
                    thread.join()
                def test_native():
                    with pytest.raises(ImportError):
                        import native
            """,
        }
    )

    records = project.recorded(env={"PYTHONPATH": f"{project.plugins}:{project.root}:{project.root / 'src'}"})

    assert {name: touched.opaque for name, touched in records.modules.items() if touched.opaque} == {
        "early.py": "imported before it could be followed",
        "src/accel.py": "compiled by a decorator (njit)",
        "src/threaded.py": "imported in a thread",
        "src/native.so": "is machine code",
    }
    assert functions(records.tests["test_a.py::test_named_alike"], "src/jitter.py") == {"add_jitter", "jittered"}
    assert functions(records.tests["test_a.py::test_thread"], "src/threaded.py") == {"later"}


def test_modules_are_followed_however_they_are_loaded(make):
    project = make(
        {
            "src/lazy.py": "def one(): pass\n",
            "src/bare.py": "def one(): pass\n",
            "bin/script": "def one(): pass\n",
            "src/again.py": "def one(): pass\none()\n",
            "src/namespace/inner.py": "def one(): pass\n",
            "test_a.py": """
                import importlib.machinery, importlib.util, py_compile, sys, types
                import again, namespace.inner

                def test_lazy():
                    spec = importlib.util.find_spec("lazy")
                    loader = importlib.util.LazyLoader(spec.loader)
                    spec.loader = loader
                    module = importlib.util.module_from_spec(spec)
                    loader.exec_module(module)
                    module.one()

                def test_bare():
                    module = types.ModuleType("bare")
                    importlib.machinery.SourceFileLoader("bare", "src/bare.py").exec_module(module)
                    module.one()

                def test_script():
                    loader = importlib.machinery.SourceFileLoader("script", "bin/script")
                    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("script", loader))
                    loader.exec_module(module)
                    module.one()

                def test_reloaded():
                    importlib.reload(again)

                def test_inner():
                    namespace.inner.one()

                def test_without_source():
                    py_compile.compile("src/bare.py", cfile="src/only.pyc")
                    import only
                    only.one()
            """,
        }
    )

    records = project.recorded()

    ran = {name.partition("::test_")[2]: sorted(touched.functions) for name, touched in records.tests.items()}
    assert ran == {
        "lazy": ["src/lazy.py::one", "test_a.py::test_lazy"],
        "bare": ["src/bare.py::one", "test_a.py::test_bare"],
        "script": ["bin/script::one", "test_a.py::test_script"],
        "reloaded": ["src/again.py::one", "test_a.py::test_reloaded"],
        "inner": ["src/namespace/inner.py::one", "test_a.py::test_inner"],
        "without_source": ["test_a.py::test_without_source"],
    }
    assert records.modules["src/only.pyc"].opaque == "has no source"
    assert records.tests["test_a.py::test_script"].files == {"bin/script"}


def test_coverage_counts_the_lines_and_branches_that_it_counts_without(make):
    project = make(
        {
            "src/shop.py": """
                def documented():
                    "Only this."

                def decorated(flag):
                    "Documented."
                    @print_nothing
                    def inner():
                        return 1
                    if flag:
                        return inner()
                    return 2

                def print_nothing(function): return function

                def never():
                    return 3
            """,
            "test_a.py": """
                import shop
                def test_a():
                    shop.documented()
                    shop.decorated(True)
            """,
        }
    )
    counted = []
    for recording in (False, True):
        options = ("-p", "pytest_cov", "--cov=shop", "--cov-branch", "--cov-report=json")
        assert project.run(*options, recording=recording) == 0, project.output
        files = json.loads((project.root / "coverage.json").read_text())["files"]
        counted.append({name: {**file, "functions": None, "classes": None} for name, file in files.items()})

    assert counted[0] == counted[1]
    assert counted[0]["src/shop.py"]["summary"]["missing_lines"] == 2
    # It reads all files for its report: that is no test's doing.
    assert "src/shop.py" not in project.records().modules[""].files


def test_session_inside_a_test_is_the_tests(make):
    project = make(
        {
            "src/shop.py": "def one(): pass\n",
            "conftest.py": "pytest_plugins = ['pytester']\n",
            "test_a.py": """
                import shop
                def test_outer(pytester):
                    pytester.makepyfile("import shop\\ndef test_inner(): shop.one()")
                    pytester.runpytest_inprocess().assert_outcomes(passed=1)
                def test_after(): shop.one()
            """,
        }
    )

    tests = project.recorded().tests

    assert list(tests) == ["test_a.py::test_outer", "test_a.py::test_after"]
    assert [functions(touched) for touched in tests.values()] == [{"one"}, {"one"}]


def test_what_hooks_and_collection_touch_is_kept(make):
    project = make(
        {
            "src/shop.py": "def hooked(): pass\ndef cases(): return [1, 2]\ndef imported(): pass\n",
            "src/lazy.py": "import shop\nshop.imported()\n",
            "conftest.py": """
                import pytest, shop

                def pytest_configure(config):
                    shop.hooked()

                class Sheet(pytest.File):
                    def collect(self):
                        self.path.read_text()
                        yield Row.from_parent(self, name="row")

                class Row(pytest.Item):
                    def runtest(self): pass

                def pytest_collect_file(file_path, parent):
                    if file_path.suffix == ".sheet":
                        return Sheet.from_parent(parent, path=file_path)
            """,
            "table.sheet": "row",
            "test_a.py": """
                import pytest, shop

                @pytest.mark.parametrize("case", shop.cases())
                def test_case(case): pass

                def test_imports_first(): import lazy
                def test_imports_second(): import lazy
            """,
        }
    )

    records = project.recorded()

    assert functions(records.modules[""]) == {"hooked"}
    assert functions(records.modules["test_a.py"]) == {"cases"}
    assert records.modules["table.sheet"].files == {"table.sheet"}
    assert "table.sheet::row" in records.tests
    assert functions(records.modules["src/lazy.py"]) == {"imported"}
    assert functions(records.tests["test_a.py::test_imports_first"]) == {"imported"}


def test_crash_loses_the_test_that_crashed_and_no_other(make):
    project = make(
        {
            "src/shop.py": "def price(): return 1\n",
            "test_a.py": """
                import os, shop
                def test_before(): shop.price()
                def test_closes_everything():
                    os.closerange(3, 1000)
                    kept = [open(os.devnull) for _ in range(50)]
                def test_replaces(monkeypatch):
                    monkeypatch.setattr(os, "write", None)
                    monkeypatch.setattr(os, "open", None)
                def test_forks():
                    if os.fork():
                        os.wait()
                    # The child goes on as if it were pytest.
                def test_exits(): os._exit(3)
                def test_after(): pass
            """,
        }
    )

    # pytest's own capturing does not survive what closes everything.
    assert project.run("-s") == 3, project.output
    records = project.records()

    names = [name.partition("::test_")[2] for name in records.tests]
    assert names == ["before", "closes_everything", "replaces", "forks"]
    assert functions(records.tests["test_a.py::test_before"]) == {"price"}

    assert project.run("-k", "after or before") == 0, project.output
    assert "test_a.py::test_after" in project.records().tests


def test_workers_of_xdist_record_too(make):
    project = make(
        {
            "src/shop.py": "def one(): pass\ndef two(): pass\n",
            "conftest.py": "import shop\n",
            "test_a.py": """
                import os, pytest, shop
                @pytest.mark.xdist_group("left")
                def test_one():
                    shop.one()
                    assert "MLTEST_RECORD" not in os.environ
                @pytest.mark.xdist_group(name="right")
                def test_two(): shop.two()
            """,
        }
    )

    records = project.recorded("-p", "xdist", "-n", "2", "--dist", "loadgroup")

    ran = {name: functions(touched) for name, touched in records.tests.items()}
    assert ran == {"test_a.py::test_one": {"one"}, "test_a.py::test_two": {"two"}}
    assert not any(touched.opaque for touched in (*records.tests.values(), *records.modules.values()))


def test_compiled_code_is_found_again_in_another_checkout_and_replaced_when_damaged(make, tmp_path):
    files = {
        "src/shop.py": "def fail():\n    raise ValueError\n",
        "test_a.py": """
            import shop, pytest
            def test_fails():
                with pytest.raises(ValueError) as caught:
                    shop.fail()
                assert str(caught.traceback[-1].path).startswith(str(caught.traceback[0].path.parent))
        """,
    }
    project = make(files)
    first = project.recorded()
    entries = sorted(project.cache.iterdir())
    assert len(entries) == 2

    (tmp_path / "elsewhere").mkdir()
    other = Project(tmp_path / "elsewhere", files)
    other.cache = project.cache
    assert other.recorded() == first
    assert sorted(project.cache.iterdir()) == entries
    assert not list(other.root.glob("src/__pycache__/*")), "instrumented code never lies beside the project's"

    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-7] + b"damaged")
    assert other.recorded() == first


def test_interrupted_test_has_no_record(make):
    project = make({"test_a.py": "def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\n"})

    assert project.run() == 2
    assert list(project.records().tests) == ["test_a.py::test_a"]
