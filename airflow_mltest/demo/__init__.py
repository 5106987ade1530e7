"""A real model on real data, a small project, and the DAG that tests both."""
