"""git: the heads of a repository, near or far."""

from __future__ import annotations

import difflib
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.git_command import Answer, Git, explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_mltest.git_command import Remote

_LIMIT_S = 60.0
_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"


def heads(remote: Remote, branch: str) -> dict[str, str]:
    """
    Ask for the commit of every branch and tag, by full name: one request; for every ref if *branch* is of another kind.

    Of a tag with a message, it is the commit that the tag is on.

    Raises:
        ConfigurationError: There is no such repository, or no access to it.
        BrokenRunError: It does not answer.
    """
    return _read(remote, _git(remote).ask(*_question(remote, branch), limit_s=_LIMIT_S))


async def heads_soon(remote: Remote, branch: str) -> dict[str, str]:
    """Do as `heads` does while the event loop goes on."""
    return _read(remote, await _git(remote).ask_soon(*_question(remote, branch), limit_s=_LIMIT_S))


def full_name(branch: str) -> str:
    """Spell a branch, or a pattern of branches, as a ref; what begins with `refs/` is one already."""
    return branch if branch.startswith("refs/") else _BRANCHES + branch


def is_pattern(branch: str) -> bool:
    """Tell a pattern from a name; git allows none of these letters in one."""
    return re.search(r"[*?\[]", branch) is not None


def matching(heads: Mapping[str, str], branch: str) -> dict[str, str]:
    """Pick the refs that *branch* means: one by its name, or all that a pattern such as `release/*` fits."""
    pattern = full_name(branch)
    if not is_pattern(branch):
        return {pattern: heads[pattern]} if pattern in heads else {}
    return {ref: commit for ref, commit in heads.items() if fnmatchcase(ref, pattern)}


def only_branches_and_tags(branch: str) -> bool:
    """Say whether all that *branch* can mean is a branch or a tag, which is cheaper to ask for."""
    return full_name(branch).startswith((_BRANCHES, _TAGS))


def unknown_branch(remote: Remote, branch: str, heads: Iterable[str]) -> ConfigurationError:
    """Make the error for a branch that is not there: which one was meant?"""
    names = [ref.removeprefix(_BRANCHES) for ref in heads]
    near = difflib.get_close_matches(branch, names, n=3) or sorted(names)[:5]
    there = ", ".join(near) or "nothing: it is empty"
    return ConfigurationError(f"the repository {remote} has no branch {branch!r}; it has {there}.")


def _git(remote: Remote) -> Git:
    # Not where this process happens to be: the configuration of a repository there would count.
    return Git(folder="/", env=remote.env)


def _question(remote: Remote, branch: str) -> tuple[str, ...]:
    return ("ls-remote", *(("--heads", "--tags") if only_branches_and_tags(branch) else ()), "--", remote.url)


def _read(remote: Remote, answer: Answer) -> dict[str, str]:
    if answer.code:
        what = f"cannot read the repository {remote}"
        raise explained(what, answer.said)
    lines = [line.partition("\t") for line in answer.out.decode(errors="surrogateescape").splitlines()]
    found = {ref: commit for commit, _, ref in lines}
    peeled = {ref.removesuffix("^{}"): commit for ref, commit in found.items() if ref.endswith("^{}")}
    return {ref: commit for ref, commit in (found | peeled).items() if not ref.endswith("^{}")}
