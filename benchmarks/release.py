"""Let eight processes promote at once, 200 times, and say what went wrong: `python -m benchmarks.release`."""

from __future__ import annotations

import runpy
import statistics
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from airflow_mltest.integrations.mlflow_access import MlflowAccess
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry

ROUNDS, PROCESSES, MODEL = 200, 8, "raced"
TESTS = Path(__file__).parents[1] / "tests"


def main(rounds: int = ROUNDS) -> int:
    """Race at a real server; gives how many rounds went wrong."""
    serving = runpy.run_path(str(TESTS / "mlflow_server.py"))["serving"]
    kit, racing = (SimpleNamespace(**runpy.run_path(str(TESTS / name))) for name in ("releases.py", "racing.py"))
    with tempfile.TemporaryDirectory(prefix="mltest-race-") as folder, serving(Path(folder)) as server:
        registry = MlflowRegistry(server.uri, MlflowAccess(username=server.user, password=server.password))
        for number in range(PROCESSES + 1):
            server.register(MODEL, MLmodel=f"artifacts: {number}")
        kit.release(registry, "1", model=MODEL)
        ended = []
        for number, one in enumerate(racing.race(registry, kit, MODEL, rounds=rounds, seconds=3600), 1):
            ended.append(one)
            if one.wrong():
                print(f"round {number}: {'; '.join(one.wrong())}: {one}", flush=True)
            if not number % 20:
                print(f"{number} rounds, {sum(bool(one.wrong()) for one in ended)} wrong", flush=True)
    wrong = sum(bool(one.wrong()) for one in ended)
    took_s = [one.seconds for one in ended]
    refused = sum(end == "refused" for one in ended for end, _ in one.ends.values())
    print(f"{len(ended)} rounds of {PROCESSES} promoters: {wrong} wrong, {refused} refused by name of the winner")
    print(f"a round took {statistics.median(took_s):.2f} s (median), {max(took_s):.2f} s (longest)")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(*map(int, sys.argv[1:2])), 1))
