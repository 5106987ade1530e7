"""git: clean work trees at a commit, from mirrors on this machine."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.file_lock import locked
from airflow_mltest.folder import marks, put_back, remove
from airflow_mltest.git_command import Git, explained
from airflow_mltest.git_mirror import Mirror, formats, prune

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_mltest.git_command import Remote

_SPARES, _SPARE_S = 4, 3600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOut:
    """
    A clean work tree, for as long as its `with` lasts.

    Args:
        folder: What was asked for in it.
        commit: The commit, in full.
        name: The repository's URL: the same on every worker, without credentials.
    """

    folder: Path
    commit: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkouts:
    """
    The checkouts of one machine, and the mirrors that they come from.

    A mirror is a bare repository, fetched only when a commit is not there. Each checkout is a
    repository of its own that borrows the mirror's objects and has its branches and tags. Any
    number of processes may share the folder, which belongs on a local disk. What a killed one
    leaves behind, the next removes.

    A tree that a task is done with is a spare for an hour: the next task on the repository gets it
    with a new `.git`, without what is not as it was checked out (by inode, size, times and mode),
    and with only those files written anew. On a busy disk, making files is what takes long.

    Args:
        folder: Where all of it is kept.
        unused_s: A mirror that no checkout came from for so many seconds goes; 14 days.
        most_bytes: When mirrors are larger together, those longest unused go.
    """

    folder: Path
    unused_s: float = 14 * 24 * 3600
    most_bytes: int = 20 * 2**30

    @contextmanager
    def open(self, remote: Remote, commit: str, *, path: str = "", submodules: bool = False) -> Iterator[CheckedOut]:
        """
        Check *commit* out for the time of a `with`.

        Args:
            remote: The repository.
            commit: A commit, or a branch or tag, which is looked up in the repository now.
            path: The folder in it that is wanted.
            submodules: Whether its submodules are fetched, anew each time.

        Raises:
            ConfigurationError: There is no such repository, commit or folder.
            BrokenRunError: The server or the disk did not do what it should.
        """
        if not commit.strip() or commit.startswith("-"):
            msg = f"{commit!r} cannot name a commit of {remote}: give a commit, a branch or a tag."
            raise ConfigurationError(msg)
        with ExitStack() as stack:
            try:
                self._sweep()
                tree, found = self._check_out(remote, commit, stack, spare=not submodules)
                if submodules:
                    Git(folder=str(tree), env=remote.env).run("submodule", "--quiet", "update", "--init", "--recursive")
            except OSError as error:
                what = f"cannot check {commit} of {remote} out below {self.folder}"
                raise explained(what, str(error)) from error
            yield CheckedOut(folder=_inside(tree, path, f"{found} of {remote}"), commit=found, name=remote.url)

    @property
    def _trees(self) -> Path:
        return self.folder / "trees"

    def _check_out(self, remote: Remote, commit: str, stack: ExitStack, *, spare: bool) -> tuple[Path, str]:
        """Make a tree that lasts as long as *stack*; a mirror that turns out to be damaged is made anew, once."""
        mirror = Mirror(parent=self.folder / "mirrors", remote=remote)
        try:
            return self._tree(mirror, commit, stack, spare=spare)
        except (BrokenRunError, ConfigurationError) as error:
            if not mirror.drop_if_damaged(error):
                raise
            _log.warning("The mirror of %s was damaged, so it is fetched anew: %s", remote, error)
        return self._tree(mirror, commit, stack, spare=spare)

    def _tree(self, mirror: Mirror, commit: str, stack: ExitStack, *, spare: bool) -> tuple[Path, str]:
        with ExitStack() as attempt:
            attempt.enter_context(mirror.in_use())
            found = mirror.find(commit)
            if not found:
                found = mirror.fetch(commit)
                prune(mirror.parent, unused_s=self.unused_s, most_bytes=self.most_bytes)
            tree = attempt.enter_context(self._place(mirror, spare=spare))
            _fill(tree, mirror, found)
            stack.push(attempt.pop_all())
        return tree, found

    @contextmanager
    def _place(self, mirror: Mirror, *, spare: bool) -> Iterator[Path]:
        """Give a folder to check out in, spare or empty; the next removes it if this process is killed."""
        with ExitStack() as stack:
            tree = self._take_spare(mirror, stack) if spare else None
            if tree is None:
                tree = self._trees / secrets.token_hex(8)
                stack.enter_context(locked(tree.with_suffix(".lock")))
                tree.mkdir()
            try:
                yield tree
            finally:
                spares = [mark for mark in self._trees.glob("*.spare") if _text(mark) == mirror.folder.name]
                if spare and tree.with_suffix(".marks").exists() and len(spares) < _SPARES:
                    tree.with_suffix(".spare").write_text(mirror.folder.name)
                else:
                    _remove(tree)

    def _take_spare(self, mirror: Mirror, stack: ExitStack) -> Path | None:
        for mark in self._trees.glob("*.spare"):
            if _text(mark) != mirror.folder.name:
                continue
            # Another may have taken it, and be done with it, since it was listed.
            with suppress(BrokenRunError, FileNotFoundError), ExitStack() as attempt:
                attempt.enter_context(locked(mark.with_suffix(".lock"), limit_s=0))
                mark.unlink()  # from here on it goes with this process
                stack.push(attempt.pop_all())
                return mark.with_suffix("")
        return None

    def _sweep(self) -> None:
        """Remove what processes that are gone have left, and spares that nobody has taken for long."""
        for lock in self._trees.glob("*.lock"):
            with suppress(BrokenRunError, OSError), locked(lock, limit_s=0):
                spare = lock.with_suffix(".spare")
                mirror = self.folder / "mirrors" / (_text(spare) or "none")
                if not mirror.exists() or time.time() - spare.stat().st_mtime > _SPARE_S:
                    _remove(lock.with_suffix(""))


def _fill(tree: Path, mirror: Mirror, commit: str) -> None:
    """Make *tree* a repository at *commit*; a spare one as far as it is what it was, else from nothing."""
    kept = tree.with_suffix(".marks")
    if kept.exists():
        try:
            before = json.loads(kept.read_text())
            kept.unlink()
            remove(tree / ".git")
            same = put_back(tree, before["marks"])
            _lay_out(tree, mirror, commit, index=tree.with_suffix(".index"))
            _keep(tree, commit, before["marks"] if same and before["commit"] == commit else None)
        except (OSError, ValueError, KeyError, BrokenRunError) as error:
            _log.info("The spare tree %s cannot be used: %s", tree, error)
            remove(tree)
            tree.mkdir()
        else:
            return
    _lay_out(tree, mirror, commit)
    _keep(tree, commit)


def _lay_out(tree: Path, mirror: Mirror, commit: str, index: Path | None = None) -> None:
    """Make a repository of its own, which borrows what the mirror holds, and write the files that *index* lacks."""
    own = tree / ".git"
    env = {**formats(commit), "GIT_DIR": str(own), "GIT_WORK_TREE": str(tree)}
    git = Git(folder=str(tree), env=env, options=("-c", "core.autocrlf=false", "-c", "checkout.workers=4"))
    git.run("init", "--quiet", "--template=")
    (own / "objects" / "info").mkdir(exist_ok=True)
    (own / "objects" / "info" / "alternates").write_text(f"{mirror.folder}/objects\n")
    if (mirror.folder / "packed-refs").exists():
        shutil.copyfile(mirror.folder / "packed-refs", own / "packed-refs")
    with (own / "config").open("a") as config:
        address = json.dumps(mirror.remote.url, ensure_ascii=False)
        branches = "+refs/heads/*:refs/remotes/origin/*"
        config.write(f'[gc]\n\tauto = 0\n[remote "origin"]\n\turl = {address}\n\tfetch = {branches}\n')
    (own / "HEAD").write_text(f"{commit}\n")
    if index is not None:
        shutil.copy2(index, own / "index")
    git.run("reset", "--quiet", "--hard")


def _keep(tree: Path, commit: str, marked: dict[str, list[int]] | None = None) -> None:
    """Keep how the tree is now, outside of it, for whoever gets it next."""
    if marked is None:
        marked = marks(tree)
        index = tree.with_suffix(".index")
        shutil.copyfile(tree / ".git" / "index", index)
        # Files of the index's own second are read again by git, all of them; the marks are finer.
        os.utime(index, (time.time() + 2,) * 2)
    tree.with_suffix(".marks").write_text(json.dumps({"commit": commit, "marks": marked}))


def _remove(tree: Path) -> None:
    """Remove a tree and what belongs to it, its lock last; what cannot be removed now, the next one tries again."""
    remove(tree)
    if not tree.exists():
        for kind in (".spare", ".marks", ".index", ".lock"):
            tree.with_suffix(kind).unlink(missing_ok=True)


def _text(mark: Path) -> str:
    with suppress(OSError):
        return mark.read_text()
    return ""


def _inside(tree: Path, path: str, where: str) -> Path:
    top = tree.resolve()
    found = (top / path).resolve()
    if not found.is_relative_to(top) or not found.exists():
        msg = f"there is no folder {path!r} in commit {where}: give one relative to the repository's top level."
        raise ConfigurationError(msg)
    return found
