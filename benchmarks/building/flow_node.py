"""The sensor of somebody who shows the nodes of a flow in plain Airflow: by hand, or with dag-factory.

It takes the arguments that the package's own task of a node takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink, BaseSensorOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import BaseOperator, Context


class FlowLink(BaseOperatorLink):
    """To the flow, as operators of other systems have one."""

    name = "SOPS task"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address of the flow."""
        return f"http://sops.example.com/{ti_key.run_id}"


class FlowNode(BaseSensorOperator):
    """Wait for a node of a flow."""

    template_fields: Sequence[str] = ("sops_conn_id", "bk_biz_id", "scope")
    operator_extra_links = (FlowLink(),)

    def __init__(
        self,
        *,
        flow_node_id: str = "",
        start_task_id: str = "start",
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        poll_interval_seconds: float = 10,
        timeout_seconds: float | None = None,
        max_outage_seconds: float = 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flow_node_id = flow_node_id
        self.start_task_id = start_task_id
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self.poll_interval_seconds = poll_interval_seconds
        self.timeout_seconds = timeout_seconds
        self.max_outage_seconds = max_outage_seconds

    def poke(self, context: Context) -> bool:
        """Look; these DAGs are built and never run."""
        return False
