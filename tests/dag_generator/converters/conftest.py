"""What Airflow 2 has no operators for is not tested there."""

from __future__ import annotations

from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS

collect_ignore = [] if AIRFLOW_V_3_1_PLUS else ["test_people.py"]
