"""Links from Airflow's task pages to SOPS."""
