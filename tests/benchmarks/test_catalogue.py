"""A small part of `make bench-code`: real edits of a real project, recorded, collected and selected for real."""

import ast
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.code.catalogue import prepare
from benchmarks.code.mutants import draw
from benchmarks.code.runs import Warm
from benchmarks.code.scenarios import HARMLESS, PROJECT, REFERENCE
from benchmarks.code.state_traps import KEPT_TRAPS
from benchmarks.code.traps import TRAPS

SOURCES = {path.relative_to(PROJECT).as_posix(): path.read_text() for path in sorted(PROJECT.glob("shop/**/*.py"))}


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """The project, recorded once."""
    with Warm(sys.executable) as warm:
        yield prepare(warm, tmp_path_factory.mktemp("catalogue"), sys.executable, testmon=False)


def test_everything_passes_before_an_edit(judge):
    assert not judge.baseline.failed
    assert {test.id for test in judge.collected.tests} == set(judge.baseline.outcomes) == judge.records.tests.keys()


# Each takes a second: all of ours are in `make bench-code`.
@pytest.mark.parametrize(
    "scenario", [*REFERENCE, *TRAPS[::8], *KEPT_TRAPS], ids=lambda scenario: scenario.name.replace(" ", "-")
)
def test_each_test_that_an_edit_breaks_is_selected(judge, scenario):
    selected = judge.selected(scenario.apply)

    assert set(scenario.failing) <= selected


@pytest.mark.parametrize("scenario", HARMLESS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_an_edit_that_changes_nothing_selects_nothing(judge, scenario):
    assert not judge.selected(scenario.apply)


def test_of_a_body_that_changed_only_those_are_selected_that_ran_it_or_start_a_process(judge):
    net = next(scenario for scenario in REFERENCE if scenario.name == "function body")
    opaque = {test for test, touched in judge.records.tests.items() if touched.opaque}

    assert len(opaque) == 3
    assert judge.selected(net.apply) - opaque == set(net.failing)


@pytest.mark.parametrize("mutant", draw(SOURCES, 8, seed=3), ids=lambda mutant: mutant.where.replace(" ", "-"))
def test_each_test_that_a_mutation_breaks_is_selected(judge, mutant):
    judged = judge.judge(mutant.where, mutant.apply)

    assert not judged.missed("recorded")
    assert not judged.missed("static")


@given(st.integers(0, 1000))
def test_mutants_are_different_programs_and_the_same_for_a_seed(seed):
    drawn = draw(SOURCES, 5, seed)

    assert drawn == draw(SOURCES, 5, seed)
    for mutant in drawn:
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(ast.parse(SOURCES[mutant.path]))
