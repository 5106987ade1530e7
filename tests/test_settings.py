import os

from airflow_mltest.settings import Settings, load_settings


def test_defaults_are_those_that_airflow_documents(monkeypatch):
    monkeypatch.delenv("AIRFLOW__MLTEST__REPORT_ROOT")

    assert load_settings() == Settings(
        report_root=os.path.join(os.environ["AIRFLOW_HOME"], "mltest", "reports"),  # noqa: PTH118
        mlflow_conn_id="mlflow_default",
        checkout_cache=os.path.join(os.environ["AIRFLOW_HOME"], "mltest", "checkouts"),  # noqa: PTH118
        webhook_conn_id="",
        retention_days=0,
    )


def test_airflow_cfg_is_read(monkeypatch):
    monkeypatch.setenv("AIRFLOW__MLTEST__REPORT_ROOT", "s3://aws@bucket/x")
    monkeypatch.setenv("AIRFLOW__MLTEST__MLFLOW_CONN_ID", "mlflow_prod")
    monkeypatch.setenv("AIRFLOW__MLTEST__CHECKOUT_CACHE", "/var/cache/mltest")
    monkeypatch.setenv("AIRFLOW__MLTEST__WEBHOOK_CONN_ID", "mlflow_webhook")
    monkeypatch.setenv("AIRFLOW__MLTEST__RETENTION_DAYS", "90")

    assert load_settings() == Settings(
        report_root="s3://aws@bucket/x",
        mlflow_conn_id="mlflow_prod",
        checkout_cache="/var/cache/mltest",
        webhook_conn_id="mlflow_webhook",
        retention_days=90,
    )
