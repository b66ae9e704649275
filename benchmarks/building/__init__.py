"""One flow as a DAG file of several kinds, and what such a file costs Airflow."""
