"""What the demo showed, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Outcome
from airflow_mltest.integrations.mlflow_registry import MlflowRegistry
from airflow_mltest.reports.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_mltest.core.outcome import Suite
    from airflow_mltest.demo.steps import Followed


def summarise(home: Path, model: str, acts: Sequence[tuple[str, Followed]]) -> int:
    """
    Print what was tested, the figures, what was decided and why, and where the reports are.

    Returns:
        The exit code: 0 when the first candidate was promoted and all others were refused.
    """
    store = Store(home / "reports")
    right = True
    print("\nWhat happened\n")
    for number, (title, run) in enumerate(acts):
        suites = {kept.suite.name: kept.suite for kept in store.kept("model_release", run.run_id)}
        promoted = run.states.get("promote") == "success"
        right = right and promoted == (number == 0)
        print(f"  {title}")
        for suite in suites.values():
            if suite.kind != "gate":
                print(f"    {suite.name:12} {_counted(suite)}")
        _print_figures(suites.get("model_tests"))
        _print_decision(suites.get("gate"), promoted=promoted)
        print(f"    report       {_short(home / f'report-{number + 1}.html', store, run)}\n")
    champion = MlflowRegistry(f"sqlite:///{home}/mlflow.db").version_of(model, "champion")
    print(f"  {model}@champion is version {champion}. `make ui` shows both runs in Airflow.")
    return 0 if right else 1


def _short(link: Path, store: Store, run: Followed) -> Path:
    """Give the run's report a path that can be typed and pasted."""
    link.unlink(missing_ok=True)
    link.symlink_to(store.folder("model_release", run.run_id) / "release" / "report.html")
    return link


def _counted(suite: Suite) -> str:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in suite.counts.items() if count)
    return f"{suite.outcome.value:12} {counts}  ({suite.duration_s:.1f} s)"


def _print_figures(suite: Suite | None) -> None:
    for case in suite.cases if suite else ():
        for measurement in case.measurements if len(case.measurements) == 1 else ():
            low = "" if measurement.low is None else f" [{measurement.low:.4g}, {measurement.high:.4g}]"
            bounds = (("at least", measurement.minimum), ("at most", measurement.maximum))
            wanted = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
            print(f"      {measurement.name:28} {measurement.value:.4g}{low}{f'   wanted {wanted}' if wanted else ''}")


def _print_decision(gate: Suite | None, *, promoted: bool) -> None:
    version = gate.subject.get("version", "?") if gate else "?"
    print(f"    decision     version {version} was {'promoted to champion' if promoted else 'REFUSED'}")
    if gate is None or gate.incomplete:
        print(f"      because {gate.incomplete if gate else 'the gate did not run'}")
        return
    for case in gate.cases:
        if case.outcome is not Outcome.PASSED:
            print(f"      because {case.name}: {case.detail}")
