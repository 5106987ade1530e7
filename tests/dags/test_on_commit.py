import runpy
from pathlib import Path

DAG_FILE = Path(__file__).parents[2] / "dags" / "on_commit.py"


def test_newest_commit_is_tested_whichever_event_has_started_the_run():
    dag = runpy.run_path(str(DAG_FILE))["dag"]
    plan = dag.get_task("tests.plan")
    checkout = plan.render_template(plan.project, {"task": plan})

    assert (checkout.repository, checkout.commit) == ("code", "main")


def test_repository_is_watched_for_the_branch():
    dag = runpy.run_path(str(DAG_FILE))["dag"]
    (asset,) = dag.timetable.asset_condition.objects

    (watcher,) = asset.watchers

    assert watcher.trigger.serialize()[1]["branch"] == "main"
