"""What Airflow is told about this package."""

from __future__ import annotations

from typing import Any

from airflow_mltest import __version__

_OPERATORS = {
    "pytest": ["airflow_mltest.operators.plan", "airflow_mltest.operators.pytest", "airflow_mltest.operators.merge"],
    "Great Expectations": ["airflow_mltest.operators.data"],
    "MLflow": [
        f"airflow_mltest.operators.{module}"
        for module in ("model", "deployment", "gate", "promote", "canary", "promoted", "undo", "announce")
    ],
    "Kubernetes and Celery": ["airflow_mltest.operators.environment"],
    "ML test reports": ["airflow_mltest.operators.report"],
}

_SETTINGS: dict[str, dict[str, Any]] = {
    "report_root": {
        "description": "Where finished suites are kept: a folder, or a URL of object storage with its connection.\n"
        "Workers write it and the API server reads it. Empty: `mltest/reports` in AIRFLOW_HOME.",
        "example": "s3://aws_default@my-bucket/mltest",
        "default": "",
    },
    "mlflow_conn_id": {
        "description": "The connection to MLflow that operators use when they name none.",
        "example": None,
        "default": "mlflow_default",
    },
    "checkout_cache": {
        "description": "Folder on each worker for mirrors of git repositories and the work trees made of them.\n"
        "Empty: `mltest/checkouts` in AIRFLOW_HOME.",
        "example": "/var/cache/mltest",
        "default": "",
    },
    "webhook_conn_id": {
        "description": "The connection whose password is the secret of MLflow's webhook for new model versions,\n"
        "which is sent to `/mltest-webhook/mlflow` of the API server. Empty: no webhook is taken.",
        "example": "mlflow_webhook",
        "default": "",
    },
    "retention_days": {
        "description": "For how many days runs stay in the report store when `mltest report prune` is called.\n"
        "0: for ever.",
        "type": "integer",
        "example": "90",
        "default": "0",
    },
}

_MLFLOW_CONNECTION: dict[str, Any] = {
    "connection-type": "mlflow",
    "hook-class-name": "airflow_mltest.hooks.mlflow.MlflowHook",
    "hook-name": "MLflow",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "port", "extra"],
        "relabeling": {"host": "Tracking URI", "login": "User name"},
        "placeholders": {"host": "http://mlflow:5000", "login": "leave empty for a token"},
    },
    "conn-fields": {
        "token": {
            "label": "Token",
            "description": "A bearer token, instead of user name and password.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "verify": {
            "label": "Verify TLS",
            "description": "true, false, or the file of certificates to trust; on every machine that runs tasks.",
            "schema": {"type": ["string", "null"]},
        },
        "client_cert": {
            "label": "Client certificate",
            "description": "A file with a certificate to show, and its key.",
            "schema": {"type": ["string", "null"]},
        },
        "timeout_s": {
            "label": "Timeout (s)",
            "description": "How long a call may take, with all that is sent again. Empty: 10.",
            "schema": {"type": ["number", "null"]},
        },
        "max_retries": {
            "label": "Retries",
            "description": "How often a request is sent again that has changed nothing. Empty: 2.",
            "schema": {"type": ["integer", "null"]},
        },
    },
}


def get_provider_info() -> dict[str, Any]:
    """Describe operators, hook, notifier, connection, links and settings; imports nothing of Airflow."""
    return {
        "package-name": "airflow-mltest",
        "name": "ML test",
        "description": "Run tests of code, data and models as tasks of an Airflow DAG.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": name, "external-doc-url": "", "tags": ["software"]}
            for name in sorted({*_OPERATORS, "git"})
        ],
        "operators": [
            {"integration-name": name, "python-modules": modules} for name, modules in sorted(_OPERATORS.items())
        ],
        "hooks": [
            {"integration-name": "MLflow", "python-modules": ["airflow_mltest.hooks.mlflow"]},
            {"integration-name": "git", "python-modules": ["airflow_mltest.hooks.git"]},
        ],
        "sensors": [
            {"integration-name": "MLflow", "python-modules": ["airflow_mltest.sensors.model_version"]},
            {"integration-name": "git", "python-modules": ["airflow_mltest.sensors.git_commit"]},
        ],
        "triggers": [
            {"integration-name": "MLflow", "python-modules": ["airflow_mltest.triggers.model_version"]},
            {"integration-name": "git", "python-modules": ["airflow_mltest.triggers.git_commit"]},
        ],
        "notifications": ["airflow_mltest.notifications.commit_status.CommitStatusNotifier"],
        "connection-types": [_MLFLOW_CONNECTION],
        "extra-links": ["airflow_mltest.operators.suite.ReportLink"],
        "config": {
            "mltest": {
                "description": "Tests of machine learning as Airflow tasks.",
                "options": {
                    name: {"version_added": "0.1.0", "type": "string", **option} for name, option in _SETTINGS.items()
                },
            },
        },
    }
