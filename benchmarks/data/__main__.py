"""Measure what is promised of data tests, beside what others do: `python -m benchmarks.data [section ...]`."""

from __future__ import annotations

import sys

from benchmarks.sections import run

if __name__ == "__main__":
    sys.exit(run("benchmarks.data", ("drift", "expectations", "leakage"), __doc__))
