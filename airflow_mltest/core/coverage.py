"""How much of the code the tests have run, and whether that is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mltest.core.outcome import Case, Measurement, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WHOLE = 100.0
_SHOWN = 10
# Importing a module runs some of its lines.
_UNSEEN = (
    "no line of it ran where coverage.py could see it: the tests import none of it, or run it in processes "
    "that are not measured (see `patch = subprocess` in its documentation), or something else traces them"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCoverage:
    """
    What was covered of the lines that a change has written; paths are relative to the project.

    Args:
        statements: How many statements have a changed line.
        covered: How many of them ran.
        missing: First lines of those that did not run, by file.
        unmeasured: Changed Python files of which coverage.py knows nothing: its configuration leaves
            them out, or nothing has imported them.
    """

    statements: int
    covered: int
    missing: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unmeasured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageResult:
    """
    What coverage.py says of all data together.

    Args:
        percent: Of lines, and of branches where they are counted, as coverage.py's own report has it,
            0 to 100; None when there was nothing to count.
        files: The same of each file, by its path relative to the project.
        branch: Whether branches are counted.
        fail_under: What the project's configuration asks for, a percentage; 0: nothing.
        precision: To how many decimals it is rounded before it is compared.
        change: The same for a change, if one was given.
        problems: What could not be read or found, and so is missing in the figures.
    """

    percent: float | None = None
    files: Mapping[str, float] = field(default_factory=dict)
    branch: bool = False
    fail_under: float = 0.0
    precision: int = 0
    change: ChangeCoverage | None = None
    problems: tuple[str, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether the project's `fail_under` is reached, by coverage.py's own rules."""
        if self.percent is None:
            return False
        # 99.99 % is not 100 %, whatever it is rounded to.
        if self.fail_under == _WHOLE and self.percent != _WHOLE:
            return False
        return round(self.percent, self.precision) >= self.fail_under


def cases_of(result: CoverageResult, *, whole: bool = True) -> tuple[Case, ...]:
    """
    Say it as cases: `coverage`, judged by the project's `fail_under`, and `coverage_of_change`, which is told only.

    Args:
        result: What `combine` gave.
        whole: All tests ran; the coverage of a few of them is not held against `fail_under`.
    """
    lost = [f"{len(result.problems)} left out: {'; '.join(_some(result.problems))}"] if result.problems else []
    if result.percent is None:
        nothing = "there is no coverage data: did the tests run with coverage.py, and is its `source` right?"
        detail = "\n".join(["nothing could be counted", *(lost or [nothing])])
        return (Case(name="coverage", outcome=Outcome.BROKEN, detail=detail),)
    cases = [_case_of_all(result, lost, whole=whole)]
    if result.change is not None:
        cases.append(_case_of_change(result.change, lost))
    return tuple(cases)


def _case_of_all(result: CoverageResult, lost: list[str], *, whole: bool) -> Case:
    asked = whole and result.fail_under > 0
    lost = [*lost, *([] if result.percent else [_UNSEEN])]
    outcome = Outcome.PASSED
    if asked and not result.enough:
        # What was lost might have made the difference.
        outcome = Outcome.BROKEN if lost else Outcome.FAILED
    counted = "lines and branches" if result.branch else "lines"
    wanted = f"; fail_under is {result.fail_under:g} %" if asked else ""
    told = [
        f"{result.percent:.{result.precision}f} % of the {counted} of {len(result.files)} files are covered{wanted}"
    ]
    told += [] if whole else ["by the selected tests alone, so it is not judged"]
    if outcome is not Outcome.PASSED:
        worst = sorted(result.files.items(), key=lambda found: (found[1], found[0]))
        told.append("least covered: " + ", ".join(_some([f"{path} {percent:g} %" for path, percent in worst])))
    measured = Measurement(
        name="coverage", value=(result.percent or 0.0) / _WHOLE, minimum=result.fail_under / _WHOLE if asked else None
    )
    return Case(
        name="coverage",
        outcome=outcome,
        detail="\n".join([*told, *lost]),
        measurements=(measured,),
        facts={"files": dict(result.files)},
    )


def _case_of_change(change: ChangeCoverage, lost: list[str]) -> Case:
    told = [f"{change.covered} of {change.statements} changed statements are covered"]
    told += [f"{path}: {_ranges(lines)}" for path, lines in change.missing.items()]
    if not change.statements:
        told = ["there is no statement among the changed lines"]
    if change.unmeasured:
        told.append(f"not measured: {', '.join(_some(change.unmeasured))}")
    share = change.covered / change.statements if change.statements else None
    return Case(
        name="coverage_of_change",
        outcome=Outcome.SKIPPED if share is None else Outcome.PASSED,
        detail="\n".join([*told, *lost]),
        measurements=() if share is None else (Measurement(name="coverage_of_change", value=share),),
    )


def _some(texts: Sequence[str]) -> list[str]:
    more = len(texts) - _SHOWN
    return [*texts[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _ranges(lines: Sequence[int]) -> str:
    """Write ascending numbers as `12-14, 20`."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
