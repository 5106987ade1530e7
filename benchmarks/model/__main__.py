"""Measure what is promised of model tests, beside what others do: `python -m benchmarks.model [section ...]`."""

from __future__ import annotations

import sys

from benchmarks.sections import run

if __name__ == "__main__":
    sys.exit(run("benchmarks.model", ("attacks", "latency", "statistics"), __doc__))
