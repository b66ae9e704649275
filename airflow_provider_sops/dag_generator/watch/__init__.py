"""A flow that SOPS runs and Airflow shows: one task starts it, one answers for it, and each node has a mirror."""
