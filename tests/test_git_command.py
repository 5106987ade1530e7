import asyncio
import time
from asyncio.subprocess import Process

import pytest

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.git_command import Git, explained, without_credentials


@pytest.mark.parametrize(
    "said, kind, meaning",
    [
        ("fatal: detected dubious ownership in repository at '/x'", ConfigurationError, "another user's"),
        (
            "fatal: write error: No space left on device",
            BrokenRunError,
            "the disk is full, or cannot be written: free",
        ),
        ("error: unable to write file a.py\nfatal: Could not reset index", BrokenRunError, "the disk is full"),
        ("[Errno 122] Disk quota exceeded: '/x'", BrokenRunError, "the disk is full"),
        ("fatal: Authentication failed for 'https://h.example/x'", ConfigurationError, "access was refused"),
        (
            "fatal: could not read Username for 'https://h.example': terminal prompts disabled",
            ConfigurationError,
            "refused",
        ),
        (
            "git@h.example: Permission denied (publickey).\nfatal: Could not read from remote.",
            ConfigurationError,
            "refused",
        ),
        ("fatal: unable to access 'https://h/x': The requested URL returned error: 403", ConfigurationError, "refused"),
        (
            "remote: Repository not found.\nfatal: repository 'https://h/x' not found",
            ConfigurationError,
            "no repository",
        ),
        ("fatal: '/x' does not appear to be a git repository", ConfigurationError, "no repository is there"),
        ("fatal: repository '/x' does not exist", ConfigurationError, "no repository is there"),
        (
            "fatal: unable to access 'https://h/x': Could not resolve host: h",
            BrokenRunError,
            "the server did not answer",
        ),
        (
            "fatal: unable to access 'https://h/x': The requested URL returned error: 503",
            BrokenRunError,
            "did not answer",
        ),
        ("fatal: the remote end hung up unexpectedly", BrokenRunError, "the server did not answer"),
        ("fatal: something new", BrokenRunError, "^cannot fetch; git says: fatal: something new$"),
        ("", BrokenRunError, "git says: nothing"),
    ],
)
def test_what_git_says_becomes_what_it_means_and_whether_a_retry_may_help(said, kind, meaning):
    error = explained("cannot fetch", said)

    assert type(error) is kind
    with pytest.raises(kind, match=meaning):
        raise error


def test_credentials_are_taken_out_of_whatever_git_says():
    said = (
        "fatal: unable to access 'https://me:s3cret@h.example/x?token=s3cret': could not, see http://s3cret@h.example"
    )

    assert without_credentials(said) == "fatal: unable to access 'https://h.example/x': could not, see http://h.example"


def test_command_that_hangs_is_ended_at_its_time(tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    began_s = time.monotonic()

    with pytest.raises(BrokenRunError, match=r"git fetch has not ended within 0\.2 s"):
        Git(folder="/").ask("fetch", limit_s=0.2)

    assert time.monotonic() - began_s < 30


def test_nobody_is_asked_and_nothing_is_translated(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("GIT_TRACE_CURL", "1")
    env = Git(folder="/", env={"GIT_SSH_COMMAND": "ssh -i key"}).environment()

    assert (env["LC_ALL"], env["GIT_TERMINAL_PROMPT"], env["GIT_SSH_COMMAND"]) == ("C", "0", "ssh -i key")
    assert "GIT_TRACE_CURL" not in env


def test_cancellation_that_comes_as_the_command_ends_is_not_forgotten(tmp_path, monkeypatch):
    communicate = Process.communicate

    async def cancelled_when_it_ends(process):
        answer = await communicate(process)
        asking.cancel()
        return answer

    async def look_for_ever():
        while True:
            await Git(folder=str(tmp_path)).ask_soon("version")

    async def main():
        nonlocal asking
        asking = asyncio.create_task(look_for_ever())
        ended, _ = await asyncio.wait([asking], timeout=10)
        monkeypatch.undo()
        asking.cancel()
        return ended == {asking} and asking.cancelled()

    asking = None
    monkeypatch.setattr(Process, "communicate", cancelled_when_it_ends)

    assert asyncio.run(main())


def test_command_that_hangs_is_ended_at_its_time_while_the_loop_goes_on(tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with pytest.raises(BrokenRunError, match=r"git fetch has not ended within 0\.3 s"):
        asyncio.run(Git(folder=str(tmp_path)).ask_soon("fetch", limit_s=0.3))
