"""Many waits, few requests: the polls that the triggers of one event loop share. Knows nothing of Airflow's tasks."""
