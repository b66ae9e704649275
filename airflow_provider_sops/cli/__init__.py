"""The console script ``airflow-sops``: snapshots of SOPS templates for DAG files."""
