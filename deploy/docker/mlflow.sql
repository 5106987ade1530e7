-- MLflow's own database, of which Airflow's user and MLflow's have each their own password.
\getenv password MLFLOW_DB_PASSWORD
CREATE ROLE mlflow LOGIN PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow;
