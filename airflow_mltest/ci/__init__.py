"""A CI job that waits for a DAG run, and ends as it does."""
