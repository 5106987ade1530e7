"""Where MLflow says that there is a new version: only to whom knows the secret, and once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from airflow_mltest.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_BODY = 1_000_000
_LONGEST_KEY = 250  # in Airflow's database
# Deliveries that fail are sent again, up to two minutes later; older ones are somebody's copies.
_LONGEST_AGE_S = 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """
    What a delivery says.

    Args:
        key: The version as a partition: `models:/name/3`.
        asset_uri: The asset that it is a partition of: `mltest://models/name`.
        source: What the version was made of, as MLflow says.
    """

    key: str
    asset_uri: str
    source: str


def secret_of_deployment() -> str:
    """Read the secret from the connection that `[mltest] webhook_conn_id` names; empty: there is none."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    conn_id = load_settings().webhook_conn_id
    try:
        return (BaseHook.get_connection(conn_id).password or "") if conn_id else ""
    except AirflowNotFoundException:
        return ""


def create_app(secret_of: Callable[[], str] = secret_of_deployment) -> FastAPI:
    """
    Build the application; its one route needs no login, but a signature.

    Args:
        secret_of: Gives the webhook's secret; the deployment's own, unless a test brings one.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/mlflow", status_code=202)
    async def mlflow(request: Request) -> dict[str, Any]:
        """Take a delivery of `model_version.created`."""
        secret = await run_in_threadpool(secret_of)
        if not secret:
            raise HTTPException(404, "No webhook is taken here: [mltest] webhook_conn_id has to name a connection.")
        body = await _body_of(request)
        if why := _refusal(secret, request.headers, body):
            _log.warning("A delivery to the webhook was refused: %s.", why)
            raise HTTPException(401, f"Refused: {why}.")
        said = _read(body)
        new = await run_in_threadpool(_announce, said, request.headers["x-mlflow-delivery-id"])
        return {"partition_key": said.key, "new": new}

    return app


async def _body_of(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_BODY:
            raise HTTPException(413, f"A delivery has at most {_LONGEST_BODY} bytes.")
    return body


def _refusal(secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Say why a delivery is not to be believed; empty: it is."""
    delivery, sent_at = headers.get("x-mlflow-delivery-id", ""), headers.get("x-mlflow-timestamp", "")
    signed = b".".join((delivery.encode(), sent_at.encode(), body))
    signature = b"v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())
    if not hmac.compare_digest(signature, headers.get("x-mlflow-signature", "").encode()):
        return "the signature is not that of this webhook's secret"
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > _LONGEST_AGE_S:
        return "it was sent too long ago, or the clocks differ"
    return ""


def _read(body: bytes) -> NewVersion:
    try:
        said = json.loads(body)
        event, data = f"{said['entity']}.{said['action']}", said["data"]
        if event != "model_version.created":
            raise HTTPException(400, f"This is for model_version.created, not for {event[:100]}.")
        key = f"models:/{data['name']}/{int(data['version'])}"
        uri, source = f"mltest://models/{quote(data['name'], safe='')}", str(data["source"])
    except (ValueError, TypeError, KeyError) as error:
        raise HTTPException(400, "This is not what MLflow says of a new version.") from error
    if len(key) > _LONGEST_KEY:
        raise HTTPException(400, f"The model's name is too long: a partition's key has at most {_LONGEST_KEY} letters.")
    return NewVersion(key=key, asset_uri=uri, source=source)


def _announce(said: NewVersion, delivery: str) -> bool:
    """Write the asset's event, unless the version was announced before; say whether it was written."""
    from airflow._shared.state import AssetScope
    from airflow.assets.manager import AssetManager
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.state import get_state_backend
    from airflow.utils.session import create_session
    from sqlalchemy import select, update

    with create_session() as session:
        chosen = (AssetModel.uri == said.asset_uri, AssetModel.active.has())
        # Changes nothing, and lets one delivery at a time go on: each sees what the one before has written.
        touch = update(AssetModel).where(*chosen).values(uri=AssetModel.uri)
        session.execute(touch, execution_options={"synchronize_session": False})
        asset = session.scalar(select(AssetModel).where(*chosen))
        if asset is None:
            raise HTTPException(404, f"No DAG has an asset with the URI {said.asset_uri!r}.")
        same = select(AssetEvent).where(AssetEvent.asset_id == asset.id, AssetEvent.partition_key == said.key)
        last = session.scalar(same.order_by(AssetEvent.id.desc()).limit(1))
        if last is not None and (last.extra or {}).get("versions", {}).get(said.key) == said.source:
            return False
        AssetManager.register_asset_change(
            asset=asset,
            extra={"from_webhook": delivery, "versions": {said.key: said.source}},
            partition_key=said.key,
            source_is_api=True,
            session=session,
        )
        # For the task that announces what the triggerer finds.
        known = json.dumps([said.source, delivery])
        get_state_backend().set(AssetScope(asset_id=asset.id), f"mltest/announced/{said.key}", known, session=session)
        return True
