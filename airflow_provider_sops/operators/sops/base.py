"""What every SOPS operator has: its connection and its place in SOPS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.hooks.sops_access import SopsAccess
from airflow_provider_sops.links.sops import SopsTaskLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context


class SopsBaseOperator(SopsAccess, BaseOperator):
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


def retries_left(operator: BaseOperator, context: Context) -> bool:
    """Whether Airflow retries a task by itself if it fails now."""
    ti: Any = context["ti"]
    return bool(operator.retries) and bool(ti.try_number <= ti.max_tries)
