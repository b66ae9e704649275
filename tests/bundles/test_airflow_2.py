from __future__ import annotations

import importlib

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS


@pytest.mark.skipif(AIRFLOW_V_3_0_PLUS, reason="Airflow 3 has bundles")
def test_airflow_2_is_told_what_to_do_instead() -> None:
    with pytest.raises(ImportError, match=r"needs Airflow 3.*airflow-sops snapshot --all"):
        importlib.import_module("airflow_provider_sops.bundles.sops")
