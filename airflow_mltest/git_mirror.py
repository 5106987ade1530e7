"""A repository's mirror on this machine, fetched only when a commit is not there."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.file_lock import locked
from airflow_mltest.folder import remove
from airflow_mltest.git_command import Answer, Git, explained, without_credentials
from airflow_mltest.processes import KeptProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_mltest.git_command import Remote

_LIMIT_S = 3600.0
_MANY_PACKS = 40
_DAMAGE = (
    "corrupt|bad object|unable to (read|parse)|missing (blob|tree|commit)|inflate|not a git repository|loose object"
    "|pack(file| ).*(not match|index|bad|short|truncated|cannot)|index file|packed-refs|unresolved delta|bad config"
)
_NOT_THERE = "not our ref|unadvertised object|couldn't find remote ref|no such remote ref"
# A fetch is one pack, in place at once or not at all.
_FETCH = ("-c", "fetch.unpackLimit=1", "-c", "fetch.writeCommitGraph=false", "fetch", "--quiet", "--update-shallow",
          "--no-recurse-submodules")  # fmt: skip
# A branch of the repository is one of `origin`, as in every clone: `origin/main` means the same in a checkout.
_BRANCHES, _TAGS = "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """
    A bare repository with all that a remote one has had, since it is here.

    Its branches are those of `origin`, as in every clone. Any number of processes may use it, and
    may be killed at any moment: the next fetch removes what they left.

    Args:
        parent: The folder of all mirrors.
        remote: The repository.
    """

    parent: Path
    remote: Remote

    @property
    def folder(self) -> Path:
        """Where it is; two connections have two, since what came by one is not for those who have the other."""
        key = hashlib.sha256(f"{self.remote.name}\n{self.remote.url}".encode()).hexdigest()[:16]
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.remote.url.removesuffix(".git"))[-40:].strip("-")
        return self.parent / f"{name}-{key}"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep others from removing it, for the time of a `with`."""
        lock = self.folder.with_suffix(".use")
        with locked(lock, shared=True):
            os.utime(lock)
            yield

    def find(self, name: str) -> str:
        """Give the commit that *name* means, if it is here and cannot have moved; else nothing."""
        return _resolve(self._git(name), name) if _is_whole(name) and self.folder.exists() else ""

    def fetch(self, name: str) -> str:
        """
        Bring the mirror up to date, and give the commit that *name* means then.

        Raises:
            ConfigurationError: There is no such repository or commit.
            BrokenRunError: The server or the disk did not do what it should.
        """
        with locked(self.folder.with_suffix(".write")) as lock:
            # While this task waited, another may have fetched it.
            found = self.find(name) or _fetch(self._git(name), self.remote, name, lock)
        if not found:
            msg = f"the repository {self.remote} has no branch, tag or commit {name!r}: was it pushed?"
            raise ConfigurationError(msg)
        return found

    def drop_if_damaged(self, error: Exception) -> bool:
        """Remove it if that is what *error* says, and nobody uses it: it can be fetched anew."""
        said = str(error)
        return "the disk is full" not in said and re.search(_DAMAGE, said) is not None and _drop(self.folder)

    def _git(self, name: str) -> Git:
        folder = str(self.folder)
        return Git(folder=folder, env={**self.remote.env, **formats(name), "GIT_DIR": folder})


def prune(parent: Path, *, unused_s: float, most_bytes: int) -> None:
    """
    Remove mirrors that nobody has used for long, and more of them while all are too large together.

    Args:
        parent: The folder of all mirrors.
        unused_s: How long is long.
        most_bytes: How large is too large.
    """
    with suppress(FileNotFoundError):  # another process prunes as well
        for gone in parent.glob("*.gone"):
            remove(gone)
        used_at = {lock.with_suffix(""): lock.stat().st_mtime for lock in parent.glob("*.use")}
        sizes = {mirror: _size(mirror) for mirror in used_at}
        for mirror in sorted(used_at, key=used_at.__getitem__):
            unused = time.time() - used_at[mirror] > unused_s
            if (unused or sum(sizes.values()) > most_bytes) and _drop(mirror):
                _log.info("Removed the mirror %s, which no task uses.", mirror)
                del sizes[mirror]


def _fetch(git: Git, remote: Remote, commit: str, lock: int) -> str:
    """Bring the mirror up to date, and find the commit in it; it is made, or mended, if it is not whole."""
    mirror = Path(git.folder)
    mirror.mkdir(parents=True, exist_ok=True)
    _clear(mirror)
    git.run("init", "--quiet", "--bare", "--template=")
    what = f"cannot fetch {remote}"
    answer = _kept(git, lock, *_FETCH, "--prune", "--", remote.url, _BRANCHES, _TAGS)
    if answer.code:
        _clear(mirror)  # half a pack may be what fills the disk
        raise explained(what, answer.said)
    found = _resolve(git, commit)
    if not found and _is_whole(commit):
        # On none of the branches, such as the head of a pull request; not every server gives it.
        answer = _kept(git, lock, *_FETCH, "--", remote.url, f"+{commit}:refs/commits/{commit}")
        if answer.code and not re.search(_NOT_THERE, answer.said):
            raise explained(what, answer.said)
        found = _resolve(git, commit)
    git.run("pack-refs", "--all")
    many = sum(1 for _ in mirror.glob("objects/pack/*.pack")) > _MANY_PACKS
    if many and git.ask("repack", "--geometric=2", "-d", "--quiet").code:  # cheap, and new in git 2.32
        git.ask("repack", "-a", "-d", "--keep-unreachable", "--quiet")
    return found


def _clear(mirror: Path) -> None:
    """Remove what looks like git at work: it holds the lock, too, so it is of one that was killed."""
    for left in (*mirror.rglob("*.lock"), *mirror.glob("objects/pack/tmp_*")):
        left.unlink(missing_ok=True)


def _resolve(git: Git, commit: str) -> str:
    """Find what *commit* names in a mirror, a branch before a tag; empty if it is nothing."""
    name = commit.removeprefix("refs/heads/")
    for ref in (commit,) if _is_whole(commit) else (f"refs/remotes/origin/{name}", f"refs/tags/{commit}", commit):
        answer = git.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if answer.code == 0:
            return answer.out.decode().strip()
    return ""


def _is_whole(commit: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit) is not None


def formats(commit: str) -> dict[str, str]:
    """Say in git's variables how a new repository is to be laid out, so that it can hold *commit*."""
    return {"GIT_DEFAULT_HASH": "sha256" if len(commit) == 64 else "sha1", "GIT_DEFAULT_REF_FORMAT": "files"}  # noqa: PLR2004


def _kept(git: Git, lock: int, *args: str) -> Answer:
    """Run a command that holds the lock, and that does not outlive this process, however that ends."""
    deadline_s = time.monotonic() + _LIMIT_S
    with tempfile.TemporaryFile() as output:
        process = KeptProcess(git.argv(*args), cwd="/", env=git.environment(), output=output, pass_fds=(lock,))
        try:
            while process.poll() is None and time.monotonic() < deadline_s:
                time.sleep(0.01)
        finally:
            code = process.close()
        output.seek(0)
        return Answer(code=code, out=b"", said=without_credentials(output.read().decode(errors="replace").strip()))


def _drop(mirror: Path) -> bool:
    """Remove a mirror, unless somebody uses it."""
    used, gone = mirror.with_suffix(".use"), mirror.with_suffix(".gone")
    with suppress(BrokenRunError), locked(used, limit_s=0):
        remove(gone)
        with suppress(FileNotFoundError):
            mirror.rename(gone)
        mirror.with_suffix(".write").unlink(missing_ok=True)
        used.unlink()
        remove(gone)
        return True
    return False


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
