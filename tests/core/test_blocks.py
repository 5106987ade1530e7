import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.blocks import blocks_of

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
