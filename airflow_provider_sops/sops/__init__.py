"""SOPS itself: protocol, models and decisions. Imports no Airflow and opens no socket."""
