"""How operators and sensors get at SOPS."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.site import AtSite

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook


class SopsAccess(AtSite):
    """A task's connection to its site."""

    @cached_property
    def hook(self) -> SopsHook:
        """The connection to SOPS; made when first needed, so never while a DAG file is parsed."""
        from airflow_provider_sops.hooks.sops import SopsHook

        return SopsHook(**self.site.arguments)
