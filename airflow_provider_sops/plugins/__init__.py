"""What Airflow's UI shows of SOPS: the tab *SOPS* of a DAG run and of a task, for Airflow 3."""
