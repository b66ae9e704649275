"""What every SOPS operator has: its connection and its place in SOPS."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.hooks.sops_access import hook_of
from airflow_provider_sops.links.sops import SopsTaskLink
from airflow_provider_sops.service.durations import Duration, seconds_or_none
from airflow_provider_sops.task_instance.openlineage import get_openlineage_facets_on_complete

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.task_key import TaskKey
    from airflow_provider_sops.sops.task_origin import TaskOrigin
    from airflow_provider_sops.task_instance.log import TaskLog


class SopsBaseOperator(BaseOperator):
    """Common ground of the operators for SOPS.

    :param sops_conn_id: the Airflow connection of type ``sops``. (templated)
    :param bk_biz_id: the business; default: the one of the connection. (templated)
    :param scope: ``cmdb_biz``: ``bk_biz_id`` is a CMDB business; ``project``: it is the id of a SOPS project.
        Default: the one of the connection. (templated)
    :param max_outage_seconds: how long SOPS may be out of reach, a number of seconds or a ``timedelta``, before the
        task fails; until then it waits. Default: ``[sops] max_outage_seconds`` of Airflow's configuration, 3600.
        Refused inputs and refused credentials fail at once.
    """

    template_fields: Sequence[str] = ("sops_conn_id", "bk_biz_id", "scope")
    operator_extra_links: Collection[BaseOperatorLink] = (SopsTaskLink(),)
    ui_color = "#e1ecff"
    get_openlineage_facets_on_complete = get_openlineage_facets_on_complete

    def __init__(
        self,
        *,
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        max_outage_seconds: Duration | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self.max_outage_seconds = seconds_or_none("max_outage_seconds", max_outage_seconds)

    @cached_property
    def hook(self) -> SopsHook:
        """The connection to SOPS; made when first needed, so never while a DAG file is parsed."""
        return hook_of(self)

    def bear_outages(self) -> None:
        """Let all calls from now on bear outages on this worker, for ``max_outage_seconds`` each."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.hooks import configuration

        self.hook.be_patient(configuration.max_outage_seconds(self.max_outage_seconds), self.log)


def key_of(context: Context) -> TaskKey:
    """Return the key of the running task instance, by which its SOPS tasks are found again."""
    # Only a running task needs it, not a DAG file.
    from airflow_provider_sops.sops.task_key import TaskKey

    ti: Any = context["ti"]
    return TaskKey.of(
        dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index, max_tries=ti.max_tries
    )


def origin_of(context: Context, template_id: Any, template_source: str) -> TaskOrigin:
    """Return by what SOPS tasks of the running task instance are told from others that carry its key."""
    # Only a running task needs it, not a DAG file.
    from airflow_provider_sops.sops.task_origin import TaskOrigin

    ti: Any = context["ti"]
    return TaskOrigin(template_id, template_source, is_first_try=ti.try_number == 1)


def announce_task(
    hook: SopsHook, context: Context, sops_task_id: int, log: TaskLog, *, claim_url: str = ""
) -> TaskDetail:
    """Push id and addresses of a SOPS task to XCom, write them to the log, and return the task as SOPS has it now.

    :param claim_url: where somebody claims the task; empty if nobody must.
    """
    from airflow_provider_sops.task_instance.xcom import push_task

    detail = hook.get_task_detail(sops_task_id, fresh=True)
    push_task(context, sops_task_id, detail.task_url, claim_url)
    log.info("SOPS task %s: %s", sops_task_id, detail.task_url or "SOPS returned no URL for it")
    if claim_url:
        log.info("SOPS task %s runs once somebody has claimed it: %s", sops_task_id, claim_url)
    return detail


def retries_left(retries: int | None, ti: Any) -> bool:
    """Whether Airflow retries a task by itself if it fails now.

    :param retries: how often it does in all.
    :param ti: the running task instance.
    """
    return bool(retries) and bool(ti.try_number <= ti.max_tries)
