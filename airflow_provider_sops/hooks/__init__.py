"""Connections of Airflow to SOPS, blocking and asynchronous."""

from __future__ import annotations
