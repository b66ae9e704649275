"""Calls about projects, which is what SOPS calls the businesses it works for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping
from airflow_provider_sops.sops.calls.base import SopsCalls

if TYPE_CHECKING:
    from collections.abc import Mapping


class ProjectCalls(SopsCalls):
    """Calls about projects."""

    def get_user_project_list(self) -> list[Any]:
        """List the projects that the user may see: ``project_id``, ``bk_biz_id``, ``name``."""
        return read_list(self.call("get_user_project_list").data)

    def get_user_project_detail(self) -> Mapping[str, Any]:
        """Read the connection's project and who is responsible for it. SOPS caches it for 60 seconds."""
        return read_mapping(self.call("get_user_project_detail").data)

    def register_project(self, bk_biz_id: int) -> Mapping[str, Any]:
        """Make a business of the configuration platform known to SOPS. Only for apps that SOPS trusts.

        :param bk_biz_id: the business.
        """
        return read_mapping(self.call("register_project", bk_biz_id=bk_biz_id).data)

    def modify_project_executor_proxy(self, executor_proxy: str, executor_proxy_exempts: str) -> Mapping[str, Any]:
        """Set as whom the tasks of the project run.

        :param executor_proxy: the calling user's own name, or an empty text for nobody.
        :param executor_proxy_exempts: names to which this does not apply, separated by commas.
        """
        answer = self.call(
            "modify_project_executor_proxy",
            executor_proxy=executor_proxy,
            executor_proxy_exempts=executor_proxy_exempts,
        )
        return read_mapping(answer.data)

    def get_mini_app_list(self, *, limit: int | None = None, offset: int | None = None) -> list[Any]:
        """List the mini apps, which are templates with a page of their own."""
        return read_list(self.call("get_mini_app_list", limit=limit, offset=offset).data)
