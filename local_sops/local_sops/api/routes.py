"""The supported calls: method, order of the ids in the path, and view function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from local_sops.api import (
    claiming,
    clocked_tasks,
    fast_creation,
    node_log,
    nodes,
    operate_records,
    operations,
    periodic_tasks,
    plugins,
    projects,
    task_creation,
    task_status,
    tasks,
    template_creation,
    template_import,
    templates,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_sops.ages import Age
    from local_sops.api.call import Answer, Call


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the API.

    :param path_ids: names of the ids in its path, in their order, which differs from call to call.
    :param traced: whether its answers have a trace id.
    """

    name: str
    method: str
    path_ids: tuple[str, ...]
    view: Callable[[Call], Answer]
    traced: bool = True


_TASK = ("task_id", "bk_biz_id")
_BUSINESS_TASK = ("bk_biz_id", "task_id")
_TEMPLATE = ("template_id", "bk_biz_id")
_BUSINESS_TEMPLATE = ("bk_biz_id", "template_id")
_BUSINESS = ("bk_biz_id",)
_RECORDS = "get_task_operate_record"

ROUTES = {
    route.name: route
    for route in (
        Route("get_user_project_list", "GET", (), projects.get_user_project_list),
        Route("get_user_project_detail", "GET", _BUSINESS, projects.get_user_project_detail),
        Route("get_template_list", "GET", _BUSINESS, templates.get_template_list),
        Route("get_template_info", "GET", _TEMPLATE, templates.get_template_info),
        Route("get_template_schemes", "GET", _BUSINESS_TEMPLATE, templates.get_template_schemes),
        Route("get_common_template_list", "GET", (), templates.get_common_template_list),
        Route("get_common_template_info", "GET", ("template_id",), templates.get_common_template_info),
        Route("create_task", "POST", _TEMPLATE, task_creation.create_task),
        Route("create_and_start_task", "POST", _TEMPLATE, task_creation.create_and_start_task),
        Route("start_task", "POST", _TASK, tasks.start_task),
        Route("get_task_status", "GET", _TASK, task_status.get_task_status),
        Route("get_tasks_status", "POST", _BUSINESS, task_status.get_tasks_status),
        Route("get_task_detail", "GET", _TASK, tasks.get_task_detail),
        Route("get_task_list", "GET", _BUSINESS, tasks.get_task_list),
        Route("get_task_node_detail", "GET", _TASK, nodes.get_task_node_detail),
        Route("get_task_node_data", "GET", _BUSINESS_TASK, nodes.get_task_node_data),
        Route("operate_task", "POST", _TASK, operations.operate_task),
        Route("operate_node", "POST", _BUSINESS_TASK, operations.operate_node),
        Route("node_callback", "POST", _TASK, operations.node_callback),
        Route(_RECORDS, "GET", _TASK, operate_records.get_task_operate_record),
        Route("fast_create_task", "POST", _BUSINESS, fast_creation.fast_create_task),
        Route("preview_task_tree", "POST", _BUSINESS_TEMPLATE, task_creation.preview_task_tree),
        Route("claim_functionalization_task", "POST", _TASK, claiming.claim_functionalization_task),
        Route("get_task_node_log", "GET", _TASK, node_log.get_task_node_log, traced=False),
        Route("get_plugin_list", "GET", _BUSINESS, plugins.get_plugin_list),
        Route("get_plugin_detail", "GET", _BUSINESS, plugins.get_plugin_detail),
        Route("create_template", "POST", _BUSINESS, template_creation.create_template),
        Route("import_project_template", "POST", _BUSINESS, template_import.import_project_template),
        Route("create_periodic_task", "POST", _TEMPLATE, periodic_tasks.create_periodic_task),
        Route("get_periodic_task_list", "GET", _BUSINESS, periodic_tasks.get_periodic_task_list),
        Route("get_periodic_task_info", "GET", _TASK, periodic_tasks.get_periodic_task_info),
        Route("set_periodic_task_enabled", "POST", _TASK, periodic_tasks.set_periodic_task_enabled),
        Route("modify_cron_for_periodic_task", "POST", _TASK, periodic_tasks.modify_cron_for_periodic_task),
        Route("modify_constants_for_periodic_task", "POST", _TASK, periodic_tasks.modify_constants_for_periodic_task),
        Route("create_clocked_task", "POST", _TEMPLATE, clocked_tasks.create_clocked_task),
        Route("get_clocked_task_list", "GET", _BUSINESS, clocked_tasks.get_clocked_task_list),
    )
}


def routes_for(age: Age) -> Mapping[str, Route]:
    """List the calls that an age of SOPS has, by name."""
    routes = {name: route for name, route in ROUTES.items() if age.has_call(name)}
    records = routes.get(_RECORDS)
    if records and age.records_by_project:
        routes[_RECORDS] = replace(records, path_ids=("task_id", "project_id"))
    return routes
