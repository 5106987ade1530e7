import runpy
from pathlib import Path
from types import SimpleNamespace

DAG_FILE = Path(__file__).parents[2] / "dags" / "on_commit.py"


def test_commit_that_is_tested_is_the_one_of_the_newest_event_and_by_hand_the_newest_there_is():
    dag = runpy.run_path(str(DAG_FILE))["dag"]
    events = [SimpleNamespace(extra={"from_trigger": True, "payload": {"commit": commit}}) for commit in ("old", "new")]

    for happened, commit in (({"asset": events}, "new"), ({}, "main")):
        plan = dag.get_task("tests.plan")
        checkout = plan.render_template(plan.project, {"triggering_asset_events": happened, "task": plan})
        assert (checkout.repository, checkout.commit) == ("code", commit)


def test_repository_is_watched_for_the_branch():
    dag = runpy.run_path(str(DAG_FILE))["dag"]
    (asset,) = dag.timetable.asset_condition.objects

    (watcher,) = asset.watchers

    assert watcher.trigger.serialize()[1]["branch"] == "main"
