"""Calls for plugins, the code that nodes execute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.service.calls import as_it_is, call
from airflow_provider_sops.service.reading import read_list
from airflow_provider_sops.sops.calls.parameters import required_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.calls import Call


def get_plugin_list() -> Call[list[Any]]:
    """List the plugins that the business may use, with inputs and outputs. SOPS caches it for 60 seconds."""
    return call("get_plugin_list", read_list)


def dispatch_plugin_query(
    url: str, *, method: Literal["GET", "POST"] = "GET", data: Mapping[str, Any] | None = None
) -> Call[Any]:
    """Forward a request that a plugin's form would send, and return its ``data``.

    :param url: path and query inside SOPS, for example ``/pipeline/job_get_script_list/4/?type=public``.
    :param data: the body of a POST.
    """
    return call(
        "dispatch_plugin_query",
        as_it_is,
        url=required_text("dispatch_plugin_query", "url", url),
        method=method,
        data=data,
    )
