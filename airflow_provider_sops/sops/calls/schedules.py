"""Calls for tasks that SOPS starts later: periodic and clocked tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.calls import call, needed_list
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.calls.parameters import asked, required_text, time_text

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from airflow_provider_sops.service.calls import Call


def create_periodic_task(
    template_id: int | str,
    name: str,
    cron: Mapping[str, str],
    *,
    constants: Mapping[str, Any] | None = None,
    exclude_task_nodes_id: Sequence[str] | None = None,
    template_source: str | None = None,
) -> Call[Mapping[str, Any]]:
    """Create a periodic task; it is disabled until ``set_periodic_task_enabled``.

    :param cron: ``minute``, ``hour``, ``day_of_week``, ``day_of_month``, ``month_of_year``, in the
        project's time zone; omitted fields are ``*``.
    :raises SopsInvalidOperationError: the project has reached its limit.
    """
    return call(
        "create_periodic_task",
        read_mapping,
        template_id=template_id,
        name=required_text("create_periodic_task", "name", name),
        cron=cron,
        constants=constants,
        exclude_task_nodes_id=exclude_task_nodes_id,
        template_source=template_source,
    )


def get_periodic_task_list(*, expected_timezone: str | None = None) -> Call[list[Any]]:
    """List the periodic tasks."""
    return call("get_periodic_task_list", needed_list, expected_timezone=expected_timezone)


def get_periodic_task_info(task_id: int | str, *, include_edit_info: bool = False) -> Call[Mapping[str, Any]]:
    """Read a periodic task.

    :param include_edit_info: include who changed it last, and when.
    """
    return call("get_periodic_task_info", read_mapping, task_id=task_id, include_edit_info=asked(include_edit_info))


def set_periodic_task_enabled(task_id: int | str, enabled: bool) -> Call[Mapping[str, Any]]:
    """Enable or disable a periodic task."""
    return call("set_periodic_task_enabled", read_mapping, task_id=task_id, enabled=enabled)


def modify_cron_for_periodic_task(task_id: int | str, cron: Mapping[str, str]) -> Call[Mapping[str, Any]]:
    """Set the schedule of a disabled periodic task; ``cron`` as in ``create_periodic_task``."""
    return call("modify_cron_for_periodic_task", read_mapping, task_id=task_id, cron=cron)


def modify_constants_for_periodic_task(task_id: int | str, constants: Mapping[str, Any]) -> Call[Mapping[str, Any]]:
    """Set constants of a disabled periodic task, by ``${key}``; return all of them."""
    return call("modify_constants_for_periodic_task", read_mapping, task_id=task_id, constants=constants)


def create_clocked_task(
    template_id: int | str,
    task_name: str,
    plan_start_time: datetime.datetime | str,
    *,
    constants: Mapping[str, Any] | None = None,
    exclude_task_nodes_id: Sequence[str] | None = None,
    template_schemes_id: Sequence[int] | None = None,
    template_name: str | None = None,
) -> Call[Mapping[str, Any]]:
    """Create a task that SOPS starts once, at a given time. The gateway's administrator must grant the app this call.

    :param plan_start_time: zone-aware, or a string in SOPS's format.
    :param template_schemes_id: execution schemes, instead of ``exclude_task_nodes_id``.
    :param template_name: required by older servers only.
    """
    parameters: dict[str, Any] = {"constants": dict(constants or {})}
    if exclude_task_nodes_id is not None:
        parameters["exclude_task_nodes_id"] = list(exclude_task_nodes_id)
    if template_schemes_id is not None:
        parameters["template_schemes_id"] = list(template_schemes_id)
    return call(
        "create_clocked_task",
        read_mapping,
        template_id=template_id,
        task_name=required_text("create_clocked_task", "task_name", task_name),
        plan_start_time=time_text(plan_start_time),
        task_parameters=parameters,
        template_name=template_name,
    )


def get_clocked_task_list(
    *,
    id: int | None = None,  # noqa: A002 - SOPS's own name
    task_name: str | None = None,
    creator: str | None = None,
    editor: str | None = None,
    state: str | None = None,
    expected_timezone: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Call[list[Any]]:
    """List the clocked tasks.

    :param task_name: a part of the name.
    :param state: ``not_started``, ``started``, ``start_failed``, ...
    """
    return call(
        "get_clocked_task_list",
        needed_list,
        id=id,
        task_name=task_name,
        creator=creator,
        editor=editor,
        state=state,
        expected_timezone=expected_timezone,
        limit=limit,
        offset=offset,
    )
