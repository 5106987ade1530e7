import asyncio
import runpy
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from airflow_mltest.core.errors import BrokenRunError
from airflow_mltest.sensors.git_commit import GitCommitSensor

_REPOSITORIES = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))
code = _REPOSITORIES["code"]


@pytest.fixture
def context():
    """Give what Airflow hands to each try of one task: here, what the task keeps."""
    return {"task_state_store": Store()}


class Store(dict):
    """What a task keeps over its tries."""

    set = dict.__setitem__


def sensor(code, **kwargs):
    repository = kwargs.pop("repository", str(code.folder))
    return GitCommitSensor(task_id="wait", repository=repository, poke_interval=0.05, timeout=60, **kwargs)


def test_sensor_waits_for_a_head_that_is_not_the_one_it_first_saw_and_returns_it(code, context):
    assert not sensor(code).poke(context).is_done
    assert not sensor(code).poke(context).is_done
    second = code.commit(a_py="2")

    seen = sensor(code).poke(context)  # another try, maybe on another worker

    assert (seen.is_done, seen.xcom_value) == (True, second)
    assert sensor(code).execute(context) == second


def test_since_says_what_to_compare_with_by_commit_branch_or_tag(code, context):
    first = code.git("rev-parse", "HEAD")
    code.git("tag", "v1")
    second = code.commit(a_py="2")
    code.git("branch", "same")

    for since in (first, first[:8], "v1", "refs/tags/v1", "0" * 40):
        assert sensor(code, since=since).poke(context).xcom_value == second
    for since in (second, second[:8], "same", "main"):
        assert not sensor(code, since=since).poke(context).is_done


def test_pattern_waits_for_any_branch_that_is_new_or_moved(code, context):
    code.git("branch", "release/1")
    waiting = sensor(code, branch="release/*")
    assert not waiting.poke(context).is_done
    code.commit(a_py="2")
    assert not waiting.poke(context).is_done
    code.git("branch", "release/2")

    assert waiting.poke(context).xcom_value == code.git("rev-parse", "HEAD")


@pytest.mark.parametrize("since", ["", "since"])
def test_deferred_sensor_leaves_the_wait_to_the_triggerer_which_sees_what_came_meanwhile(code, context, since):
    first = code.git("rev-parse", "HEAD")
    waiting = sensor(code, deferrable=True, since=since and first)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(context)
    second = code.commit(a_py="2")
    path, kwargs = deferred.value.trigger.serialize()

    async def first_event():
        return [event.payload async for event in type(deferred.value.trigger)(**kwargs).run()]

    (event,) = asyncio.run(asyncio.wait_for(first_event(), 60))

    assert path == "airflow_mltest.triggers.git_commit.GitCommitTrigger"
    assert deferred.value.timeout.total_seconds() == 60
    assert getattr(waiting, deferred.value.method_name)(context, event=event) == second


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    "wrong, why",
    [
        ({"branch": "mian"}, r"wait: the repository /.*/code has no branch 'mian'; it has main."),
        ({"repository": "./nowhere"}, "wait: cannot read the repository /.*/nowhere: no repository is there"),
        ({"repository": "nobody"}, "wait: there is no connection 'nobody': create one of type git"),
        ({"repository": "https://me:s3cret@h.example/x"}, "wait: 'https://h.example/x' cannot be a repository"),
        ({"since": "nothing"}, "wait: `since` is a commit of at least 7 digits, or a branch or tag"),
        ({"since": "abcdef0", "branch": "*"}, r"wait: `since` is one commit, and '\*' may be many branches"),
    ],
)
def test_what_no_waiting_mends_fails_at_once_in_words(code, context, wrong, why, deferrable, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(AirflowFailException, match=why):
        sensor(code, deferrable=deferrable, **wrong).execute(context)


def test_server_that_is_down_is_asked_again_and_a_deferred_first_look_is_a_try(code, context, capsys):
    down = {"repository": "http://127.0.0.1:9/x"}
    assert not sensor(code, **down).poke(context).is_done
    assert "the server did not answer as it should" in capsys.readouterr().out

    with pytest.raises(BrokenRunError):
        sensor(code, deferrable=True, **down).execute(context)


def test_everything_that_names_something_may_be_a_template(code):
    waiting = sensor(code, branch="{{ b }}", since="{{ s }}")

    waiting.render_template_fields({"b": "main", "s": "abc"})

    assert (waiting.branch, waiting.since) == ("main", "abc")
