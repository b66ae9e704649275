"""The example DAGs that the version of Airflow under test can run."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

#: They use what Airflow 2 does not have, such as asset watchers.
_FOR_AIRFLOW_3 = {"sops_task_finished"}

FOLDER = Path(__file__).resolve().parent.parent / "example_dags"
EXAMPLES = [path for path in sorted(FOLDER.glob("*.py")) if AIRFLOW_V_3_0_PLUS or path.stem not in _FOR_AIRFLOW_3]
