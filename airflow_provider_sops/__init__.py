"""Apache Airflow provider for BlueKing SOPS: run, watch and control its flows from Airflow."""

from __future__ import annotations

__version__ = "0.1.0"
