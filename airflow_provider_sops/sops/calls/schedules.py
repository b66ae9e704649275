"""Calls about tasks that SOPS itself starts later: periodic and clocked ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping
from airflow_provider_sops.sops.calls.base import SopsCalls
from airflow_provider_sops.sops.calls.parameters import asked, required_text, time_text

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence


class ScheduleCalls(SopsCalls):
    """Calls about periodic and clocked tasks. ``task_id`` is the schedule's own id, not that of a task it started."""

    def create_periodic_task(
        self,
        template_id: int | str,
        name: str,
        cron: Mapping[str, str],
        *,
        constants: Mapping[str, Any] | None = None,
        exclude_task_nodes_id: Sequence[str] | None = None,
        template_source: str | None = None,
    ) -> Mapping[str, Any]:
        """Create a periodic task; it is switched off until ``set_periodic_task_enabled``.

        :param cron: ``minute``, ``hour``, ``day_of_week``, ``day_of_month``, ``month_of_year``, in the
            project's time zone; what is left out is ``*``.
        :raises SopsInvalidOperationError: the project has as many as it may.
        """
        answer = self.call(
            "create_periodic_task",
            template_id=template_id,
            name=required_text("create_periodic_task", "name", name),
            cron=cron,
            constants=constants,
            exclude_task_nodes_id=exclude_task_nodes_id,
            template_source=template_source,
        )
        return read_mapping(answer.data)

    def get_periodic_task_list(self, *, expected_timezone: str | None = None) -> list[Any]:
        """List the periodic tasks."""
        return read_list(self.call("get_periodic_task_list", expected_timezone=expected_timezone).data)

    def get_periodic_task_info(self, task_id: int | str, *, include_edit_info: bool = False) -> Mapping[str, Any]:
        """Read a periodic task.

        :param include_edit_info: also who changed it last, and when.
        """
        answer = self.call("get_periodic_task_info", task_id=task_id, include_edit_info=asked(include_edit_info))
        return read_mapping(answer.data)

    def set_periodic_task_enabled(self, task_id: int | str, enabled: bool) -> Mapping[str, Any]:
        """Switch a periodic task on or off."""
        return read_mapping(self.call("set_periodic_task_enabled", task_id=task_id, enabled=enabled).data)

    def modify_cron_for_periodic_task(self, task_id: int | str, cron: Mapping[str, str]) -> Mapping[str, Any]:
        """Set the schedule of a periodic task that is switched off; ``cron`` as in ``create_periodic_task``."""
        return read_mapping(self.call("modify_cron_for_periodic_task", task_id=task_id, cron=cron).data)

    def modify_constants_for_periodic_task(self, task_id: int | str, constants: Mapping[str, Any]) -> Mapping[str, Any]:
        """Set constants of a periodic task that is switched off, by ``${key}``; return all of them."""
        answer = self.call("modify_constants_for_periodic_task", task_id=task_id, constants=constants)
        return read_mapping(answer.data)

    def create_clocked_task(
        self,
        template_id: int | str,
        task_name: str,
        plan_start_time: datetime.datetime | str,
        *,
        constants: Mapping[str, Any] | None = None,
        exclude_task_nodes_id: Sequence[str] | None = None,
        template_schemes_id: Sequence[int] | None = None,
        template_name: str | None = None,
    ) -> Mapping[str, Any]:
        """Create a task that SOPS starts once, at a given time. The gateway has to grant the app this call.

        :param plan_start_time: zone-aware, or a text as SOPS takes it.
        :param template_schemes_id: execution schemes, instead of ``exclude_task_nodes_id``.
        :param template_name: only older servers ask for it.
        """
        parameters: dict[str, Any] = {"constants": dict(constants or {})}
        if exclude_task_nodes_id is not None:
            parameters["exclude_task_nodes_id"] = list(exclude_task_nodes_id)
        if template_schemes_id is not None:
            parameters["template_schemes_id"] = list(template_schemes_id)
        answer = self.call(
            "create_clocked_task",
            template_id=template_id,
            task_name=required_text("create_clocked_task", "task_name", task_name),
            plan_start_time=time_text(plan_start_time),
            task_parameters=parameters,
            template_name=template_name,
        )
        return read_mapping(answer.data)

    def get_clocked_task_list(
        self,
        *,
        id: int | None = None,  # noqa: A002 - SOPS's own name
        task_name: str | None = None,
        creator: str | None = None,
        editor: str | None = None,
        state: str | None = None,
        expected_timezone: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[Any]:
        """List the clocked tasks.

        :param task_name: a part of the name.
        :param state: ``not_started``, ``started``, ``start_failed``, ...
        """
        answer = self.call(
            "get_clocked_task_list",
            id=id,
            task_name=task_name,
            creator=creator,
            editor=editor,
            state=state,
            expected_timezone=expected_timezone,
            limit=limit,
            offset=offset,
        )
        return read_list(answer.data)
