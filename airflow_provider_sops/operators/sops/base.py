"""What every SOPS operator has: its connection and its place in SOPS."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.hooks.sops_access import hook_of
from airflow_provider_sops.links.sops import SopsTaskLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.task_key import TaskKey
    from airflow_provider_sops.task_instance.log import TaskLog


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
        return hook_of(self)


def key_of(context: Context) -> TaskKey:
    """Return the key of the running task instance, by which its SOPS tasks are found again."""
    # Only a running task needs it, not a DAG file.
    from airflow_provider_sops.sops.task_key import TaskKey

    ti: Any = context["ti"]
    return TaskKey.of(
        dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index, max_tries=ti.max_tries
    )


def announce_task(hook: SopsHook, context: Context, sops_task_id: int, log: TaskLog) -> TaskDetail:
    """Push id and address of a SOPS task to XCom, write them to the log, and return the task as SOPS has it now."""
    from airflow_provider_sops.task_instance.xcom import push_task

    detail = hook.get_task_detail(sops_task_id, fresh=True)
    push_task(context, sops_task_id, detail.task_url)
    log.info("SOPS task %s: %s", sops_task_id, detail.task_url or "SOPS returned no URL for it")
    return detail


def retries_left(retries: int | None, ti: Any) -> bool:
    """Whether Airflow retries a task by itself if it fails now.

    :param retries: how often it does in all.
    :param ti: the running task instance.
    """
    return bool(retries) and bool(ti.try_number <= ti.max_tries)
