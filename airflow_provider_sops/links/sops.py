"""The links from an Airflow task to its SOPS task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_sops.service.text import web_address
from airflow_provider_sops.task_instance.xcom import CLAIM_URL_XCOM_KEY, TASK_URL_XCOM_KEY
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey


class SopsTaskLink(BaseOperatorLink):
    """Open the SOPS task's page.

    The URL comes from SOPS and is pushed to XCom as soon as the task is known, so the button works while the task runs.
    """

    name = "SOPS task"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL, or an empty string if there is none yet or if it is no web address."""
        return _pushed(ti_key, TASK_URL_XCOM_KEY)


class SopsClaimLink(BaseOperatorLink):
    """Open the page on which somebody claims a SOPS task made with ``flow_type="common_func"``."""

    name = "Claim SOPS task"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL; that of the task's page where only an earlier try was told; empty if there is none yet."""
        return _pushed(ti_key, CLAIM_URL_XCOM_KEY) or _pushed(ti_key, TASK_URL_XCOM_KEY)


def _pushed(ti_key: TaskInstanceKey, key: str) -> str:
    url: Any = None
    if AIRFLOW_V_3_0_PLUS and ti_key.map_index < 0:
        # Unlike the other way, this one does not log an error where there is none.
        found = XCom.get_all(key=key, dag_id=ti_key.dag_id, task_id=ti_key.task_id, run_id=ti_key.run_id)
        url = found[0] if found else None
    else:
        url = XCom.get_value(ti_key=ti_key, key=key)
    return web_address(url) if isinstance(url, str) else ""
