import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.records import (
    Records,
    Touched,
    merge,
    records_from_document,
    records_of,
    records_to_document,
)

TEXTS = {"a.py": "one", "b.py": "two", "test_a.py": "three", "test_b.py": "four"}
names = st.sampled_from(["a.py::f", "a.py::C.m", "b.py::f.<locals>.g", "test_a.py::test_x", "gone.py::f"])
paths = st.sampled_from(["data/x.csv", "data/y.csv", "data", ".", "tests"])
touched = st.builds(
    Touched,
    functions=st.frozensets(names),
    files=st.frozensets(paths),
    folders=st.frozensets(paths),
    opaque=st.sampled_from(["", "forks", "starts a process (git)"]),
)
tests = st.dictionaries(
    st.sampled_from(["test_a.py::test_x", "test_a.py::T::test_y[1::2]", "doc.rst::doc.rst"]), touched
)
modules = st.dictionaries(st.sampled_from(["", "a.py", "b.py", "test_a.py"]), touched)
known = st.dictionaries(st.sampled_from(["one", "two"]), st.sampled_from(["1f", "2e"]), min_size=1)


@st.composite
def records(draw, blocks=known):
    found = Records(environment="e", commit="c", tests=draw(tests), modules=draw(modules))
    files = {
        name.partition("::")[0] for one in (*found.tests.values(), *found.modules.values()) for name in one.functions
    }
    files |= found.modules.keys() - {""}
    return replace(found, blocks={file: draw(blocks) for file in sorted(files - {"gone.py"})})


def lines(*told):
    return [json.dumps(one) for one in ({"recorder": 1}, *told)]


def read(*processes, **more):
    return records_of(
        processes, environment="e", commit="c", read=TEXTS.get, blocks_of=lambda text: {"all": text}, **more
    )


def test_tests_and_modules_are_read_with_the_blocks_of_their_files():
    found = read(
        lines(
            {"function": [0, "a.py", "C.m"]},
            {"module": "b.py", "functions": [0], "files": ["rates.csv"]},
            {"module": "", "functions": []},
            {"function": [7, "gone.py", "f"]},
            {"test": "test_a.py::test_x", "functions": [0, 7], "folders": ["data"], "opaque": "forks"},
        )
    )

    assert found == Records(
        environment="e",
        commit="c",
        blocks={"a.py": {"all": "one"}, "b.py": {"all": "two"}},
        tests={
            "test_a.py::test_x": Touched(
                functions=frozenset({"a.py::C.m", "gone.py::f"}), folders=frozenset({"data"}), opaque="forks"
            )
        },
        modules={"b.py": Touched(functions=frozenset({"a.py::C.m"}), files=frozenset({"rates.csv"})), "": Touched()},
    )


def test_setups_are_credited_with_their_teardown_and_with_the_setups_that_they_used():
    found = read(
        lines(
            {"function": [0, "a.py", "f"]},
            {"setup": "inner", "functions": [0], "opaque": "forks"},
            {"setup": "outer", "files": ["x"], "setups": ["inner"]},
            {"test": "uses", "setups": ["outer"], "opaque": "starts a process (git)"},
            {"test": "does not"},
            {"setup": "outer", "files": ["ended"]},
        )
    ).tests

    assert found["uses"] == Touched(
        functions=frozenset({"a.py::f"}),
        files=frozenset({"x", "ended"}),
        opaque="forks; starts a process (git)",
    )
    assert found["does not"] == Touched()


def test_setups_that_use_each_other_end():
    found = read(
        lines({"setup": "a", "setups": ["b"]}, {"setup": "b", "setups": ["a"]}, {"test": "t", "setups": ["a"]})
    )

    assert found.tests == {"t": Touched()}


def test_numbers_and_setups_are_those_of_one_process():
    first = lines({"function": [0, "a.py", "f"]}, {"setup": "s", "files": ["x"]}, {"test": "one", "functions": [0]})
    second = lines({"function": [0, "b.py", "g"]}, {"setup": "s", "files": ["y"]})
    second += [json.dumps({"test": "two", "functions": [0], "setups": ["s"]})]

    # Apart, and in one file: a number of processes comes again.
    for processes in ([first, second], [first + second]):
        found = read(*processes).tests
        assert found["one"].functions == {"a.py::f"}
        assert found["two"] == Touched(functions=frozenset({"b.py::g"}), files=frozenset({"y"}))


def test_test_that_ran_again_touched_what_either_run_did():
    again = lines({"test": "t", "files": ["x"]}, {"test": "t", "folders": ["y"]})

    assert read(again, lines({"test": "t", "opaque": "forks"})).tests == {
        "t": Touched(files=frozenset({"x"}), folders=frozenset({"y"}), opaque="forks")
    }


@pytest.mark.parametrize("damage", ['{"test": "b", "fi', "", "[]", "nonsense", '{"other": 1}', '"text"'])
def test_line_that_is_torn_is_passed_over(damage):
    assert read([*lines({"test": "a"}), damage]).tests == {"a": Touched()}


def test_test_whose_functions_or_setups_were_lost_is_opaque():
    found = read(lines({"test": "a", "functions": [3]}, {"test": "b", "setups": ["lost"]})).tests

    assert {touched.opaque for touched in found.values()} == {"its record is damaged"}


@given(records())
def test_document_gives_back_what_it_was_given(found):
    document = json.loads(json.dumps(records_to_document(found), allow_nan=False))

    assert records_from_document(document) == found


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"schema": "other"},
        {"touched": None},
        {"touched": [[[5], [], [], ""]]},
        {"touched": [[["x"], [], [], ""]]},
        {"tests": {"a": 1}},
        {"tests": {"a": {"": 99}}},
        {"blocks": []},
        {"functions": [1]},
    ],
)
def test_document_that_is_damaged_or_of_another_version_is_none(change):
    found = Records(tests={"a": Touched(functions=frozenset({"a.py::f"}))})

    assert records_from_document(records_to_document(found)) == found
    assert records_from_document({**records_to_document(found), **change}) is None


@pytest.mark.parametrize("document", [None, [], "text", {}, 3])
def test_what_is_no_document_is_none(document):
    assert records_from_document(document) is None


def test_document_says_each_name_once():
    """As many tests, modules and pairs as networkx has, whose classes mostly touch the same."""
    functions = [f"package/module_{number // 12}.py::Class{number % 3}.method_{number}" for number in range(7000)]
    found = Records(
        tests={
            f"package/tests/test_{number // 25}.py::TestClass{number // 8}::test_something_{number}": Touched(
                functions=frozenset(functions[(number // 8 * 97 + step * step) % 7000] for step in range(15))
                | {functions[number]}
            )
            for number in range(2656)
        },
    )

    text = json.dumps(records_to_document(found)).encode()

    assert len(text) <= 600_000
    assert len(gzip.compress(text)) <= 60_000


@given(st.lists(records(), min_size=1, max_size=4), st.randoms())
def test_merge_loses_nothing_and_does_not_depend_on_the_order(parts, random):
    merged = merge(parts)

    for part in parts:
        for test, touched in part.tests.items():
            assert merged.tests[test] == merged.tests[test] | touched
        for module, touched in part.modules.items():
            assert merged.modules[module] == merged.modules[module] | touched
    shuffled = random.sample(parts, len(parts))
    assert merge(shuffled) == merged
    assert merge([merge(parts[:1]), *parts[1:]]) == merged
    assert merge([merged, *parts]) == merged


@given(st.lists(records(), min_size=1, max_size=4))
def test_merge_knows_a_file_only_if_all_that_met_it_agree(parts):
    for file in {file for part in parts for file in part.blocks}:
        met = [part for part in parts if file in part.blocks]
        agree = all(part.blocks[file] == met[0].blocks[file] for part in met)
        assert merge(parts).blocks.get(file) == (met[0].blocks[file] if agree else None)


def test_records_of_several_commits_or_environments_cannot_be_merged():
    with pytest.raises(ConfigurationError, match="2 of 2"):
        merge([Records(commit="a"), Records(commit="b")])
    with pytest.raises(ConfigurationError, match="2 of 2"):
        merge([Records(environment="a"), Records(environment="b")])
    with pytest.raises(ConfigurationError, match="0 of 0"):
        merge([])
