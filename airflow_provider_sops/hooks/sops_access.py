"""How operators and sensors get at SOPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.site import site_of

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.site import AtSite


def hook_of(task: AtSite) -> SopsHook:
    """Return a hook for the site of an operator or a sensor."""
    # Not needed to parse a DAG file.
    from airflow_provider_sops.hooks.sops import SopsHook

    return SopsHook(**site_of(task).arguments)
