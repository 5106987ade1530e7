import pytest

from airflow_mltest.reports.clusters import Failure, clusters, normalised


def failure(said, test="t", run="r"):
    return Failure(dag_id="d", run_id=run, task_id="unit", test=test, said=said)


@pytest.mark.parametrize(
    "one, two",
    [
        ("expected 3, got 17", "expected -4.5e-3, got 0"),
        ("no file '/data/a.csv'", 'no file "/data/b.csv"'),
        ("cannot open /data/2026/a.csv", "cannot open /data/2027/b.csv"),
        ("<Thing at 0x7f3a9c> is closed", "<Thing at 0x7f0000> is closed"),
        ("commit 3f93c92e is gone", "commit 8b83b341 is gone"),
        ("run 123e4567-e89b-12d3-a456-426614174000 died", "run 00000000-e89b-12d3-a456-426614174001 died"),
        ("same\nbut for this", "same\nand for that"),
        ("many   spaces", " many spaces "),
    ],
)
def test_messages_that_differ_in_numbers_names_and_addresses_are_one(one, two):
    assert normalised(one) == normalised(two)


@pytest.mark.parametrize(
    "one, two",
    [
        ("the model defaced the wall", "the model decade the wall"),
        ("timeout", "refused"),
        ("a is not b", "a is b"),
        ("", "x"),
    ],
)
def test_messages_that_say_something_else_are_two(one, two):
    assert normalised(one) != normalised(two)


def test_most_frequent_message_comes_first_with_how_many_tests_it_is_of():
    found = clusters(
        [failure("refused"), failure("took 3 s", "a"), failure("took 4 s", "a", "r2"), failure("took 5 s")]
    )

    assert [(one.message, len(one.failures), one.tests) for one in found] == [("took # s", 3, 2), ("refused", 1, 1)]


def test_message_without_end_costs_no_time():
    assert len(normalised("'" * 100_000 + "/a" * 100_000 + "f" * 100_000)) <= 200
