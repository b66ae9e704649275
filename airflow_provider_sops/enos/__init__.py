"""EnOS's batch processing: calls, answers and rules. Imports no Airflow and does no I/O."""
