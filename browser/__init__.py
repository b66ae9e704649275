"""What people see, in Chromium: the SOPS page, the tab in Airflow, and the walk-through with its pictures.

``make browser`` runs it.
"""

from __future__ import annotations
