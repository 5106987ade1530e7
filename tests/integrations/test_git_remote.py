import asyncio
import os
import runpy
import time
from pathlib import Path

import psutil
import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.git_command import Remote
from airflow_mltest.integrations.git_remote import heads, heads_soon, is_pattern, matching, unknown_branch

Repository = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))["Repository"]


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def test_every_branch_and_tag_is_told_with_the_commit_that_a_tag_is_on(repository):
    first = repository.commit(a_py="1")
    repository.git("tag", "light")
    repository.git("tag", "--annotate", "v1", "--message", "one")
    repository.git("branch", "release/1")
    repository.git("update-ref", "refs/pull/7/head", first)
    second = repository.commit(a_py="2")
    remote = Remote(url=str(repository.folder))

    found = heads(remote, "main")

    assert found == {
        "refs/heads/main": second, "refs/heads/release/1": first, "refs/tags/light": first, "refs/tags/v1": first,
    }  # fmt: skip
    assert asyncio.run(heads_soon(remote, "main")) == found
    assert heads(remote, "refs/pull/*")["refs/pull/7/head"] == first


HEADS = {"refs/heads/main": "1", "refs/heads/release/1": "2", "refs/heads/release/1/hot": "3", "refs/tags/v1": "4"}


@pytest.mark.parametrize(
    "branch, meant",
    [
        ("main", "1"),
        ("release/1", "2"),
        ("release/*", "23"),
        ("*", "123"),
        ("refs/tags/v?", "4"),
        ("refs/*", "1234"),
        ("refs/heads/main", "1"),
        ("MAIN", ""),
        ("v1", ""),
        ("mai", ""),
    ],
)
def test_branch_means_one_name_and_a_pattern_all_that_fit(branch, meant):
    assert sorted(matching(HEADS, branch).values()) == list(meant)
    assert is_pattern(branch) == any(letter in branch for letter in "*?")


def test_branch_that_is_not_there_is_answered_with_what_may_be_meant():
    remote = Remote(url="/srv/code")

    assert "no branch 'mian'; it has main." in str(unknown_branch(remote, "mian", HEADS))
    assert "it has main, refs/tags/v1, release/1, release/1/hot." in str(unknown_branch(remote, "xyz", HEADS))
    assert "it has nothing: it is empty." in str(unknown_branch(remote, "main", {}))


def test_repository_that_is_not_there_is_an_error_that_no_retry_mends_and_a_server_that_is_down_one_that_it_may(
    tmp_path,
):
    with pytest.raises(ConfigurationError, match=r"cannot read the repository /.*/none: no repository is there"):
        heads(Remote(url=str(tmp_path / "none")), "main")
    with pytest.raises(
        BrokenRunError, match=r"cannot read the repository code \(http://127.0.0.1:9/x\): the server did not"
    ):
        heads(Remote(url="http://127.0.0.1:9/x", name="code"), "main")


@pytest.mark.parametrize(
    "url", ["https://me:secret@host.example/x", "https://secret@host.example/x", "--upload-pack=secret"]
)
def test_repository_with_credentials_in_its_url_or_an_option_for_one_is_refused(url):
    with pytest.raises(ConfigurationError, match="cannot be a repository") as refused:
        Remote(url=url)

    assert "secret" not in str(refused.value) or url.startswith("-")


def test_way_in_is_never_shown():
    assert "secret" not in repr(Remote(url="/x", env={"TOKEN": "secret"}))


def test_look_that_is_cancelled_leaves_no_process(tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    async def cancel():
        look = asyncio.create_task(heads_soon(Remote(url="/x"), "main"))
        while len(psutil.Process().children(recursive=True)) < 3:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)
        started = psutil.Process().children(recursive=True)
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        return started

    started = asyncio.run(cancel())

    deadline_s = time.monotonic() + 20
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in started):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
