"""GitHub, GitLab and Gitea: the status of a commit, set by the request that each of them documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast, get_args
from urllib.parse import quote, urlsplit

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.http_client import HttpClient

if TYPE_CHECKING:
    import httpx

State = Literal["pending", "success", "failure", "error"]
Kind = Literal["github", "gitlab", "gitea"]

_REFUSED, _UNAUTHORISED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_DESCRIPTION = 140
_PATIENCE_S = 20.0
# Forgejo, which Codeberg runs, has Gitea's API.
_KNOWN_AS: dict[str, Kind] = {"github": "github", "gitlab": "gitlab", "gitea": "gitea", "codeberg": "gitea"}
_GITLAB_STATES = {"pending": "pending", "success": "success", "failure": "failed", "error": "failed"}
_RIGHTS = {
    "github": "`repo:status`, or write access to commit statuses",
    "gitlab": "`api`, as a developer at least",
    "gitea": "`write:repository`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """
    What a commit's page shows, and what a branch's protection may ask for.

    Args:
        state: How it stands.
        name: Whose status it is; another one of that name is replaced.
        description: Why, in a line; what is longer than 140 characters is cut.
        target_url: Where more is told; empty: nowhere.
    """

    state: State
    name: str
    description: str = ""
    target_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """
    A repository where it is hosted.

    Args:
        kind: Whose API it has.
        url: Of the server.
        repository: Its path there, such as `team/code`.
        token: An access token that may set statuses.
    """

    kind: Kind
    url: str
    repository: str
    token: str = field(repr=False)

    def set_status(self, commit: str, status: Status) -> None:
        """
        Set the status of *commit*; the same one may be set twice.

        Raises:
            ConfigurationError: The forge refuses, or no commit is named.
            BrokenRunError: It does not answer.
        """
        if not commit:
            msg = f"there is no commit of {self.repository} to set the status of: its name is empty."
            raise ConfigurationError(msg)
        api, path, headers = self._place(commit)
        with HttpClient(
            api, name=self.kind, headers=headers, secrets=[self.token], patience_s=_PATIENCE_S
        ) as client:  # fmt: skip
            answer = client.send("POST", path, json=self._body(status))
            if answer.status_code >= _REFUSED and not self._stands_already(answer, status):
                raise ConfigurationError(self._refusal(answer, commit, client.tell(answer.text)))

    def _place(self, commit: str) -> tuple[str, str, dict[str, str]]:
        """Give the API's URL, the status's path, and the headers that let in."""
        sha = quote(commit, safe="")
        if self.kind == "gitlab":
            path = f"/projects/{quote(self.repository, safe='')}/statuses/{sha}"
            return f"{self.url}/api/v4", path, {"PRIVATE-TOKEN": self.token}
        path = f"/repos/{quote(self.repository)}/statuses/{sha}"
        if self.kind == "gitea":
            return f"{self.url}/api/v1", path, {"Authorization": f"token {self.token}"}
        api = "https://api.github.com" if self.url == "https://github.com" else f"{self.url}/api/v3"
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return api, path, headers

    def _body(self, status: Status) -> dict[str, Any]:
        line = " ".join(status.description.split())
        body = {
            "state": _GITLAB_STATES[status.state] if self.kind == "gitlab" else status.state,
            "context": status.name,
            "description": line if len(line) <= _DESCRIPTION else f"{line[: _DESCRIPTION - 1]}…",
        }
        return {**body, "target_url": status.target_url} if status.target_url else body

    def _stands_already(self, answer: httpx.Response, status: Status) -> bool:
        """Tell whether GitLab refuses since the commit has that status: to it, each is a job that moves on."""
        found = re.search(r"Cannot transition status via \S+ from :(\w+)", answer.text)
        if self.kind != "gitlab" or not found:
            return False
        wanted = _GITLAB_STATES[status.state]
        return found[1] == wanted or (wanted == "pending" and found[1] == "running")

    def _refusal(self, answer: httpx.Response, commit: str, said: str) -> str:
        where = f"{self.kind} at {self.url}"
        if answer.status_code == _UNAUTHORISED:
            return f"{where} does not take the token ({said}): it is wrong, or has expired."
        if answer.status_code == _FORBIDDEN:
            return f"{where} does not let the token set a status ({said}): it needs {_RIGHTS[self.kind]}."
        if answer.status_code == _NOT_FOUND:
            return (
                f"{where} shows the token no commit {commit!r} of {self.repository!r} ({said}): "
                f"is it there, and has the token {_RIGHTS[self.kind]}?"
            )
        return f"{where} refuses the status of {commit!r} of {self.repository!r} ({answer.status_code}): {said}"


def forge_of(address: str, token: str, kind: str = "") -> Forge:
    """
    Give the forge that hosts the repository at *address*, as git knows it.

    Args:
        address: `https://host/team/code.git`, `git@host:team/code.git` or `ssh://git@host/team/code.git`;
            a user and a password in it are not used.
        token: An access token.
        kind: Whose API it has; empty: by the host's name.

    Raises:
        ConfigurationError: The address is of no forge, or of none that is known by its name.
    """
    short = re.fullmatch(r"(?:[^@/]+@)?([^:/@]+):(?!//)(.+)", address)
    parts = urlsplit(f"ssh://{short[1]}/{short[2]}" if short else address)
    folders = parts.path.strip("/").removesuffix(".git").split("/")
    if not parts.hostname or len(folders) < len(("team", "code")):
        msg = "this is no repository of a forge: give a URL such as https://github.com/team/code.git."
        raise ConfigurationError(msg)
    known = next((_KNOWN_AS[word] for word in parts.hostname.split(".") if word in _KNOWN_AS), "")
    if (kind or known) not in get_args(Kind):
        msg = f"{kind or parts.hostname!r} is none of the forges {', '.join(get_args(Kind))}: say which it is."
        raise ConfigurationError(msg)
    # The port of ssh is not that of the API.
    server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.scheme[:4] == "http" else ""
    server = server or f"https://{parts.hostname}"
    chosen = cast("Kind", kind or known)
    # GitLab nests groups; the others have a team and a repository, and before them the path that they are served under.
    under = [] if chosen == "gitlab" else folders[:-2]
    return Forge(kind=chosen, url="/".join([server, *under]), repository="/".join(folders[len(under) :]), token=token)
