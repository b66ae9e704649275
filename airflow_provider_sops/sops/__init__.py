"""SOPS itself: protocol, models and decisions. Imports nothing of Airflow and opens no socket."""
