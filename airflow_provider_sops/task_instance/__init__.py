"""Airflow's side of a task: what this package knows and says about a task instance."""
