"""How much memory does the model take to answer?"""

from __future__ import annotations

import ctypes
import gc
import math
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.checks.model.timing import Calls, drawn, named
from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.outcome import Case, Measurement, Outcome
from airflow_mltest.core.statistics import Interval, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltest.checks.model.subject import ModelSubject

_MIB = 2**20
_PROC = Path("/proc/self")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakMemory:
    """
    Answering a batch takes at most so much memory beyond what the process had before.

    The peak of the process's resident memory, set back before each call: what lies in shared
    libraries, NumPy and native code counts, too. The rows are there before, and do not count. What
    the first call loads for good (one row, asked before) does not count either.

    Each run is one call on other rows: it passes when none of them took more, fails when all did.

    Args:
        maximum_mib: The most that is allowed, in MiB (2**20 bytes).
        batch_rows: Rows a call, drawn with replacement.
        runs: How many calls.
    """

    maximum_mib: float
    batch_rows: int = 10_000
    runs: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.maximum_mib < math.inf:
            msg = f"PeakMemory: maximum_mib is above 0, not {self.maximum_mib}."
            raise ConfigurationError(msg)
        if self.batch_rows < 1 or self.runs < 1:
            msg = f"PeakMemory: batch_rows and runs are 1 or more, not {self.batch_rows} and {self.runs}."
            raise ConfigurationError(msg)

    def run(self, subject: ModelSubject) -> Case:
        """Ask, and see how high the memory went."""
        features, rng = subject.features, subject.rng()
        Calls(model=subject.model, batches=[features.iloc[:1]]).timed(0)
        added: list[Interval] = []
        for number in range(self.runs):
            pick = drawn(rng, len(features), batch_rows=self.batch_rows, calls=1)[0]
            calls = Calls(model=subject.model, batches=[features.iloc[pick]])
            added.append(peak_added_mib(partial(calls.timed, 0)))
            subject.progress(number + 1, self.runs)
        low, high = min(one.low for one in added), max(one.high for one in added)
        outcome = verdict(Interval(low=low, high=high, confidence=1.0), maximum=self.maximum_mib)
        detail = (
            f"between {low:,.4g} and {high:,.4g} MiB more in {self.runs} calls of {self.batch_rows:,} rows; "
            f"{self.maximum_mib:g} MiB allowed"
        )
        if outcome is Outcome.INCONCLUSIVE:
            detail += "; some calls took more and some did not, or this system cannot set its peak back"
        measurement = Measurement(
            name=named("peak_memory_mib", self.batch_rows),
            value=high if math.isfinite(high) else low,
            low=low if math.isfinite(high) else None,
            high=high if math.isfinite(high) else None,
            maximum=self.maximum_mib,
        )
        return Case(
            name=named("peak_memory", self.batch_rows), outcome=outcome, detail=detail, measurements=(measurement,)
        )


def peak_added_mib(call: Callable[[], object], *, proc: Path = _PROC) -> Interval:
    """
    Run *call*, and bound how far the process's resident memory rose above what it was before.

    Args:
        call: What to run; other threads' memory is counted with it.
        proc: The process's folder, `/proc/self` on Linux.

    Returns:
        MiB. Both ends are the same where the peak can be set back, as on Linux; elsewhere a peak below an
        earlier one is not seen.

    Raises:
        ConfigurationError: This system tells no peak at all.

    Source:
        proc_pid_clear_refs(5): writing 5 sets the peak, VmHWM, to the present size.
    """
    _tidy()
    back = _set_back(proc / "clear_refs")
    before, earlier = _status_kib(proc, "VmRSS"), _status_kib(proc, "VmHWM")
    if before is None or earlier is None:
        return _growth_mib(call)
    call()
    peak = _status_kib(proc, "VmHWM") or 0
    high = max(0, peak - before) / 1024
    return Interval(low=high if back or peak > earlier else 0.0, high=high, confidence=1.0)


def _growth_mib(call: Callable[[], object]) -> Interval:
    """Bound it by the greatest peak since the process began, where that is all there is."""
    try:
        import resource
    except ImportError as error:  # Windows
        msg = "this system does not tell how much memory a process took: run PeakMemory on Linux."
        raise ConfigurationError(msg) from error
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit / _MIB
    return Interval(low=grown, high=math.inf, confidence=1.0)


def _tidy() -> None:
    """Give memory that is free back to the system: a call that takes it again would seem to take nothing."""
    gc.collect()
    # The C library of GNU only; others give back by themselves, or not at all.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _set_back(clear_refs: Path) -> bool:
    try:
        clear_refs.write_text("5")
    except OSError:
        return False
    return True


def _status_kib(proc: Path, name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB$", (proc / "status").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None
