import sys

import numpy as np
import pytest

from airflow_mltest.checks.model.peak_memory import PeakMemory, peak_added_mib
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Outcome

linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak can be set back on Linux only")


def taking(rule, mib, *, a_row_kib=0):
    def answer(rows):
        held = [np.ones(int(mib * 2**17)), np.ones(len(rows) * a_row_kib * 2**7)]
        return np.zeros(len(rows)) + len(held)

    return rule(answer)


def status(folder, **kib):
    folder.mkdir(exist_ok=True)
    (folder / "status").write_text("".join(f"{name}:\t{value:8} kB\n" for name, value in kib.items()))


@linux
def test_what_numpy_takes_and_gives_back_is_seen_each_time(subject, rule):
    case = PeakMemory(maximum_mib=150, runs=2).run(subject(taking(rule, 200)))

    assert case.outcome is Outcome.FAILED
    assert case.measurements[0].low == pytest.approx(200, abs=10)
    assert case.measurements[0].value == pytest.approx(200, abs=10)


@linux
def test_frugal_model_passes(subject):
    case = PeakMemory(maximum_mib=50).run(subject())

    assert case.outcome is Outcome.PASSED
    assert case.name == "peak_memory[10000 rows]"


@linux
def test_larger_batches_take_more(subject, rule):
    model = taking(rule, 0, a_row_kib=1)

    small, large = (PeakMemory(maximum_mib=1000, batch_rows=n, runs=1).run(subject(model)) for n in (10_000, 100_000))

    assert small.measurements[0].value == pytest.approx(10, abs=6)
    assert large.measurements[0].value == pytest.approx(98, abs=12)


@linux
def test_a_hundred_thousand_rows_in_our_batches_take_no_more_than_one_batch_does(subject, rule, rows):
    asked = subject(taking(rule, 0, a_row_kib=1))
    many = asked.features.sample(100_000, replace=True, random_state=0)

    at_once = peak_added_mib(lambda: asked.model.predict(many))
    in_batches = peak_added_mib(lambda: asked.ask(many))

    assert in_batches.high < 0.75 * at_once.low


@linux
def test_runs_that_disagree_are_inconclusive(subject, rule):
    model = rule(lambda rows: np.zeros(len(rows)) + np.ones(int(len(model.asked) % 2 * 60 * 2**17 + 1))[0])

    case = PeakMemory(maximum_mib=30, runs=4).run(subject(model))

    assert case.outcome is Outcome.INCONCLUSIVE
    assert "some calls took more and some did not" in case.detail


@linux
def test_what_the_first_call_loads_does_not_count(subject, rule):
    kept = []
    model = rule(lambda rows: (kept or kept.append(np.ones(80 * 2**17)), np.zeros(len(rows)))[1])

    assert PeakMemory(maximum_mib=40).run(subject(model)).outcome is Outcome.PASSED


def test_model_that_raises_breaks_it_with_the_reason(subject, rule):
    def answer(rows):
        if len(rows) > 1:
            raise MemoryError
        return np.zeros(len(rows))

    with pytest.raises(ConfigurationError, match="MemoryError in timed call 1"):
        PeakMemory(maximum_mib=1).run(subject(rule(answer)))


def test_progress_is_told(subject):
    told = []
    PeakMemory(maximum_mib=100, batch_rows=10).run(subject(on_progress=lambda *done: told.append(done)))

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_new_peak_is_exact_also_where_it_cannot_be_set_back(tmp_path):
    status(tmp_path, VmHWM=2048, VmRSS=1024)
    (tmp_path / "clear_refs").mkdir()

    found = peak_added_mib(lambda: status(tmp_path, VmHWM=4096, VmRSS=1024), proc=tmp_path)

    assert (found.low, found.high) == (3, 3)


def test_peak_below_an_earlier_one_is_bounded_by_that(tmp_path):
    status(tmp_path, VmHWM=2048, VmRSS=1024)
    (tmp_path / "clear_refs").mkdir()

    found = peak_added_mib(lambda: None, proc=tmp_path)

    assert (found.low, found.high) == (0, 1)


@linux
def test_without_a_process_folder_growth_beyond_all_that_was_is_seen(tmp_path):
    import resource

    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = peak_added_mib(lambda: np.ones(int((peak_mib + 50) * 2**17)), proc=tmp_path / "none")

    assert found.low > 40
    assert found.high == np.inf


def test_system_that_tells_nothing_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)

    with pytest.raises(ConfigurationError, match="run PeakMemory on Linux"):
        peak_added_mib(lambda: None, proc=tmp_path / "none")


def test_unknown_peak_is_inconclusive(subject, monkeypatch):
    monkeypatch.setattr("airflow_mltest.checks.model.peak_memory.peak_added_mib", unknown)

    case = PeakMemory(maximum_mib=1).run(subject())

    assert case.outcome is Outcome.INCONCLUSIVE
    assert case.measurements[0].high is None
    assert "cannot set its peak back" in case.detail


def unknown(call):
    from airflow_mltest.core.statistics import Interval

    call()
    return Interval(low=0.0, high=np.inf, confidence=1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"maximum_mib": 0},
        {"maximum_mib": float("nan")},
        {"maximum_mib": 1, "runs": 0},
        {"maximum_mib": 1, "batch_rows": 0},
    ],
)
def test_arguments_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="PeakMemory"):
        PeakMemory(**wrong)
