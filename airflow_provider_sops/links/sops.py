"""The links from an Airflow task to its SOPS task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_sops.service.text import web_address
from airflow_provider_sops.task_instance.xcom import CLAIM_URL_XCOM_KEY, TASK_URL_XCOM_KEY, pushed_here
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey


class _PushedLink(BaseOperatorLink):
    """An address that the task has pushed.

    Airflow 2 asks for it in the web server. Airflow 3 asks in the process of the task, at its end, and keeps the answer
    in an XCom of its own, which the UI shows.
    """

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or an empty string if there is none yet or if it is no web address."""
        if not AIRFLOW_V_3_0_PLUS:
            return self._address(lambda key: XCom.get_value(ti_key=ti_key, key=key))
        pushed = pushed_here(ti_key)
        if pushed is not None:
            return self._address(pushed.get)
        # Airflow logs an error whenever somebody asks for an XCom that does not exist. The link's own exists once a
        # process has ended in a deferral; the first process of a try that has pushed nothing has nothing to ask for.
        if not _is_resumed(ti_key):
            return ""
        # Airflow keeps it past any backend for XComs.
        from airflow.sdk.bases.xcom import BaseXCom

        ti: Any = ti_key
        return _web_address(BaseXCom.get_value(ti_key=ti, key=self.xcom_key))

    def _address(self, pushed: Callable[[str], Any]) -> str:
        raise NotImplementedError


class SopsTaskLink(_PushedLink):
    """Open the SOPS task's page.

    The URL comes from SOPS and is pushed to XCom as soon as the task is known. In Airflow 2 the button works from then
    on; in Airflow 3 once the task is deferred or has ended.
    """

    name = "SOPS task"

    def _address(self, pushed: Callable[[str], Any]) -> str:
        return _web_address(pushed(TASK_URL_XCOM_KEY))


class SopsClaimLink(_PushedLink):
    """Open the page on which somebody claims a SOPS task made with ``flow_type="common_func"``.

    It is that of the task where only an earlier try was told the right one.
    """

    name = "Claim SOPS task"

    def _address(self, pushed: Callable[[str], Any]) -> str:
        return _web_address(pushed(CLAIM_URL_XCOM_KEY)) or _web_address(pushed(TASK_URL_XCOM_KEY))


def _is_resumed(ti: Any) -> bool:
    """Whether a task instance of Airflow 3 goes on in this process after a deferral."""
    known = getattr(ti, "_ti_context_from_server", None)
    return bool(getattr(known, "next_method", None))


def _web_address(value: Any) -> str:
    return web_address(value) if isinstance(value, str) else ""
