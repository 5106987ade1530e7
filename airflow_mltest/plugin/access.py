"""Who may see what: a login for every page, and for what is said of a DAG the right to its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_access_view
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

# The results are what tasks have pushed, and more of the same.
_RESULTS = DagAccessEntity.XCOM
LOGIN = Depends(requires_access_view(AccessView.WEBSITE))


def _one(dag_id: Annotated[str, Query(min_length=1)]) -> str:
    """Refuse Airflow's wildcard, for which it checks no single DAG."""
    if dag_id == "~":
        raise HTTPException(404, "Name one DAG.")
    return dag_id


OF_DAG = [Depends(requires_access_dag("GET", _RESULTS)), Depends(_one)]


def readable(user: BaseUser, dag_ids: Iterable[str]) -> list[str]:
    """Choose of *dag_ids* those whose results *user* may read, as the pages of each would say."""
    asked = list(dag_ids)
    teams = DagModel.get_dag_id_to_team_name_mapping(asked) if asked else {}
    manager = get_auth_manager()
    return [
        dag_id
        for dag_id in asked
        if dag_id not in {"", "~"}
        and manager.is_authorized_dag(
            method="GET",
            access_entity=_RESULTS,
            details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
            user=user,
        )
    ]
