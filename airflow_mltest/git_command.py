"""git as a child process: the same answers on every machine, and its errors in words."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError, MltestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LIMIT_S = 300.0
_GONE_S = 5.0

# What git tells its hooks about the repository that called them: from a hook of one repository
# (pre-commit, pre-push), every other one would be taken for it.
_FOREIGN = frozenset({
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIFF_OPTS", "GIT_DIR", "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS", "GIT_GRAFT_FILE", "GIT_ICASE_PATHSPECS", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS", "GIT_NAMESPACE", "GIT_NOGLOB_PATHSPECS", "GIT_NO_REPLACE_OBJECTS", "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
})  # fmt: skip

# A repository's own configuration must start no program of its own (fsmonitor, hooks, a background
# gc that outlives the task), and a user's must not change what the answers look like.
_OPTIONS = (
    "-c", "core.fsmonitor=", "-c", f"core.hooksPath={os.devnull}", "-c", "core.quotePath=false",
    "-c", "color.ui=false", "-c", "diff.autoRefreshIndex=true",
    "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false",
    # A server that has stopped talking is an error after a minute, not a task that hangs.
    "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60",
)  # fmt: skip

# What git says, what it means and what to do, and whether a retry would hear the same.
_MEANINGS = (
    (
        "dubious ownership|unsafe repository",
        "the folder is another user's than this task's: chown it, or `git config --global --add safe.directory FOLDER`",
        True,
    ),
    (
        "No space left on device|Disk quota exceeded|unable to write",
        "the disk is full, or cannot be written: free some space, or name another in [mltest] checkout_cache",
        False,
    ),
    (
        r"Authentication|could not read (Username|Password)|ermission denied \(|ccess denied:|Host key|error: 40[13]",
        "access was refused: check the credentials of its Airflow connection (type git)",
        True,
    ),
    (
        "epository .*not (found|exist)|not (appear to be )?a git repository|access denied or repository not exported",
        "no repository is there, or this user may not see it: check its URL and its Airflow connection",
        True,
    ),
    (
        "Could not resolve|unable to (connect|access)|Connection|timed out|early EOF|hung up|RPC failed",
        "the server did not answer as it should",
        False,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What one command of git has said.

    Args:
        code: Its exit code.
        out: Its output.
        said: Its complaints, without credentials.
    """

    code: int
    out: bytes
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """
    A repository, and the way in.

    Args:
        url: Its URL, without credentials, or its absolute path.
        env: What lets git in, as variables of its environment; never shown.
        name: What its users call it, where that is not the URL: the id of a connection.
    """

    url: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    name: str = ""

    def __post_init__(self) -> None:
        if self.url.startswith("-") or without_credentials(self.url) != self.url:
            msg = (
                f"{without_credentials(self.url)!r} cannot be a repository: give a URL without user and password, "
                "and put those into an Airflow connection of type git."
            )
            raise ConfigurationError(msg)

    def __str__(self) -> str:
        return f"{self.name} ({self.url})" if self.name else self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """
    git in one folder.

    Args:
        folder: Where its commands run.
        env: What is added to this process's environment, credentials among it; never shown.
        options: Further options of git itself, before each command.
    """

    folder: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: tuple[str, ...] = ()

    def argv(self, *args: str) -> list[str]:
        """Spell the command out."""
        return ["git", "-C", self.folder, *_OPTIONS, *self.options, *args]

    def environment(self) -> dict[str, str]:
        """Give the command's whole environment: nobody is asked for a password, nothing is translated."""
        env = {name: value for name, value in os.environ.items() if name not in _FOREIGN and "GIT_TRACE" not in name}
        return {**env, "LC_ALL": "C", "LANGUAGE": "", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", **self.env}

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """
        Start a command that is to be talked to; it has a session of its own, so that nothing of it can be left.

        Raises:
            ConfigurationError: git is not installed.
        """
        pipe = subprocess.PIPE
        with _installed():
            return subprocess.Popen(
                self.argv(*args),
                env=self.environment(),
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                # Also without a terminal to ask for a password on, as ssh would.
                start_new_session=True,
            )

    def ask(self, *args: str, limit_s: float = _LIMIT_S) -> Answer:
        """
        Run a command whose failure is an answer as well.

        Raises:
            BrokenRunError: It has not ended within *limit_s* seconds.
            ConfigurationError: git is not installed.
        """
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise _late(args[0], limit_s) from None
        finally:
            end(process)
        return _answer(process.returncode, out, err)

    async def ask_soon(self, *args: str, limit_s: float = _LIMIT_S) -> Answer:
        """Do as `ask` does while the event loop goes on; a cancelled command is killed."""
        import asyncio

        pipe = subprocess.PIPE
        with _installed():
            process = await asyncio.create_subprocess_exec(
                *self.argv(*args), env=self.environment(), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe,
                start_new_session=True,
            )  # fmt: skip
        try:
            # Not `wait_for`, which until Python 3.12 forgets a cancellation that comes as the command ends.
            async with asyncio.timeout(limit_s):
                out, err = await process.communicate()
        except TimeoutError:
            raise _late(args[0], limit_s) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                # It waits for the pipes as well, which what left the session may hold.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_GONE_S):
                        await process.wait()
        return _answer(process.returncode or 0, out, err)

    def run(self, *args: str, limit_s: float = _LIMIT_S) -> bytes:
        """
        Run a command that has to work, and give its output.

        Raises:
            ConfigurationError: It failed, and would again.
            BrokenRunError: It failed, and may work later.
        """
        answer = self.ask(*args, limit_s=limit_s)
        if answer.code:
            what = f"git {args[0]} failed in {self.folder}"
            raise explained(what, answer.said)
        return answer.out

    def text(self, *args: str) -> str:
        """Run a command that has to work, and give the one line that it says."""
        return os.fsdecode(self.run(*args)).removesuffix("\n")


def repository_of(folder: Path) -> Git | None:
    """
    Find the work tree that *folder* is part of; None if it is of none, or git is not there to tell.

    Raises:
        ConfigurationError: git may not read it.
    """
    git = Git(folder=str(folder))
    try:
        answer = git.ask("rev-parse", "--show-toplevel")
    except ConfigurationError:
        return None
    dubious = re.search(r"(?:dubious ownership in repository at|unsafe repository \()\s*'(.*?)'", answer.said)
    if dubious and Path(dubious[1]).is_dir() and Path(dubious[1]).stat().st_uid == folder.stat().st_uid:
        # Whoever owns the project, whose tests are about to run here, owns its repository, too:
        # there is nobody left to protect from. In containers with mounted folders this is the rule.
        git = Git(folder=str(folder), options=("-c", f"safe.directory={dubious[1]}"))
        answer = git.ask("rev-parse", "--show-toplevel")
    if answer.code:
        if re.search("not a git repository|must be run in a work tree", answer.said):
            return None
        what = f"git cannot read {folder}"
        raise explained(what, answer.said)
    root = Path(os.fsdecode(answer.out).removesuffix("\n"))
    if folder != root and git.ask("check-ignore", "--quiet", ".").code == 0 and not git.run("ls-files", "-z"):
        return None
    return Git(folder=str(root), options=git.options)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it has started, if it still runs, and close its pipes."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):  # what was not yet written to it
                pipe.close()
    process.wait()


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        msg = "git is not installed where this task runs: install it, or use an image that has it."
        raise ConfigurationError(msg) from None


def _late(command: str, limit_s: float) -> BrokenRunError:
    return BrokenRunError(f"git {command} has not ended within {limit_s:g} s: is the server, or the disk, overloaded?")


def _answer(code: int, out: bytes, err: bytes) -> Answer:
    return Answer(code=code, out=out, said=without_credentials(err.decode(errors="replace").strip()))


def explained(what: str, said: str) -> MltestError:
    """Make an error of *what* failed and what git *said*: what it means, what to do, and whether a retry may help."""
    last = said.strip().splitlines()
    words = next((line for line in last if line.startswith(("fatal:", "error:", "ERROR:"))), last[-1] if last else "")
    for pattern, meaning, lasting in _MEANINGS:
        if re.search(pattern, said):
            kind = ConfigurationError if lasting else BrokenRunError
            return kind(f"{what}: {meaning}. git says: {words}")
    return BrokenRunError(f"{what}; git says: {words or 'nothing'}")


def without_credentials(text: str) -> str:
    """Take user names, passwords and tokens out of every URL in *text*; an ssh user alone stays, it is no secret."""
    text = re.sub(r"\b(https?|ftps?)://[^/\s@'\"]*@", r"\1://", text)
    text = re.sub(r"\b([a-z][a-z0-9+.-]*://[^/\s:@'\"]*):[^/\s@'\"]*@", r"\1@", text)
    return re.sub(r"\b(https?://[^\s?'\"]*)\?[^\s'\"]*", r"\1", text)
