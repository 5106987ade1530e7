import json

import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.reports.suite_file import write_suite

UNIQUE = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "schlüssel"}}
BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x", "min_value": 0, "max_value": 1.5}}
FACTS = {"rows": 20, "columns": 2, "margin": 0.1}


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "new" / "suite.json"
    write_suite(file, [UNIQUE, BETWEEN], FACTS)
    return file


def edited(file, change):
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    file.write_text(json.dumps(document), encoding="utf-8")


def test_file_holds_the_expectations_in_order_and_what_they_were_learned_from(file):
    document = json.loads(file.read_text(encoding="utf-8"))

    assert document["expectations"] == [UNIQUE, BETWEEN]
    assert document["meta"]["mltest"].pop("digest").startswith("sha256:")
    assert document["meta"]["mltest"] == FACTS


def test_same_lessons_give_the_same_bytes_and_another_value_changes_two_lines(file, tmp_path):
    again, other = tmp_path / "again.json", tmp_path / "other.json"
    write_suite(again, [UNIQUE, BETWEEN], FACTS)
    write_suite(other, [UNIQUE, {**BETWEEN, "kwargs": {**BETWEEN["kwargs"], "max_value": 2.0}}], FACTS)
    lines = [path.read_text(encoding="utf-8").splitlines() for path in (file, other)]

    assert file.read_bytes() == again.read_bytes()
    assert file.read_bytes().endswith(b"}\n")
    assert "schlüssel" in file.read_text(encoding="utf-8")
    assert [one.split(":")[0].strip() for one, two in zip(*lines, strict=True) if one != two] == [
        '"max_value"',
        '"digest"',
    ]


def test_file_that_nobody_edited_is_replaced_whole(file):
    edited(file, lambda document: None)  # another layout is no edit
    write_suite(file, [BETWEEN], FACTS)

    assert json.loads(file.read_text(encoding="utf-8"))["expectations"] == [BETWEEN]
    assert [path.name for path in file.parent.iterdir()] == ["suite.json"]


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["expectations"].pop(),
        lambda document: document["expectations"][1]["kwargs"].update(max_value=2.5),
        lambda document: document["expectations"][0].update(severity="warning"),
        lambda document: document["expectations"].reverse(),
        lambda document: document.update(name="mine"),
        lambda document: document["meta"].update(owner="me"),
    ],
)
def test_edited_file_is_kept_and_told_what_to_do(file, change):
    edited(file, change)
    before = file.read_bytes()

    with pytest.raises(ConfigurationError, match=r"suite.json was edited .* another file \(--out\) .* or delete it"):
        write_suite(file, [UNIQUE], FACTS)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b"\xff", b"{}", b'{"meta": {"mltest": {}}}', b'{"meta": {"mltest": 1}}', b"1", b""]
)
def test_file_of_another_kind_is_kept(file, content):
    file.write_bytes(content)

    with pytest.raises(ConfigurationError, match="is no suite that was learned, and is not overwritten"):
        write_suite(file, [UNIQUE], FACTS)
    assert file.read_bytes() == content


def test_what_cannot_be_written_leaves_the_file_and_nothing_beside_it(file):
    before = file.read_bytes()

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_suite(file, [{"type": "x", "kwargs": {"min_value": float("nan")}}], FACTS)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["suite.json"]
