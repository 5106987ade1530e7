"""Give an alias back, on demand: to the version before, or to the one that is named."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_mltest.operators.promote import RollbackOperator

with DAG(
    "model_rollback",
    schedule=None,
    catchup=False,
    params={
        "model": Param("late-flights", type="string", description="The registered model."),
        "alias": Param("champion", type="string", description="The alias to move."),
        "to": Param("", type="string", description="The version to go back to; empty: the one before."),
    },
    doc_md=__doc__,
    tags=["mltest"],
) as dag:
    RollbackOperator(task_id="roll_back", model="{{ params.model }}", alias="{{ params.alias }}", to="{{ params.to }}")
