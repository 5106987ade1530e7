import asyncio
import logging
import os
import runpy
import time
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
from airflow.sdk import AssetWatcher
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.triggers.git_commit import GitCommitTrigger

_REPOSITORIES = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))
code = _REPOSITORIES["code"]
_TRIGGERER = runpy.run_path(str(Path(__file__).parents[1] / "triggerer.py"))
LIMIT_S, Memory, triggerer, until = (_TRIGGERER[name] for name in ("LIMIT_S", "Memory", "triggerer", "until"))


@pytest.fixture
def server(code, tmp_path):
    code.publish(tmp_path / "served" / "code.git")
    server = _REPOSITORIES["Server"](tmp_path / "served")
    yield server
    server.close()


@pytest.fixture
def looks(tmp_path, monkeypatch):
    """Count how often git is asked for heads."""
    log = tmp_path / "looks"
    log.touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f'#!/bin/sh\necho >> {log}\nexec /usr/bin/git "$@"\n')
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return lambda: len(log.read_text())


def trigger_for(code, branch="main", **kwargs):
    return GitCommitTrigger(str(code.folder), branch, 0.05, **kwargs)


def test_head_that_moves_fires_once_for_its_newest_commit(code, looks):
    first = code.git("rev-parse", "HEAD")

    async def watch():
        async with triggerer() as running:
            fired = running.add(trigger_for(code))
            await until(lambda: looks() >= 3)
            assert fired == []
            second = code.commit(a_py="2")
            await until(lambda: fired)
            payload = {"repository": str(code.folder), "ref": "refs/heads/main", "commit": second, "previous": first}
            assert fired == [payload]
            code.git("reset", "--quiet", "--hard", first)
            await until(lambda: len(fired) == 2)
            assert (fired[1]["commit"], fired[1]["previous"]) == (first, second)
            seen = looks()
            await until(lambda: looks() >= seen + 3)
            assert len(fired) == 2

    asyncio.run(watch())


def test_patterns_fire_for_what_is_new_and_forget_what_is_gone(code, looks):
    first = code.git("rev-parse", "HEAD")
    code.git("branch", "release/1")

    async def watch():
        async with triggerer() as running:
            releases, tags = running.add(trigger_for(code, "release/*")), running.add(trigger_for(code, "refs/tags/v*"))
            await until(lambda: looks() >= 3)
            second = code.commit(a_py="2")
            code.git("branch", "other")
            code.git("branch", "release/2")
            code.git("tag", "--annotate", "v1", "--message", "one")
            await until(lambda: releases and tags)
            assert [(event["ref"], event["commit"], event["previous"]) for event in (*releases, *tags)] == [
                ("refs/heads/release/2", second, ""), ("refs/tags/v1", second, ""),
            ]  # fmt: skip
            code.git("branch", "--delete", "--force", "release/1")
            seen = looks()
            await until(lambda: looks() >= seen + 3)
            assert len(releases) == 1
            code.git("branch", "release/1", first)
            await until(lambda: len(releases) == 2)
            assert (releases[1]["ref"], releases[1]["previous"]) == ("refs/heads/release/1", "")

    asyncio.run(watch())


def test_what_came_while_no_triggerer_ran_fires_when_one_does_and_nothing_else(code, looks):
    first, memory = code.git("rev-parse", "HEAD"), Memory()

    async def live(events, *, expected):
        async with triggerer() as running:
            fired = running.add(trigger_for(code), memory)
            seen = looks()
            await until(lambda: len(fired) == expected and looks() >= seen + 4)
            events += fired

    async def watch():
        events = []
        await live(events, expected=0)
        code.commit(a_py="2")
        third = code.commit(a_py="3")
        await live(events, expected=1)
        assert [(event["commit"], event["previous"]) for event in events] == [(third, first)]
        await live(events, expected=0)
        assert memory.writes == 2

    asyncio.run(watch())


def test_event_that_was_under_way_when_the_triggerer_died_is_fired_again(code, looks):
    memory = Memory()

    async def watch():
        async with triggerer() as running:
            running.add(trigger_for(code), memory)
            await until(lambda: memory.writes)
        second = code.commit(a_py="2")
        async with triggerer() as running:
            fired = running.add(GitCommitTrigger(str(code.folder), "main", 3600.0), memory)
            await until(lambda: fired)
        async with triggerer() as running:
            again = running.add(GitCommitTrigger(str(code.folder), "main", 3600.0), memory)
            await until(lambda: again)
        assert fired == again
        assert fired[0]["commit"] == second

    asyncio.run(watch())


def test_heads_that_are_there_at_first_fire_when_they_are_asked_for(code):
    async def watch():
        async with triggerer() as running:
            fired = running.add(trigger_for(code, at_first_sight=True), Memory())
            await until(lambda: fired)
            assert (fired[0]["commit"], fired[0]["previous"]) == (code.git("rev-parse", "HEAD"), "")

    asyncio.run(watch())


def test_one_trigger_that_serves_many_assets_remembers_with_a_few_writes_and_any_of_them_reminds_it(code, looks):
    memories = [Memory() for _ in range(100)]

    async def watch():
        async with triggerer() as running:
            running.add(trigger_for(code), *memories)
            await until(lambda: looks() >= 3)
        assert [memory.writes for memory in memories] == [1, 1, 1, *[0] * 97]
        second = code.commit(a_py="2")
        async with triggerer() as running:
            fired = running.add(trigger_for(code), Memory(), *memories[2:])  # two assets went, and one came before
            await until(lambda: fired)
        assert fired[0]["commit"] == second

    asyncio.run(watch())


def test_memory_that_fails_now_and_then_loses_nothing_and_one_that_always_does_ends_nothing(code, looks, caplog):
    memory = Memory()

    async def watch():
        async with triggerer() as running:
            running.add(trigger_for(code), memory)
            await until(lambda: memory.writes)
        code.commit(a_py="2")
        memory.fails = 2
        async with triggerer() as running:
            fired = running.add(trigger_for(code), memory)
            await until(lambda: fired)
        memory.fails = 10**9
        async with triggerer() as running:
            fired = running.add(trigger_for(code), memory)
            await until(lambda: "cannot be kept" in caplog.text)
            code.commit(a_py="3")
            await until(lambda: fired)
            seen = looks()
            await until(lambda: looks() >= seen + 3)
            assert running.alive()
        assert caplog.text.count("cannot be kept") == 1

    asyncio.run(watch())


def test_a_thousand_triggers_of_one_repository_are_one_request_an_interval(server, code, tmp_path):
    async def watch():
        async with triggerer() as running:
            triggers = [GitCommitTrigger(f"{server.url}/code.git", f"b{number % 10}", 0.3) for number in range(1000)]
            code.git("branch", "b7")
            for trigger in triggers:
                running.add(trigger)
            began_s = time.monotonic()
            await until(lambda: server.looks >= 2)
            code.git("checkout", "--quiet", "b7")
            code.commit(a_py="2")
            code.publish(tmp_path / "served" / "code.git")
            await until(lambda: sum(map(bool, running.fired.values())) == 100)
            await asyncio.sleep(1)
            assert server.looks <= (time.monotonic() - began_s) / 0.3 + 1
            assert all(len(fired) == (number % 10 == 7) for number, fired in running.fired.items())

    asyncio.run(watch())


def test_repository_that_does_not_answer_is_told_once_asked_less_often_and_followed_when_it_does(
    server, code, tmp_path, caplog, looks
):
    caplog.set_level(logging.INFO, "airflow_mltest")

    async def watch():
        async with triggerer() as running:
            fired = running.add(GitCommitTrigger(f"{server.url}/code.git", "main", 0.05))
            await until(lambda: server.looks >= 2)
            server.down = True
            seen, began_s = looks(), time.monotonic()
            await until(lambda: looks() >= seen + 4)
            # 0.05 s doubled at each failure, instead of 0.05 s
            assert time.monotonic() - began_s > 0.1 + 0.2
            commit = code.commit(a_py="2")
            code.publish(tmp_path / "served" / "code.git")
            server.down = False
            await until(lambda: fired)
            assert fired[0]["commit"] == commit
            assert running.alive()

    asyncio.run(watch())

    assert caplog.text.count("It is asked again until it answers") == 1
    assert caplog.text.count("answers again, after") == 1
    assert "the server did not answer as it should" in caplog.text


@pytest.mark.parametrize("repository", ["./nowhere", "no_such_connection", "http://127.0.0.1:9/x"])
def test_repository_that_is_not_there_yet_ends_no_watcher(repository, caplog, looks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def watch():
        async with triggerer() as running:
            running.add(GitCommitTrigger(repository, "main", 0.01))
            await until(lambda: "It is asked again" in caplog.text)
            await asyncio.sleep(0.2)
            assert running.alive()
        assert caplog.text.count("It is asked again") == 1

    asyncio.run(watch())


def test_server_that_hangs_does_not_block_the_loop_and_is_given_up_when_nobody_waits(tmp_path, monkeypatch):
    started = tmp_path / "started"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\necho $$ > {started}\nexec sleep 600\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)

    async def watch():
        async with triggerer() as running:
            running.add(GitCommitTrigger("/x", "main", 0.01))
            await until(lambda: started.exists() and started.read_text().strip())
        pid = int(started.read_text())
        await until(lambda: not Path(f"/proc/{pid}").exists())

    asyncio.run(watch())


def test_task_that_waits_gets_the_first_event_and_the_trigger_ends(code):
    first = code.git("rev-parse", "HEAD")

    async def wait():
        trigger = trigger_for(code, "*", known={"refs/heads/main": first, "refs/heads/gone": first})
        code.commit(a_py="2")
        code.git("branch", "also")
        async with aclosing(trigger.run()) as stream:
            return [event.payload["ref"] async for event in stream]

    assert asyncio.run(asyncio.wait_for(wait(), LIMIT_S)) == ["refs/heads/also"]


def test_trigger_has_a_place_in_an_asset_watcher_and_is_the_same_for_all_who_ask_the_same(code):
    trigger, other = trigger_for(code), trigger_for(code, "other")
    AssetWatcher(name="main", trigger=trigger)
    path, kwargs = trigger.serialize()

    assert encode_trigger(trigger)["classpath"] == path
    assert BaseEventTrigger.hash(path, kwargs) == BaseEventTrigger.hash(*trigger_for(code).serialize())
    assert trigger.shared_stream_key() == other.shared_stream_key()
    assert trigger.shared_stream_key() != trigger_for(code, "refs/pull/*").shared_stream_key()
    assert trigger.shared_stream_key() != GitCommitTrigger(str(code.folder), "main", 60.0).shared_stream_key()


def test_credentials_have_no_place_in_a_trigger():
    with pytest.raises(ConfigurationError, match=r"https://host.example/x came with user or password") as refused:
        GitCommitTrigger("https://me:s3cret@host.example/x")

    with suppress(ConfigurationError):
        GitCommitTrigger("https://host.example/x")
    assert "s3cret" not in str(refused.value)
