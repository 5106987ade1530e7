"""An Airflow git connection becomes a repository, and a clean work tree."""

from __future__ import annotations

import os
import re
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltest.core.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_mltest.git_command import Remote
    from airflow_mltest.integrations.git_checkout import CheckedOut

# Airflow's hook passes credentials on through the environment of this whole process. Here they
# are only for one command, so nobody else may look in between.
_ENVIRONMENT = threading.Lock()


class Repository:
    """
    A git repository: a URL, a path, or the id of an Airflow connection of type `git`.

    What has no slash and no colon in it is a connection's id; a folder beside is `./folder`. Of a
    connection, everything that Airflow's own git provider understands counts: user and token, ssh
    key, proxy, GitHub App.

    Args:
        name: Which one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._hook: Any = None

    @contextmanager
    def remote(self) -> Iterator[Remote]:
        """
        Give the repository and the way in, for the time of a `with`; not inside an event loop's thread.

        Raises:
            ConfigurationError: There is no such connection, or it names no repository.
            MissingExtraError: Airflow's git provider is not installed, and a connection needs it.
        """
        from airflow_mltest.git_command import Remote

        if not re.fullmatch(r"[\w.-]+", self.name) or self.name.startswith("."):
            yield Remote(url=_address(self.name))
            return
        hook = self._hook = self._hook or _git_hook(self.name)
        if not hook.repo_url:
            msg = f"connection {self.name!r} has no host: set it to the repository's URL, such as https://host/team/code.git."
            raise ConfigurationError(msg)
        with _credentials(hook) as env:
            yield Remote(url=_address(hook.repo_url), env=env, name=self.name)

    def forget(self) -> None:
        """Read the connection anew the next time: it may have changed."""
        self._hook = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """
    A repository at a commit, as the `project` of a testing task: each task gets a clean work tree.

    The work tree comes from a mirror on the worker, which is fetched only when the commit is not
    in it, and is removed when the task ends. It is a repository of its own, with the branches and
    tags of the mirror, so a change since `main` can be told in it. Files of Git LFS are what the
    worker's git makes of them: pointers, unless `git lfs install` was run there.

    Every field may be a template. A branch or a tag is looked up by each task anew; give a commit
    where several tasks are to test the same one.

    Args:
        repository: A URL, a path, or the id of an Airflow connection of type `git`.
        commit: A commit; a branch or tag for its newest.
        path: The project's folder in the repository; empty: its top level.
        submodules: Whether submodules are fetched too, anew for each task; else their folders are empty.
    """

    repository: str
    commit: str
    path: str = ""
    submodules: bool = False

    @contextmanager
    def open(self, commit: str = "") -> Iterator[CheckedOut]:
        """
        Make the work tree for the time of a `with`.

        Args:
            commit: What to check out instead: the commit that another task has found.

        Raises:
            ConfigurationError: There is no such repository, commit or folder.
            BrokenRunError: The server or the disk did not do what it should.
        """
        from airflow_mltest.integrations.git_checkout import Checkouts
        from airflow_mltest.settings import load_settings

        checkouts = Checkouts(folder=Path(load_settings().checkout_cache))
        with ExitStack() as stack:
            with Repository(self.repository).remote() as remote:
                found = checkouts.open(remote, commit or self.commit, path=self.path, submodules=self.submodules)
                checked_out = stack.enter_context(found)
            yield checked_out

    def resolve(self, context: Context) -> Checkout:
        """Render the templates; Airflow calls it where this is the value of a templated field."""
        from airflow.sdk import BaseOperator

        task: Any = context.get("task") or BaseOperator(task_id="checkout")
        fields = {name: task.render_template(getattr(self, name), context) for name in ("repository", "commit", "path")}
        return replace(self, **fields)

    def __str__(self) -> str:
        from airflow_mltest.git_command import without_credentials

        return f"{without_credentials(self.repository)} at {self.commit}" + f", {self.path}" * bool(self.path)

    __repr__ = __str__


def _address(text: str) -> str:
    """Make a path absolute, and leave a URL as it is."""
    is_url = "://" in text or re.match(r"[^/]+:", text)
    return text if is_url else os.path.abspath(Path(text).expanduser())  # noqa: PTH100  pathlib keeps `..`


def _git_hook(conn_id: str) -> Any:
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        from airflow.providers.git.hooks.git import GitHook
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("airflow.providers.git"):
            raise
        msg = (
            f"connection {conn_id!r} needs apache-airflow-providers-git, which is not installed: "
            "run `pip install 'airflow-mltest[git]'` where this task runs."
        )
        raise MissingExtraError(msg, name="airflow.providers.git") from error
    try:
        return GitHook(conn_id)
    except AirflowNotFoundException:
        msg = f"there is no connection {conn_id!r}: create one of type git, or give a URL or a path (`./{conn_id}`)."
        raise ConfigurationError(msg) from None
    except ValueError as error:
        msg = f"connection {conn_id!r} cannot work: {error}"
        raise ConfigurationError(msg) from error


@contextmanager
def _credentials(hook: Any) -> Iterator[dict[str, str]]:
    """Give the variables that let git in, and keep them out of this process's own environment."""
    with ExitStack() as stack:
        with _ENVIRONMENT:
            before = dict(os.environ)
            configured = hook.configure_hook_env()
            try:
                configured.__enter__()
            finally:
                for name in os.environ.keys() - before.keys():
                    del os.environ[name]
                os.environ.update(before)

        @stack.callback
        def leave() -> None:
            with _ENVIRONMENT:
                configured.__exit__(None, None, None)

        yield dict(hook.env)
