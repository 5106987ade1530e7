"""Edits that break tests by way of files, caches, fixtures, plugins and other processes."""

from __future__ import annotations

from benchmarks.code.scenarios import Scenario, edited

_STATE = "tests/traps/test_state.py::"
_KEPT = "tests/traps/test_kept.py::"

STATE_TRAPS = (
    edited(
        "function in a dictionary",
        "shop/actions.py",
        "return one + other",
        "return one * other + 9",
        f"{_STATE}test_functions_in_a_dictionary",
        "tests/traps/plus.sums::line0",
        "tests/traps/plus.sums::line1",
    ),
    edited(
        "dictionary of functions", "shop/actions.py", '"take": take', '"minus": take', f"{_STATE}test_names_of_actions"
    ),
    edited("file of variables", "shop.env", "MODE=test", "MODE=live", f"{_STATE}test_file_of_variables"),
    Scenario(
        name="new file whose presence is asked",
        edits={"beta.flag": "on\n"},
        failing=(f"{_STATE}test_flag_file_is_not_there",),
    ),
    edited(
        "function that makes a default", "shop/early.py", "return 5", "return 6", f"{_STATE}test_default_computed_early"
    ),
    edited(
        "function behind a cache made by hand",
        "shop/memo.py",
        "len(key)",
        "len(key) + 1",
        f"{_STATE}test_cache_by_hand",
        f"{_STATE}test_cache_by_hand_again",
    ),
    edited("text file of a package", "shop/mail/hello.txt", "Hello", "Bye", f"{_STATE}test_file_of_the_package"),
    edited(
        "function in a spawned process", "shop/pool.py", "number * 2", "number * 3", f"{_STATE}test_spawned_process"
    ),
    edited(
        "generic function",
        "shop/show.py",
        "int {value}",
        "integer {value}",
        f"{_STATE}test_generic_function",
        f"{_STATE}test_generic_function_of_another_module",
    ),
    edited(
        "generic function in another module",
        "shop/show_more.py",
        '"list "',
        '"many "',
        f"{_STATE}test_generic_function_of_another_module",
    ),
    edited(
        "generic function gets a nearer type",
        "shop/show.py",
        "def _(value: int):",
        "def _(value: bool):\n    return 'bool'\n\n\n@show.register(int)\ndef _other(value):\n    return 'number'\n\n\n"
        "@show.register\ndef _(value: float):",
        f"{_STATE}test_generic_function",
        f"{_STATE}test_generic_function_of_another_module",
    ),
    Scenario(
        name="new file in a folder of data",
        edits={"tests/traps/inputs/three.txt": "3\n"},
        failing=(f"{_STATE}test_inputs_in_a_folder",),
    ),
    Scenario(
        name="file in a folder of data is deleted",
        edits={"tests/traps/inputs/two.txt": None},
        failing=(f"{_STATE}test_inputs_in_a_folder",),
    ),
    edited(
        "method of a class that is known from a pickle",
        "shop/model.py",
        "weight * 2",
        "weight * 3",
        f"{_STATE}test_pickle",
    ),
    edited(
        "class that is known from a pickle is renamed",
        "shop/model.py",
        "class Model:",
        "class NewModel:",
        f"{_STATE}test_pickle",
    ),
    edited("pickle", "tests/traps/data/model.pkl", "I4", "I5", f"{_STATE}test_pickle"),
    edited("file with a version", "shop/VERSION", "1.4", "1.5", f"{_STATE}test_version_file"),
    edited(
        "fixture that awaits",
        "tests/traps/test_state.py",
        "        return 5\n",
        "        return 6\n",
        f"{_STATE}test_fixture_that_awaits",
    ),
    edited(
        "constant that gives a fixture's parameters",
        "tests/traps/conftest.py",
        '["web", "disk"]',
        '["web", "disk", "tape"]',
        f"{_STATE}test_source[tape]",
    ),
    edited(
        "fixture of a plugin that conftest.py names",
        "tests/traps/plugged.py",
        "return 9",
        "return 8",
        f"{_STATE}test_plugged",
    ),
    edited(
        "what a fixture's end calls",
        "tests/traps/conftest.py",
        'lines.pop() == "open"',
        'lines.pop() == "shut"',
        f"{_STATE}test_teardown",
    ),
    edited("file that a plugin collects", "tests/traps/plus.sums", "1 2 3", "1 2 4", "tests/traps/plus.sums::line0"),
    edited(
        "plugin that collects it",
        "tests/traps/yamls.py",
        "== int(result)",
        "== -int(result)",
        "tests/traps/plus.sums::line0",
        "tests/traps/plus.sums::line1",
    ),
    edited(
        "new hook in a conftest.py",
        "conftest.py",
        "pytest_plugins",
        "def pytest_runtest_setup(item):\n    if "
        "item.name == 'test_net':\n        raise ValueError\n\n\npytest_plugins",
        "tests/test_bodies.py::test_net",
    ),
    edited(
        "new autouse fixture in a conftest.py",
        "tests/traps/conftest.py",
        "def close(lines):",
        "@pytest.fixture(autouse=True)\ndef loud(request):\n    assert request.node.name != 'test_who'\n\n\n"
        "def close(lines):",
        f"{_STATE}test_who",
    ),
)


def _kept(name: str, path: str, old: str, new: str, *failing: str) -> Scenario:
    return edited(name, path, old, new, *(f"{_KEPT}{test}" for test in failing))


KEPT_TRAPS = (
    _kept(
        "statement that moves past another", "shop/ordered.py",
        'STEPS.append("pour")\nLAST = STEPS[-1]\n', 'LAST = STEPS[-1]\nSTEPS.append("pour")\n', "test_last_step",
    ),
    _kept(
        "functions that register themselves change places", "shop/ordered.py",
        'def wake():\n    return "wake"\n\n\n@every\ndef rise():\n    return "rise"\n',
        'def rise():\n    return "rise"\n\n\n@every\ndef wake():\n    return "wake"\n',
        "test_order_of_what_registers_itself",
    ),
    _kept("name in a table that a decorator fills", "shop/ordered.py", '"tea"', '"milk"', "test_name_in_a_table"),
    _kept("names in a class", "shop/registers.py", '"large"', '"big"', "test_name_of_a_class"),
    _kept("new __all__", "shop/shallows.py", "def height", '__all__ = ["length"]\n\n\ndef height', "test_measures"),
    _kept(
        "new name that a star import brings over another", "shop/shallows.py",
        "def height", "def depth():\n    return 9\n\n\ndef height", "test_measures",
    ),
    _kept(
        "function behind what a class keeps", "shop/keeping.py", "def made(key):\n    return len(key)",
        "def made(key):\n    return -len(key)", "test_kept_in_a_class", "test_kept_in_a_class_again",
    ),
    _kept("only object of a class", "shop/keeping.py", "return 5", "return 4", "test_only_one", "test_only_one_again"),
    _kept(
        "function behind what a default keeps", "shop/keeping.py", "def size(key):\n    return len(key)",
        "def size(key):\n    return -len(key)", "test_kept_in_a_default", "test_kept_in_a_default_again",
    ),
    _kept(
        "function behind a decorator that keeps", "shop/keeping.py", "return 2 * len(key)", "return 3 * len(key)",
        "test_kept_by_a_decorator", "test_kept_by_a_decorator_again",
    ),
    _kept("base of a class in an if", "shop/families.py", "legs = 4", "legs = 3", "test_legs"),
    _kept(
        "new child of a class whose children are asked for", "shop/families.py",
        "def kinds", "class Cat(Animal):\n    pass\n\n\ndef kinds", "test_kinds",
    ),
)  # fmt: skip
