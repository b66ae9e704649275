"""EnOS's batch processing: its calls, answers and rules. Imports no Airflow and does no I/O."""
