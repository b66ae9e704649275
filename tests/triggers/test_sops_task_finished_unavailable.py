"""SopsTaskFinishedTrigger on an Airflow without asset watchers."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

from airflow_provider_sops.triggers.sops import SopsTaskFinishedTrigger


def test_says_what_it_needs_and_what_to_use_instead() -> None:
    with pytest.raises(AirflowOptionalProviderFeatureException, match=r"from 3\.0 on.*SopsTaskSensor"):
        SopsTaskFinishedTrigger(template_id=1)
