import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltest.core.shards import TOGETHER, estimate, least_seconds, plan_shards


@st.composite
def suites(draw):
    """Files of tests with seconds, in the order in which pytest would collect them."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=15))
    files = {f"t{n}.py::test_{k}": f"t{n}.py" for n, size in enumerate(sizes) for k in range(size)}
    seconds = draw(st.lists(st.floats(1e-6, 1e3), min_size=len(files), max_size=len(files)))
    return files, dict(zip(files, seconds, strict=True))


def longest(shards, seconds):
    return max(sum(seconds[test] for test in shard.tests) for shard in shards)


@given(suites(), st.integers(1, 20))
def test_every_test_is_in_exactly_one_shard_and_none_is_empty(suite, count):
    files, seconds = suite
    shards = plan_shards(files, seconds, count)

    assert sorted(test for shard in shards for test in shard.tests) == sorted(files)
    assert len(shards) <= count
    assert all(shard.tests for shard in shards)


@given(suites(), st.integers(1, 20))
def test_shard_knows_its_files_and_seconds_and_keeps_the_order(suite, count):
    files, seconds = suite
    place = list(files)
    for shard in plan_shards(files, seconds, count):
        assert list(shard.tests) == sorted(shard.tests, key=place.index)
        assert shard.files == tuple(dict.fromkeys(files[test] for test in shard.tests))
        assert shard.seconds == pytest.approx(sum(seconds[test] for test in shard.tests))


@given(suites(), st.integers(1, 20))
def test_the_same_input_gives_the_same_shards(suite, count):
    assert plan_shards(*suite, count) == plan_shards(*suite, count)


@given(suites(), st.integers(1, 20))
def test_longest_shard_is_within_what_packing_the_longest_first_guarantees(suite, count):
    files, seconds = suite
    count = min(count, len(files))
    # 4/3 of the optimum (Graham), which is itself at most the longest test more than the lower bound.
    least_s = least_seconds(seconds.values(), count)
    assert longest(plan_shards(files, seconds, count), seconds) <= (4 / 3) * (least_s + max(seconds.values())) + 1e-6


@pytest.mark.parametrize("count", [1, 3, 7, 50])
def test_as_many_shards_as_asked_for_where_each_shortens_the_run(count):
    files = {f"t.py::test_{k}": "t.py" for k in range(50)}

    assert len(plan_shards(files, dict.fromkeys(files, 1.0), count)) == count


def test_files_stay_whole_where_that_balances_well():
    files = {f"t{n}.py::test_{k}": f"t{n}.py" for n in range(8) for k in range(10)}
    shards = plan_shards(files, dict.fromkeys(files, 0.1), 4)

    assert [len(shard.files) for shard in shards] == [2, 2, 2, 2]


def test_file_that_is_most_of_the_run_is_cut_between_neighbours():
    files = {f"big.py::test_{k:02}": "big.py" for k in range(40)} | {"small.py::test_x": "small.py"}
    shards = plan_shards(files, dict.fromkeys(files, 1.0), 4)

    assert longest(shards, dict.fromkeys(files, 1.0)) <= TOGETHER * 41 / 4 + 1
    for shard in shards:
        numbers = [int(test[-2:]) for test in shard.tests if test.startswith("big")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def realistic(seed):
    """Draw a suite as scientific packages have them: few tests hold most of the time, relatives are alike."""
    rng = random.Random(seed)  # noqa: S311  a simulation
    files, seconds = {}, {}
    for n in range(100):
        file_s = rng.lognormvariate(-4, 1.8)
        for k in range(max(1, int(rng.lognormvariate(1, 0.8)))):
            function_s = file_s * rng.lognormvariate(0, 1)
            for p in range(5):
                test = f"t{n}.py::test_{k}[{p}]"
                files[test], seconds[test] = f"t{n}.py", function_s * rng.lognormvariate(0, 0.4)
    return files, seconds


@pytest.mark.parametrize("count", [2, 4, 8, 16])
@pytest.mark.parametrize("seed", range(5))
def test_recorded_durations_balance_within_five_percent_and_files_are_rarely_visited_twice(seed, count):
    files, seconds = realistic(seed)
    shards = plan_shards(files, seconds, count)

    assert longest(shards, seconds) <= TOGETHER * least_seconds(seconds.values(), count)
    if count <= 8:
        assert sum(len(shard.files) for shard in shards) <= 1.2 * len(set(files.values()))


def test_noise_and_unknown_tests_cost_a_quarter_at_most():
    rng = random.Random(0)  # noqa: S311  a simulation
    ratios = []
    for seed in range(10):
        files, seconds = realistic(seed)
        known = {test: s * rng.lognormvariate(0, 0.3) for test, s in seconds.items() if rng.random() > 0.1}
        shards = plan_shards(files, estimate(files, known), 8)
        ratios.append(longest(shards, seconds) / least_seconds(seconds.values(), 8))

    assert statistics.mean(ratios) <= 1.25


def test_unknown_test_is_taken_for_its_nearest_relatives():
    durations = {"a.py::test_x[1]": 4.0, "a.py::test_x[2]": 6.0, "a.py::test_y": 0.5, "b.py::test_z": 1.5}
    names = ["a.py::test_x[1]", "a.py::test_x[3]", "a.py::test_new", "b.py::test_new", "c.py::test_new"]
    guesses = estimate({name: name.partition("::")[0] for name in names}, durations)

    assert guesses["a.py::test_x[1]"] == 4.0
    assert guesses["a.py::test_x[3]"] == 5.0
    assert guesses["a.py::test_new"] == pytest.approx(3.5)
    assert guesses["b.py::test_new"] == 1.5
    assert guesses["c.py::test_new"] == 3.0


@pytest.mark.parametrize("nonsense", [0.0, -1.0, float("nan"), float("inf")])
def test_duration_that_cannot_be_is_not_known(nonsense):
    assert estimate({"a.py::x": "a.py", "a.py::y": "a.py"}, {"a.py::x": nonsense, "a.py::y": 2.0})["a.py::x"] == 2.0


def test_nothing_to_run_is_no_shard():
    assert plan_shards({}, {}, 4) == []
    assert estimate({}, {"a": 1.0}) == {}
