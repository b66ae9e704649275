"""Registers the tab with Airflow.

Every program of Airflow loads this module. Only the API server gets requests; the first of them loads the rest.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import conf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from fastapi import FastAPI

    Message = MutableMapping[str, Any]

#: Below this path of the API server is everything of the tab.
PREFIX = "/sops"


class LazyApplication:
    """The application, built when its first request comes."""

    @cached_property
    def _application(self) -> FastAPI:
        from airflow_provider_sops.plugins.application import build_application

        return build_application()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request, as ASGI defines it."""
        await self._application(scope, receive, send)


def _view(name: str, destination: str, url_route: str, *placeholders: str) -> dict[str, str]:
    """Describe a tab: Airflow's UI shows the address in a frame, with the placeholders filled."""
    # Airflow's UI takes the address as it is, so the path below which the API server is published belongs to it.
    root = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    query = "&".join(f"{each.lower()}={{{each}}}" for each in placeholders)
    return {
        "name": name,
        "href": f"{root}{PREFIX}/dags/{{DAG_ID}}/page?{query}",
        "destination": destination,
        "url_route": url_route,
        "category": "sops",
    }


class SopsTabPlugin(AirflowPlugin):
    """The tab *SOPS* of DAG runs and of task instances. Airflow 2 ignores it."""

    name = "sops_tab"
    fastapi_apps = [{"app": LazyApplication(), "url_prefix": PREFIX, "name": "SOPS tab"}]  # noqa: RUF012 - Airflow's own form
    external_views = [  # noqa: RUF012 - Airflow's own form
        _view("SOPS", "dag_run", "sops", "RUN_ID"),
        _view("SOPS", "task_instance", "sops-task", "RUN_ID", "TASK_ID", "MAP_INDEX"),
    ]
