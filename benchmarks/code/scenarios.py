"""Edits that break tests in a way that a tool may not see: the reference's 23, and those in `traps.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).with_name("project")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    One edit of the project.

    Args:
        name: What is edited.
        edits: Path -> (old text, new text) of a part; a whole text; or None: the file is deleted.
        failing: Node ids that fail after it, and files that can no longer be collected.
    """

    name: str
    edits: Mapping[str, tuple[str, str] | str | None]
    failing: tuple[str, ...] = ()

    def apply(self, folder: Path) -> None:
        """Edit the copy of the project in *folder*."""
        for name, edit in self.edits.items():
            path = folder / name
            if edit is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            text = edit
            if isinstance(edit, tuple):
                before = path.read_text(encoding="utf-8")
                if before.count(edit[0]) != 1:
                    msg = f"{self.name}: {edit[0]!r} is {before.count(edit[0])} times in {name}, not once"
                    raise ValueError(msg)
                text = before.replace(*edit)
            path.write_text(str(text), encoding="utf-8")


def _of(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{file}.py::{name}" for name in names)


def edited(name: str, path: str, old: str, new: str, *failing: str) -> Scenario:
    """Put *new* in the place of *old*, once, in one file."""
    return Scenario(name=name, edits={path: (old, new)}, failing=failing)


_CATALOG = (
    *_of("test_fixtures", "test_catalog_has_tea", "test_catalog_has_milk"),
    *_of("test_more_fixtures", "test_catalog_in_another_file"),
)
_USER = (
    *_of("test_fixtures", "test_user_is_known", "test_user_is_grown_up"),
    *_of("test_more_fixtures", "test_user_in_another_file"),
)

REFERENCE = (
    edited("function body", "shop/prices.py", "gross // 5", "gross // 4", *_of("test_bodies", "test_net")),
    edited(
        "function fixture", "tests/conftest.py", '["tea", "milk"]', '["tea"]',
        *_of("test_bodies", "test_function_fixture"),
    ),
    edited(
        "decorator, what runs at a call", "shop/loud.py", '+ "!"', '+ "?"',
        *_of("test_bodies", "test_what_a_decorator_adds_to_a_call"),
    ),
    edited("default argument", "shop/prices.py", "rate=2", "rate=3", *_of("test_bodies", "test_default_argument")),
    edited("thread", "shop/worker.py", "append(42)", "append(43)", *_of("test_bodies", "test_thread")),
    edited("helper of tests", "tests/shared.py", "return 5", "return 6", *_of("test_bodies", "test_helper")),
    edited(
        "decorator, what runs at import", "shop/loud.py", 'mark = "loud"', 'mark = "quiet"',
        *_of("test_bodies", "test_what_a_decorator_does_at_import"),
    ),
    edited("constant", "shop/rates.py", "RATE = 19", "RATE = 20", *_of("test_constants", "test_constant")),
    edited("function that a session fixture calls", "shop/catalog.py", '"tea": 3', '"tea": 4', *_CATALOG),
    edited("session fixture", "tests/conftest.py", '{"user": "ann", "age": 40}', '{"user": "", "age": 41}', *_USER),
    edited(
        "module fixture", "tests/test_fixtures.py", '"open": True', '"open": False',
        *_of("test_fixtures", "test_till_is_open", "test_till_has_coins"),
    ),
    edited(
        "function with lru_cache", "shop/exchange.py", '"EUR": 1', '"EUR": 2',
        *_of("test_more_fixtures", "test_euro", "test_dollar", "test_dollar_is_more_than_a_euro"),
    ),
    edited(
        "class attribute", "shop/shapes.py", "sides = 4", "sides = 5",
        *_of("test_constants", "test_class_attribute", "test_inherited_class_attribute"),
    ),
    edited(
        "function that makes a constant at import", "shop/computed.py", "number * number", "number + number",
        *_of("test_constants", "test_constant_computed_at_import"),
    ),
    edited(
        "function that gives parameters", "shop/cases.py", "(2, 4)", "(2, 5)",
        *_of("test_constants", "test_parameters_from_a_function[two]"),
    ),
    edited("forked child", "shop/worker.py", "return 7", "return 8", *_of("test_bodies", "test_forked_child")),
    edited(
        "data file read in a test", "tests/data/prices.csv", "tea,3", "tea,4", *_of("test_files", "test_data_file")
    ),
    edited("golden file", "tests/golden/receipt.txt", "5", "6", *_of("test_files", "test_golden_file")),
    edited(
        "data file read at import", "shop/settings.json", "EUR", "USD", *_of("test_files", "test_file_read_at_import")
    ),
    edited(
        "module imported by a string", "shop/backends/disk.py", "on disk", "in memory",
        *_of("test_files", "test_import_by_string"),
    ),
    edited("module run by a subprocess", "shop/report.py", "total 5", "total 6", *_of("test_files", "test_subprocess")),
    Scenario(
        name="new file in a folder of plugins",
        edits={"shop/plugins/bonus.py": '"""A plugin."""\n'},
        failing=_of("test_files", "test_plugin_folder"),
    ),
    edited(
        "option in pytest.ini", "pytest.ini", "testpaths = tests", "testpaths = tests\nfilterwarnings = error",
        *_of("test_files", "test_that_warns"),
    ),
)  # fmt: skip

HARMLESS = (
    edited("comment only", "shop/prices.py", "# The rate is", "# The rate of taxes is"),
    edited("docstring only", "shop/catalog.py", "made once a session", "made one time a session"),
    edited("docstring of a function only", "shop/prices.py", "What is left", "The rest"),
    edited("blank lines only", "shop/rates.py", "RATE = 19\n", "\n\nRATE = 19\n\n\n"),
    edited("README only", "README.md", "Not an example", "No example"),
)
