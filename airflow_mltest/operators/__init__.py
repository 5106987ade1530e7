"""One operator a file: read the arguments, call the core, tell Airflow."""
