"""Calls about plugins, which are what nodes execute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.service.reading import read_list
from airflow_provider_sops.sops.calls.base import SopsCalls
from airflow_provider_sops.sops.calls.parameters import required_text

if TYPE_CHECKING:
    from collections.abc import Mapping


class PluginCalls(SopsCalls):
    """Calls about plugins."""

    def get_plugin_list(self) -> list[Any]:
        """List the plugins that the business may use, with inputs and outputs. SOPS caches it for 60 seconds."""
        return read_list(self.call("get_plugin_list").data)

    def dispatch_plugin_query(
        self, url: str, *, method: Literal["GET", "POST"] = "GET", data: Mapping[str, Any] | None = None
    ) -> Any:
        """Pass on a request that a plugin's form would send, and return its ``data``.

        :param url: path and query inside SOPS, ``/pipeline/job_get_script_list/4/?type=public``.
        :param data: the body of a POST.
        """
        return self.call(
            "dispatch_plugin_query",
            url=required_text("dispatch_plugin_query", "url", url),
            method=method,
            data=data,
        ).data
