"""Calls for projects, SOPS's name for the businesses it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.service.calls import as_it_is, call, needed_list
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.calls.parameters import required_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.calls import Call


def get_user_project_list() -> Call[list[Any]]:
    """List the projects that the user may see: ``project_id``, ``bk_biz_id``, ``name``."""
    return call("get_user_project_list", needed_list)


def get_user_project_detail() -> Call[Mapping[str, Any]]:
    """Read the connection's project and its maintainers. SOPS caches it for 60 seconds."""
    return call("get_user_project_detail", read_mapping)


def register_project(bk_biz_id: int) -> Call[Mapping[str, Any]]:
    """Register a business of the configuration platform with SOPS. Only for apps that SOPS trusts.

    :param bk_biz_id: the business.
    """
    return call("register_project", read_mapping, bk_biz_id=bk_biz_id)


def modify_project_executor_proxy(executor_proxy: str, executor_proxy_exempts: str) -> Call[Mapping[str, Any]]:
    """Set the user under whom the project's tasks run.

    :param executor_proxy: the calling user's own name, or an empty string for nobody.
    :param executor_proxy_exempts: names to which this does not apply, separated by commas.
    """
    return call(
        "modify_project_executor_proxy",
        read_mapping,
        executor_proxy=executor_proxy,
        executor_proxy_exempts=executor_proxy_exempts,
    )


def get_mini_app_list(*, limit: int | None = None, offset: int | None = None) -> Call[list[Any]]:
    """List the mini apps, which are templates with a page of their own."""
    return call("get_mini_app_list", needed_list, limit=limit, offset=offset)


def get_plugin_list() -> Call[list[Any]]:
    """List the plugins that the business may use, with inputs and outputs. SOPS caches it for 60 seconds."""
    return call("get_plugin_list", needed_list)


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
