"""An Airflow connection becomes an integration."""
