"""Many waits, few requests: polls shared by the triggers of one event loop. Independent of Airflow's tasks."""
