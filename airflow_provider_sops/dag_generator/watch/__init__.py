"""A flow that SOPS runs and Airflow shows: a task starts it, one is responsible for it, each node has a mirror."""
