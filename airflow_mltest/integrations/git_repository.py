"""git: a work tree, its history, and the files between two commits."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from airflow_mltest.core.errors import BrokenRunError, ConfigurationError
from airflow_mltest.core.patch import new_lines
from airflow_mltest.folder import content_digest, files_below, is_file, line_count
from airflow_mltest.git_command import Git, end, explained, repository_of, without_credentials

if TYPE_CHECKING:
    import subprocess

# A file that moved is one that went and one that came; nobody's program or taste has a say.
_DIFF = ("diff", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
_SUBMODULE = b"160000"


class WorkTree:
    """
    The work tree that a folder lies in, as it is now, and the history below it; or just a folder.

    Everything is told in POSIX paths relative to `root`. Nothing is written, no program that the
    repository configures is started, and file names may be anything but valid UTF-8, too: what is
    not comes as surrogate escapes. A folder that its repository ignores (an environment's
    `site-packages`, a DAG bundle below a checkout) is one without git; the version of a DAG bundle
    that Airflow has taken from git is one with it, though it has no `.git`.

    A submodule's files are among `paths` and `changed`; `read` and `changed_lines` do not look
    into submodules.

    Args:
        folder: Any folder of the work tree, or a file in one.

    Attributes:
        root: The top level of the work tree; without git, the folder. Symbolic links are resolved.
        prefix: The folder as seen from there, empty for the top level itself.

    Raises:
        ConfigurationError: The folder is not there, or git may not read it.
    """

    def __init__(self, folder: str | Path) -> None:
        self._reader: subprocess.Popen[bytes] | None = None
        self._scratch = ""
        path = Path(folder).resolve()
        if not path.exists():
            msg = f"{str(folder)!r} is not there: name a folder that exists where this task runs."
            raise ConfigurationError(msg)
        inside = path if path.is_dir() else path.parent
        git = _version_of_bundle(inside)
        if git:
            self._scratch = git.env["GIT_DIR"]
        git = self._git = git or repository_of(inside)
        self.root = Path(git.folder) if git else inside
        relative = inside.relative_to(self.root).as_posix()
        self.prefix = "" if relative == "." else relative

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads old contents, and remove what was made for a bundle."""
        if self._reader is not None:
            end(self._reader)
            self._reader = None
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = ""

    def __del__(self) -> None:
        self.close()

    @cached_property
    def commit(self) -> str | None:
        """The commit that is checked out; None without git, or before the first commit."""
        if self._git is None:
            return None
        answer = self._git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return answer.out.decode().strip() or None

    @cached_property
    def origin(self) -> str:
        """The URL of the remote `origin`, without credentials; empty where there is none."""
        if self._git is None:
            return ""
        answer = self._git.ask("config", "--get", "remote.origin.url")
        return without_credentials(os.fsdecode(answer.out).strip())

    @property
    def digest(self) -> str:
        """
        Name the state of the tree: the commit, and a hash of what differs from it if anything does.

        Two trees of the same digest hold the same tracked and untracked, not ignored, files. Empty
        without git, and before the first commit.
        """
        if self.commit is None:
            return ""
        changed = sorted(self.changed(self.commit))
        if not changed:
            return self.commit
        state = hashlib.sha256()
        for path in changed:
            state.update(os.fsencode(path) + b"\0" + content_digest(self.root / path) + b"\0")
        return f"{self.commit}+{state.hexdigest()[:16]}"

    def paths(self) -> set[str]:
        """List every file there is: tracked, or untracked and not ignored; without git, every file."""
        if self._git is None:
            return set(files_below(self.root))
        listed = _names(self._git.run("ls-files", "-z", "--cached", "--recurse-submodules")) | self._untracked()
        return {path for path in listed if is_file(self.root / path)}

    def changed(self, base: str) -> set[str]:
        """
        List the files that differ between *base* and the tree as it is now, uncommitted and untracked ones included.

        Added, deleted and modified files; of a moved one, both names.

        Raises:
            ConfigurationError: There is no such commit.
        """
        commit = self.resolve(base)
        git = self._needed(base)
        found = _names(git.run(*_DIFF, "--name-only", "-z", commit, "--")) | self._untracked()
        for path in self._submodules(commit) & found:
            found |= self._inside(path, commit)
        return found

    def changed_lines(self, base: str) -> dict[str, set[int]]:
        """
        Number the lines that are new or different since *base*, from 1, for each file that is still there.

        A file that only lost lines has none; of an untracked one, every line is new.
        """
        commit = self.resolve(base)
        patch = self._needed(base).run(
            *_DIFF, "--unified=0", "--inter-hunk-context=0", "--no-color", "--src-prefix=a/", "--dst-prefix=b/",
            "--diff-filter=d", commit, "--",
        )  # fmt: skip
        lines = dict(new_lines(patch))
        for path in self._untracked():
            lines[path] = set(range(1, line_count(self.root / path) + 1))
        return lines

    def read(self, commit: str, path: str) -> bytes | None:
        """
        Give what *path* held at *commit*; None if it was no file then.

        One process answers for as many files as there are, each in about a tenth of a millisecond.
        Not for several threads at once.
        """
        if "\n" in path:  # the one name that cannot be asked for on a line
            answer = self._needed(commit).ask("cat-file", "blob", f"{commit}:{path}")
            return None if answer.code else answer.out
        if self._reader is None:
            self._reader = self._needed(commit).start("cat-file", "--batch")
        asked, answers = self._reader.stdin, self._reader.stdout
        assert asked is not None  # noqa: S101  it was started with pipes
        assert answers is not None  # noqa: S101
        asked.write(os.fsencode(f"{commit}:{path}\n"))
        asked.flush()
        header = answers.readline()
        if not header.endswith(b"\n"):
            self.close()
            msg = f"git cat-file ended while it read {path!r} at {commit}: is the repository in {self.root} complete?"
            raise BrokenRunError(msg)
        kind, _, size = header.rpartition(b" ")
        if not size.strip().isdigit():  # "NAME missing", "NAME ambiguous"
            return None
        content = answers.read(int(size) + 1)[:-1]
        return content if kind.endswith(b" blob") else None

    def resolve(self, ref: str) -> str:
        """
        Find the commit that a branch, a tag, a commit or an expression such as `HEAD~3` names.

        A branch that was never checked out here is looked for at `origin`.

        Raises:
            ConfigurationError: There is none; the message says how to get it.
        """
        git = self._needed(ref)
        if ref.startswith("-") or not ref.strip():
            msg = f"{ref!r} cannot name a commit: give a branch, a tag or a commit."
            raise ConfigurationError(msg)
        for name in (ref, f"refs/remotes/origin/{ref}"):
            answer = git.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
            if answer.code == 0:
                return answer.out.decode().strip()
        msg = f"the repository in {self.root} has no branch, tag or commit {ref!r}: {self._advice(ref)}."
        raise ConfigurationError(msg)

    def merge_base(self, one: str, other: str = "HEAD") -> str:
        """
        Find the newest commit that both descend from.

        Raises:
            ConfigurationError: There is none, as far as this clone's history goes.
        """
        answer = self._needed(one).ask("merge-base", self.resolve(one), self.resolve(other))
        if answer.code == 0:
            return answer.out.decode().strip()
        if answer.code > 1:
            what = f"git merge-base failed in {self.root}"
            raise explained(what, answer.said)
        msg = f"{one!r} and {other!r} have no common ancestor in {self.root}: {self._advice(one)}."
        raise ConfigurationError(msg)

    def ancestors(self, limit: int, start: str = "HEAD") -> list[str]:
        """List *start* and the commits before it, newest first, at most *limit*; none before the first commit."""
        if self.commit is None:
            return []
        return self._needed(start).text("rev-list", f"--max-count={limit}", self.resolve(start), "--").split()

    def _needed(self, ref: str) -> Git:
        if self._git is None:
            Git(folder=str(self.root)).run("--version")  # tells if that is what is missing
            msg = f"{self.root} is in no git repository, it has no {ref!r}: check it out with git, or name no commit."
            raise ConfigurationError(msg)
        return self._git

    def _untracked(self) -> set[str]:
        assert self._git is not None  # noqa: S101  whoever asks has looked
        found = _names(self._git.run("ls-files", "-z", "--others", "--exclude-standard"))
        nested = {name for name in found if name.endswith("/")}  # somebody's clone within this one
        return (found - nested).union(*(self._inside(name.rstrip("/")) for name in nested))

    def _submodules(self, commit: str) -> set[str]:
        """List submodules, of *commit* or of now."""
        git = self._needed(commit)
        if not (self.root / ".gitmodules").exists() and self.read(commit, ".gitmodules") is None:
            return set()
        listed = git.run("ls-tree", "-r", "-z", "--full-tree", commit) + git.run("ls-files", "-z", "--stage")
        entries = [entry.partition(b"\t") for entry in listed.split(b"\0")]
        return {os.fsdecode(path) for kind, _, path in entries if kind.startswith(_SUBMODULE)}

    def _inside(self, path: str, commit: str = "") -> set[str]:
        """List the files of a repository within this one: those that changed, or all when its history cannot tell."""
        if not (self.root / path / ".git").exists():
            return set()
        base = ""
        if commit:
            entry = self._needed(commit).run("ls-tree", "-z", commit, "--", path)
            base = entry.partition(b"\t")[0].rpartition(b" ")[2].decode()
        with WorkTree(self.root / path) as inner:
            try:
                found = inner.changed(base) if base else inner.paths()
            except ConfigurationError:
                found = inner.paths()
        return {f"{path}/{name}" for name in found}

    def _advice(self, ref: str) -> str:
        git = self._needed(ref)
        if git.text("rev-parse", "--is-shallow-repository") == "true":
            return "the clone is shallow, so fetch more history (`git fetch --unshallow`, or a fetch depth of 0 in CI)"
        return f"fetch it (`git fetch origin {ref.removeprefix('origin/')}`), or name one that is there"


def _names(listed: bytes) -> set[str]:
    return {os.fsdecode(name) for name in listed.split(b"\0") if name}


def _version_of_bundle(folder: Path) -> Git | None:
    """
    Find the commit that *folder* is a copy of, in the layout of Airflow's git bundles.

    There, `versions/COMMIT` has no `.git` of its own, but `bare` beside it has the history. A
    folder of ours tells git that it is a work tree of that: with a head and an index of its own.
    """
    for root in (folder, *folder.parents[:-2]):
        bare = root.parent.parent / "bare"
        if root.parent.name != "versions" or (root / ".git").exists() or not (bare / "HEAD").exists():
            continue
        scratch = Path(tempfile.mkdtemp(prefix="mltest-git-"))
        (scratch / "commondir").write_text(f"{bare}\n")
        (scratch / "HEAD").write_text("ref: refs/heads/none\n")
        git = Git(folder=str(root), env={"GIT_DIR": str(scratch), "GIT_WORK_TREE": str(root)})
        with suppress(ConfigurationError, BrokenRunError):
            commit = git.text("rev-parse", "--verify", f"{root.name}^{{commit}}")
            (scratch / "HEAD").write_text(f"{commit}\n")
            git.run("read-tree", commit)
            git.ask("update-index", "-q", "--refresh")
            return git
        shutil.rmtree(scratch)
    return None
