"""How operators and sensors get at SOPS."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook


class SopsAccess:
    """The connection of a task to SOPS, by its ``sops_conn_id``, ``bk_biz_id`` and ``scope``."""

    sops_conn_id: str
    bk_biz_id: int | str | None
    scope: str | None

    @cached_property
    def hook(self) -> SopsHook:
        """The connection to SOPS; made when first needed, so never while a DAG file is parsed."""
        from airflow_provider_sops.hooks.sops import SopsHook

        return SopsHook(self.sops_conn_id, bk_biz_id=self.bk_biz_id, scope=self.scope)
