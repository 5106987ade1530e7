"""The status of a commit at its forge, from a callback of a task or a DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import quote

from airflow.sdk import BaseNotifier

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.forge import State, Status, forge_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class CommitStatusNotifier(BaseNotifier):
    """
    Set a commit's status at GitHub, GitLab or Gitea, so that a failing DAG blocks the merge.

    For `on_execute_callback`, `on_success_callback` and `on_failure_callback` of a task, and the last
    two of a DAG. What goes wrong is a warning in the log: a status is news of a test, and no test.

    Args:
        git_conn_id: A connection of type git: its host is the repository's URL, its password a token
            that may set statuses.
        commit: Whose status it is; the whole SHA.
        state: `pending`, `success`, `failure`, or `error`, where it could not be tested.
        forge: `github`, `gitlab` or `gitea`; empty: by the name of the host.
        name: Whose status it is, which a branch's protection asks for.
        description: Why, in a line; empty: the error that the callback is called with, or the state.
    """

    template_fields = ("git_conn_id", "commit", "name", "description")

    def __init__(  # noqa: PLR0913  each a field of the forges' request
        self,
        *,
        git_conn_id: str,
        commit: str,
        state: State,
        forge: str = "",
        name: str = "airflow/{{ dag.dag_id }}",
        description: str = "",
    ) -> None:
        super().__init__()
        if state not in get_args(State):
            msg = f"the state of a commit is one of {', '.join(get_args(State))}, not {state!r}."
            raise ConfigurationError(msg)
        self.git_conn_id = git_conn_id
        self.commit = commit
        self.state = state
        self.forge = forge
        self.name = name
        self.description = description

    def notify(self, context: Context) -> None:
        """Set it; say in the log where that was, or why not."""
        try:
            where = self._set(context)
        except Exception as error:  # noqa: BLE001  nothing that goes wrong here is a reason to fail a task
            self.log.warning("Commit %s has no status %r: %s: %s", self.commit, self.state, type(error).__name__, error)
        else:
            self.log.info("Commit %s of %s has the status %r", self.commit, where, self.state)

    def _set(self, context: Context) -> str:
        from airflow.sdk import BaseHook

        connection = BaseHook.get_connection(self.git_conn_id)
        if not connection.password:
            msg = f"connection {self.git_conn_id!r} has no password: set it to a token that may set statuses."
            raise ConfigurationError(msg)
        try:
            forge = forge_of(connection.host or "", connection.password, self.forge)
        except ConfigurationError as error:
            msg = f"connection {self.git_conn_id!r}: {error}"
            raise ConfigurationError(msg) from None
        status = Status(
            state=self.state,
            name=self.name,
            description=self.description or _reason(context) or self.state,
            target_url=_link(context),
        )
        forge.set_status(self.commit, status)
        return forge.repository


def _reason(context: Any) -> str:
    """Give the error that ended a task, which names what has failed, or Airflow's word for what ended a DAG run."""
    return str(context.get("exception") or context.get("reason") or "").partition("\n")[0]


def _link(context: Any) -> str:
    """Point at the run's page, if this deployment says where it can be reached."""
    from airflow.sdk import conf

    base = conf.get("api", "base_url", fallback="") or ""
    if not base.startswith(("http://", "https://")):
        return ""
    return f"{base.rstrip('/')}/dags/{quote(context['dag'].dag_id, safe='')}/runs/{quote(context['run_id'], safe='')}"
