"""More edits that break tests, written to break our own selection."""

from __future__ import annotations

from benchmarks.code.scenarios import Scenario, edited
from benchmarks.code.state_traps import KEPT_TRAPS, STATE_TRAPS

_IMPORTS = "tests/traps/test_imports.py::"
_CLASSES = "tests/traps/test_classes.py::"


_ABOUT_IMPORTS = (
    Scenario(
        name="file that is imported late is deleted",
        edits={"shop/legacy.py": None},
        failing=(f"{_IMPORTS}test_late_import",),
    ),
    Scenario(
        name="module is renamed",
        edits={"shop/left.py": None, "shop/port.py": "import shop.right\n\n\ndef ping(times):\n    return []\n"},
        failing=("tests/traps/test_imports.py",),
    ),
    Scenario(
        name="new conftest.py overrides a fixture",
        edits={
            "tests/traps/sub/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef who():\n    return 'sub'\n",
        },
        failing=("tests/traps/sub/test_sub.py::test_who_is_asked_here",),
    ),
    edited("function behind an entry point", "shop/codecs.py", "<{value}>", "[{value}]", f"{_IMPORTS}test_entry_point"),
    edited(
        "entry point itself", "pyproject.toml", "shop.codecs:encode", "shop.points:load", f"{_IMPORTS}test_entry_point"
    ),
    edited(
        "name that a test replaces by a string",
        "shop/net.py",
        "def fetch(url):",
        "def get(url):",
        f"{_IMPORTS}test_replaced_by_its_name",
    ),
    edited(
        "end of a chain of star imports", "shop/stars/core.py", "return 1", "return 3", f"{_IMPORTS}test_star_imports"
    ),
    edited(
        "__all__ at the end of that chain",
        "shop/stars/core.py",
        '["core"]',
        '["core", "hidden"]',
        f"{_IMPORTS}test_what_a_star_import_leaves_out",
    ),
    edited("modules that import each other", "shop/right.py", '"pong"', '"pang"', f"{_IMPORTS}test_circle"),
    Scenario(
        name="new module that an import was tried for",
        edits={"shop/_fast.py": "def speed():\n    return 'fast'\n"},
        failing=(f"{_IMPORTS}test_faster_module",),
    ),
    edited(
        "__getattr__ of a module",
        "shop/lazy.py",
        "return 42",
        "return 43",
        "tests/traps/test_imports.py::test_attribute_of_a_module_on_demand",
    ),
    edited(
        "module on a path that a conftest.py adds",
        "tools/toolbox.py",
        "hammer",
        "saw",
        f"{_IMPORTS}test_path_that_a_conftest_adds",
    ),
    edited(
        "constant of a script that is run by its path",
        "scripts/job.py",
        "RESULT = 6",
        "RESULT = 5",
        f"{_IMPORTS}test_script_run_by_its_path",
    ),
    edited(
        "function that registers itself",
        "shop/steps/brew.py",
        '"tea"',
        '"coffee"',
        f"{_IMPORTS}test_steps_that_register_themselves",
    ),
    Scenario(
        name="new module that registers itself",
        edits={
            "shop/steps/stir.py": "from shop.steps import step\n\n\n@step('stir')\ndef stir():\n    return 'spoon'\n",
        },
        failing=(f"{_IMPORTS}test_steps_that_register_themselves",),
    ),
    edited(
        "effect of an import on another module",
        "shop/effects.py",
        '"extra"] = 3',
        '"extra"] = 4',
        f"{_IMPORTS}test_effect_of_an_import_elsewhere",
    ),
)

_ABOUT_CLASSES = (
    edited(
        "new subclass in a registry",
        "shop/handlers.py",
        "class Mail(Handler):",
        "class Fax(Handler):\n    pass\n\n\nclass Mail(Handler):",
        f"{_CLASSES}test_registry_of_subclasses",
    ),
    edited(
        "property overridden in a subclass",
        "shop/handlers.py",
        "class Mail(Handler):\n    pass",
        "class Mail(Handler):\n    @property\n    def label(self):\n        return 'mail'",
        f"{_CLASSES}test_property_of_a_subclass",
    ),
    edited(
        "override removed",
        "shop/handlers.py",
        "class Phone(Handler):\n    def size(self):\n        return 2",
        "class Phone(Handler):\n    pass",
        f"{_CLASSES}test_override",
    ),
    edited(
        "override added",
        "shop/handlers.py",
        "class Mail(Handler):\n    pass",
        "class Mail(Handler):\n    def size(self):\n        return 3",
        f"{_CLASSES}test_no_override",
        f"{_CLASSES}TestOldStyle::test_first",
        f"{_CLASSES}TestOldStyle::test_second",
    ),
    edited(
        "default of a field", "shop/records.py", "count: int = 1", "count: int = 2", f"{_CLASSES}test_field_default"
    ),
    edited(
        "new abstract method",
        "shop/records.py",
        'return "book"',
        'return "book"\n\n\n@Store.register\nclass Other:\n    pass\n\n\nShelf.__abstractmethods__ = {"put"}',
        f"{_CLASSES}test_abstract_class",
        f"{_CLASSES}TestShelf::test_gives_something",
    ),
    edited(
        "new abstract method in the base class",
        "shop/records.py",
        '"""Give it."""',
        '"""Give it."""\n\n    @abstractmethod\n    def put(self):\n        """Take it."""',
        f"{_CLASSES}test_abstract_class",
        f"{_CLASSES}TestShelf::test_gives_something",
    ),
    edited("field of a named tuple", "shop/records.py", "y: int = 0", "y: int = 1", f"{_CLASSES}test_named_tuple"),
    edited(
        "member of an enumeration",
        "shop/records.py",
        "BLUE = 2",
        "BLUE = 2\n    GREEN = 3",
        f"{_CLASSES}test_enumeration",
    ),
    edited("metaclass", "shop/metas.py", "name.lower()", "name.upper()", f"{_CLASSES}test_metaclass"),
    edited(
        "method in the way to the base's",
        "shop/mixins.py",
        "class Loud:\n    pass",
        "class Loud:\n    def who(self):\n        return 'loud'",
        f"{_CLASSES}test_order_of_bases",
    ),
    edited(
        "method called by a computed name",
        "shop/query.py",
        "node + 1",
        "node + 2",
        f"{_CLASSES}test_method_by_computed_name",
    ),
    edited(
        "new __getattribute__ that shadows all",
        "shop/query.py",
        "class Visitor:",
        "class Visitor:\n    def __getattribute__(self, name):\n        raise AttributeError(name)\n",
        f"{_CLASSES}test_method_by_computed_name",
    ),
    edited(
        "inherited test", "tests/traps/contract.py", '"book"', '"page"', f"{_CLASSES}TestShelf::test_gives_something"
    ),
    edited(
        "what setUpClass calls",
        "shop/handlers.py",
        "return 1",
        "return 4",
        f"{_CLASSES}test_no_override",
        f"{_CLASSES}TestOldStyle::test_first",
        f"{_CLASSES}TestOldStyle::test_second",
    ),
)

TRAPS = (*_ABOUT_IMPORTS, *_ABOUT_CLASSES, *STATE_TRAPS, *KEPT_TRAPS)
