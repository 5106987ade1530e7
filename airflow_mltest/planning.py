"""What a change reaches, cut into shards: git, pytest and the past, each asked once."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.core.plan import Plan
from airflow_mltest.core.shards import Shard, estimate, plan_shards

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_mltest.core.collected import Collected
    from airflow_mltest.core.history import PastRun
    from airflow_mltest.core.impact import Selection
    from airflow_mltest.core.records import Records
    from airflow_mltest.integrations.git_repository import WorkTree
    from airflow_mltest.integrations.pytest_runner import PytestCommand
    from airflow_mltest.reports.archive import Archive

LAST_PASSED = "last-passed"
# Enough to find the last full run behind a few days of partial ones, and few enough to be read in seconds.
_RUNS = 30
_ANCESTORS = 1000
# What Python and its tools leave in a work tree whose author ignores nothing.
_GENERATED = re.compile(r"(^|/)(__pycache__|\.(pytest|mypy|ruff)_cache|\.hypothesis|[^/]+\.egg-info)/|\.pyc$")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """
    What is known of earlier runs.

    Args:
        runs: Newest first.
        records: What their tests touched, newest first.
    """

    runs: tuple[PastRun, ...] = ()
    records: tuple[Records, ...] = ()


def plan_tests(  # noqa: PLR0913  what one plan depends on
    command: PytestCommand,
    *,
    shards: int,
    since: str = "",
    archive: Callable[[str], Archive] | None = None,
    name: str = "",
    commit: str = "",
) -> Plan:
    """
    Collect the tests of *command*, select those that what changed can reach, and cut them into shards.

    Whatever keeps the change from being known selects all tests, and the plan says why.

    Args:
        command: How pytest is called.
        shards: The most shards there may be.
        since: What counts as changed: all that differs from this commit (or branch, where it was
            left), or from the newest ancestor whose run passed (`"last-passed"`). Empty: all tests run.
        archive: Opens the past of a project by its name; None where there is none.
        name: What names the project where its folder does not, the same on every worker.
        commit: The commit of a folder without git, if it is known.

    Raises:
        ConfigurationError: The project cannot be collected, or has no tests.
    """
    from airflow_mltest.integrations.git_repository import WorkTree
    from airflow_mltest.integrations.pytest_collector import collect

    if shards < 1:
        msg = f"shards is 1 or more, not {shards}."
        raise ConfigurationError(msg)
    with WorkTree(command.folder) as tree:
        collected = collect(command, root=str(tree.root))
        if not collected.tests and not collected.broken:
            msg = "pytest collected no tests: check `project` and `args`; a suite of nothing passes nothing."
            raise ConfigurationError(msg)
        if not command.args:  # all that the project has
            for entry in command.quarantine().unused(test.id for test in collected.tests):
                _log.warning("%s is in quarantine until %s, and no test is called so.", entry.test, entry.until)
        project = project_name(tree, command.args, name)
        kept = archive(project) if archive else None
        commits = [*(tree.ancestors(_ANCESTORS) if tree.commit else [commit] if commit else []), ""]
        past = read_past(kept, commits)
        plan = Plan(
            broken=collected.broken,
            commit=_commit(tree, commit),
            environment=collected.environment,
            project=project,
            created_at=datetime.now(UTC).isoformat(),
            recording=bool(since),
            flaky=_flaky(past),
        )
        if since:
            plan = _select(plan, collected, tree, past, since, kept, commits)
    return replace(plan, shards=_cut(plan, collected, past, shards))


def project_name(tree: WorkTree, args: Sequence[str], name: str = "") -> str:
    """Name a project, and which of its tests are meant, the same way on every worker."""
    where = name or tree.origin or str(tree.root)
    return " ".join(filter(None, (re.sub(r"^\w+://|\.git$", "", where), tree.prefix, *args)))


def read_past(archive: Archive | None, commits: Sequence[str]) -> Past:
    """Read what the newest runs of *commits* left behind."""
    from airflow_mltest.core.history import past_run_from_document
    from airflow_mltest.core.records import records_from_document

    documents = archive.past(commits, most=_RUNS) if archive else []
    runs = [past_run_from_document(document["run"]) for document in documents if document.get("run")]
    records = [records_from_document(document["records"]) for document in documents if document.get("records")]
    return Past(runs=tuple(run for run in runs if run is not None), records=tuple(found for found in records if found))


def _select(  # noqa: PLR0913, PLR0917  each is another part of what is known
    plan: Plan,
    collected: Collected,
    tree: WorkTree,
    past: Past,
    since: str,
    archive: Archive | None,
    commits: Sequence[str],
) -> Plan:
    base, why = _base(tree, since, archive, commits, past, collected.environment)
    if why:
        return replace(plan, everything=why, base=base)
    selection = _reached(collected, tree, past, base)
    return replace(
        plan,
        base=base,
        reasons=selection.reasons,
        everything=selection.everything,
        left_out=0 if selection.everything else len(collected.tests) - len(selection.reasons),
    )


def _base(  # noqa: PLR0913, PLR0917
    tree: WorkTree, since: str, archive: Archive | None, commits: Sequence[str], past: Past, environment: str
) -> tuple[str, str]:
    """Find the commit to compare with; or say why there is none, and so all tests run."""
    if tree.commit is None:
        return "", f"what changed since {since} cannot be told: {tree.root} is no git work tree with a commit"
    if since == LAST_PASSED:
        base = archive.last_passed(commit for commit in commits if commit) if archive else ""
        if not base:
            return "", f"none of the last {len(commits) - 1} commits has a run that passed"
    else:
        try:
            base = tree.merge_base(since) or tree.resolve(since)
        except ConfigurationError as error:
            return "", f"what changed since {since!r} cannot be told: {error}"
    known = {run.environment for run in past.runs if run.commit == base}
    if known and environment not in known:
        return base, f"Python, pytest or the installed packages differ from those of the run at {base[:12]}"
    return base, ""


def _reached(collected: Collected, tree: WorkTree, past: Past, base: str) -> Selection:
    """Select what the difference between *base* and the tree reaches; a fault of ours selects all."""
    from airflow_mltest.core.impact import Selection, select

    def before(path: str) -> str | None:
        return _text(tree.read(base, path))

    def after(path: str) -> str | None:
        try:
            return _text((tree.root / path).read_bytes())
        except OSError:
            return None

    try:
        return select(
            collected,
            changed={path for path in tree.changed(base) if not _GENERATED.search(path)},
            before=before,
            after=after,
            paths=tree.paths(),
            records=past.records,
            always=_failed_last(past.runs, collected),
        )
    except Exception as error:  # noqa: BLE001  selections fail open, and say so
        _log.exception("the selection failed, so all tests run")
        return Selection(everything=f"the selection failed: {type(error).__name__}: {error}")


def _commit(tree: WorkTree, commit: str) -> str:
    """Name the commit that is tested; what no commit has, none may be credited or blamed with."""
    if tree.commit is None:
        return commit
    return "" if any(not _GENERATED.search(path) for path in tree.changed(tree.commit)) else tree.commit


def _flaky(past: Past) -> dict[str, str]:
    from airflow_mltest.core.history import flaky_tests

    return {found.test: f"{found.flakes} of {found.runs} runs" for found in flaky_tests(past.runs) if found.flakes}


def _failed_last(runs: Sequence[PastRun], collected: Collected) -> Mapping[str, str]:
    """Name the tests that did not pass the last time they ran."""
    last: dict[str, str] = {}
    for run in runs:
        for test, case in run.cases.items():
            last.setdefault(test, f"{case.outcome} the last time it ran, at {run.commit[:12] or 'an unknown commit'}")
    return {
        test.id: last[test.id] for test in collected.tests if last.get(test.id, "").startswith(("failed", "broken"))
    }


def _cut(plan: Plan, collected: Collected, past: Past, count: int) -> tuple[Shard, ...]:
    from airflow_mltest.core.history import durations

    files = {test.id: test.file for test in collected.tests if not plan.is_selection or test.id in plan.reasons}
    shards = plan_shards(files, estimate(files, durations(past.runs)), count)
    if plan.broken:  # they are told of by whoever collects them, too
        first = shards[0] if shards else Shard(tests=(), files=(), seconds=0.0)
        shards[:1] = [replace(first, files=tuple(dict.fromkeys((*first.files, *plan.broken))))]
    return tuple(shards)


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
