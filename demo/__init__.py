"""The demo: a real SOPS flow run from a real Airflow, both on this machine."""

from __future__ import annotations
