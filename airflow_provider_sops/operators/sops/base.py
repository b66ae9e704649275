"""What every SOPS operator has: its connection and its place in SOPS."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.links.sops import TASK_URL_XCOM_KEY, SopsTaskLink
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.task_key import TaskKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.task_instance.log import TaskLog

#: XCom keys that every operator and sensor pushes besides its return value.
TASK_ID_XCOM_KEY = "sops_task_id"
TASK_STATE_XCOM_KEY = "sops_task_state"


class SopsBaseOperator(BaseOperator):
    """Common ground of the operators for SOPS.

    :param sops_conn_id: the Airflow connection of type ``sops``. (templated)
    :param bk_biz_id: the business; default: the one of the connection. (templated)
    :param scope: ``cmdb_biz``: ``bk_biz_id`` is a CMDB business; ``project``: it is the id of a SOPS project.
        Default: the one of the connection. (templated)
    """

    template_fields: Sequence[str] = ("sops_conn_id", "bk_biz_id", "scope")
    operator_extra_links = (SopsTaskLink(),)
    ui_color = "#e1ecff"

    def __init__(
        self,
        *,
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope

    @cached_property
    def hook(self) -> SopsHook:
        """The connection to SOPS; made when first needed, so never while a DAG file is parsed."""
        from airflow_provider_sops.hooks.sops import SopsHook

        return SopsHook(self.sops_conn_id, bk_biz_id=self.bk_biz_id, scope=self.scope)


def key_of(context: Context) -> TaskKey:
    """Return the key of the running task instance, by which its SOPS tasks are found again."""
    ti: Any = context["ti"]
    return TaskKey.of(
        dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index, max_tries=ti.max_tries
    )


def push_task(context: Context, sops_task_id: int, task_url: str) -> None:
    """Make a SOPS task known to the link and to other tasks, before anything that takes long."""
    ti: Any = context["ti"]
    ti.xcom_push(key=TASK_ID_XCOM_KEY, value=sops_task_id)
    if task_url:
        ti.xcom_push(key=TASK_URL_XCOM_KEY, value=task_url)


def announce_task(hook: SopsHook, context: Context, sops_task_id: int, log: TaskLog) -> TaskDetail:
    """Push id and address of a SOPS task to XCom, write them to the log, and return the task as SOPS has it now."""
    detail = hook.get_task_detail(sops_task_id, fresh=True)
    push_task(context, sops_task_id, detail.task_url)
    log.info("SOPS task %s: %s", sops_task_id, detail.task_url or "SOPS gives no address for it")
    return detail


def push_state(context: Context, state: str) -> None:
    """Make the last known state word of the SOPS task known to other tasks."""
    ti: Any = context["ti"]
    ti.xcom_push(key=TASK_STATE_XCOM_KEY, value=str(state))


def retries_left(retries: int | None, ti: Any) -> bool:
    """Whether Airflow retries a task by itself if it fails now.

    :param retries: how often it does in all.
    :param ti: the running task instance.
    """
    return bool(retries) and bool(ti.try_number <= ti.max_tries)


def read_task_id(value: Any) -> int:
    """Return a ``sops_task_id`` as it comes out of a template.

    :raises SopsInvalidParameterError: if it is no positive number, such as the ``None`` of a missing XCom.
    """
    try:
        number = int(str(value).strip())
    except ValueError:
        number = 0
    if number < 1:
        raise SopsInvalidParameterError(
            f"sops_task_id is {value!r}, which is no id of a SOPS task",
            advice="If it comes from XCom, check that the task which pushes it has run in this DAG run.",
        )
    return number
