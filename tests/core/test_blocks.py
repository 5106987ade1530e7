import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.blocks import blocks_of, compare, outline

TEXT = '''
LIMIT = 3

def f(x, y=1):
    """Say."""
    def inner():
        return x
    return inner

class C:
    size = 2

    @property
    def m(self):
        return [x for x in range(self.size)]
'''


def test_bodies_are_called_as_python_calls_them():
    assert {"f", "f.<locals>.inner", "C.m"} <= blocks_of(TEXT).keys()


@pytest.mark.parametrize(
    "old, new",
    [
        ("3", "3  # three"),
        ('"""Say."""', '"""Say more."""'),
        ("y=1", "y = 1"),
        ("\n    return inner", "\n\n    return inner"),
    ],
)
def test_what_does_not_run_changes_no_block(old, new):
    before, after = dict(blocks_of(TEXT)), dict(blocks_of(TEXT.replace(old, new, 1)))

    assert before.pop("") != after.pop("")  # the text as a whole
    assert before == after


@pytest.mark.parametrize(
    "old, new, kept",
    [
        ("return x\n", "return -x\n", {"f", "C.m"}),
        ("return inner", "return None", {"f.<locals>.inner", "C.m"}),
        ("LIMIT = 3", "LIMIT = 4", {"f", "f.<locals>.inner", "C.m"}),
        ("y=1", "y=2", {"f.<locals>.inner", "C.m", "f"}),
        ("size = 2", "size = 5", {"f", "f.<locals>.inner", "C.m"}),
    ],
)
def test_change_stays_in_its_block(old, new, kept):
    before, after = blocks_of(TEXT), blocks_of(TEXT.replace(old, new, 1))

    assert before != after
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}


@given(st.text(max_size=60))
def test_any_text_has_blocks_and_the_same_each_time(text):
    assert blocks_of(text) == blocks_of(text)


def test_text_that_does_not_parse_differs_from_every_other():
    assert blocks_of("def f(:") != blocks_of("def f(: 1")
    assert blocks_of("def f(:") != blocks_of("def f(): pass")


@pytest.mark.parametrize(
    "one, other",
    [
        ("X = [1]\n", ["X.append(2)", "Y = X[-1]"]),
        ("A = 1\n", ["B = A", "A = 2"]),
        ("from n import g\n", ["from n import f", "def f(): return 1"]),
        ("", ["f = lambda: 2", "def f(): return 1"]),
        ("class C:\n", ["    f = lambda s: 2", "    def f(self): return 1"]),
        ("from r import reg\n", ["@reg\ndef a(): ...", "@reg\ndef b(): ..."]),
        ("from r import reg\n", ["A = reg(1)", "B = reg(2)"]),
        ("from r import app\n", ["@app.route('/')\ndef a(): ...", "@app.route('/b')\ndef b(): ..."]),
        ("A = 1\ndef f(): return A\n", ["B = f()", "A = 2"]),
        ("def g(): return 1\n", ["X = g()", "def g(): return 2"]),
        ("X = a()\n", ["X.append(1)", "X += [2]"]),
    ],
)
def test_statements_whose_order_matters_differ_in_another_order(one, other):
    before, after = (blocks_of(one + "\n".join(lines)) for lines in (other, other[::-1]))

    assert compare(before, after)


@pytest.mark.parametrize(
    "one, other",
    [
        ("import functools, pytest\n", ["@pytest.fixture\ndef a(): ...", "@pytest.fixture\ndef b(): ..."]),
        ("import functools\n", ["@functools.cache\ndef a(): ...", "@functools.cache\ndef b(): ..."]),
        ("from typing import TypeVar\n", ["T = TypeVar('T')", "U = TypeVar('U')"]),
        ("", ["def a(): return b()", "def b(): ..."]),
        ("", ["A = 1", "B = 2", "class C(D): ..."]),
        ("", ["import a", "from b import c"]),
        ("class C:\n", ["    @property\n    def a(self): ...", "    def b(self): ...", "    size = 1"]),
        ("from r import reg\n", ["@reg\ndef a(): ...", "def b(): ..."]),
    ],
)
def test_statements_whose_order_does_not_matter_do_not_differ(one, other):
    before, after = (blocks_of(one + "\n".join(lines)) for lines in (other, other[::-1]))

    assert not compare(before, after)


def test_class_in_a_compound_statement_owns_its_methods():
    pieces = outline(
        "if True:\n    class C(B):\n        def f(self): ...\n        class I:\n            def g(self): ...\n"
    )

    owners = {name: piece.owner for name, piece in pieces.items() if not name.endswith(" =")}
    assert owners == {"class C": "C", "C.f": "C", "class C.I": "C.I", "C.I.g": "C.I"}
