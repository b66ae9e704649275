"""The calls of EnOS's batch processing service, one row each: the 22 of its API v2.1.

A call is a resource and an action: ``GET taskInstances?action=get``. v2.0 of the API has the same calls except those
marked ``since_v21``. No call reruns or pauses an instance, or stops a single task of it.

``repeatable`` says whether a call may be sent again if its answer was lost and nobody knows whether it was executed:
everything that only reads, even by POST, and everything that sets a given value. Not a trigger, which creates an
instance, nor cancel and delete, whose repeat fails and hides that the first one worked.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_provider_sops.enos.errors import EnosInvalidParameterError
from airflow_provider_sops.service.calls import look_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.http import Method


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the API.

    :param name: the call's name in this package.
    :param resource: the path's last part.
    :param action: the query's ``action``.
    :param repeatable: whether the call may be sent again after a lost answer.
    :param doc: what it does.
    :param for_user: whether it needs a user and an organisation (``userId`` and ``orgId``).
    :param since_v21: whether v2.0 lacks it.
    """

    name: str
    method: Method
    resource: str
    action: str
    repeatable: bool
    doc: str
    for_user: bool = True
    since_v21: bool = False


_INSTANCES = (
    Endpoint("get_task_instance", "GET", "taskInstances", "get", True, "Read a task instance.", since_v21=True),
    Endpoint("get_task_instance_log", "GET", "taskInstances", "getLog", True, "Read a task instance's log."),
    Endpoint("get_flow_instance", "GET", "flowInstances", "get", True, "Read a flow instance and its graph."),
    Endpoint("search_flow_instances", "POST", "flowInstances", "search", True, "List flow instances."),
    Endpoint("cancel_flow_instance", "POST", "flowInstances", "cancel", False, "Stop a flow instance."),
)

_TRIGGERS = (
    Endpoint("trigger_flow", "POST", "flows", "trigger", False, "Run a flow."),
    Endpoint(
        "trigger_flow_from_task",
        "POST",
        "flows",
        "triggerFromTask",
        False,
        "Run a flow from one of its tasks on.",
        since_v21=True,
    ),
    Endpoint(
        "update_and_trigger_flow", "POST", "flows", "updateAndTrigger", False, "Run a flow with other parameters."
    ),
)

_FLOWS = (
    Endpoint("get_flow", "GET", "flows", "get", True, "Read a flow."),
    Endpoint("get_my_flow", "GET", "flows", "getMyFlow", True, "List the flows of the user."),
    Endpoint("search_flow", "POST", "flows", "search", True, "List flows."),
    Endpoint("load_flow_for_edit", "GET", "flows", "loadForEdit", True, "Read a flow for editing."),
    Endpoint("save_flow", "POST", "flows", "save", False, "Create or change a flow."),
    Endpoint("import_flow", "POST", "flows", "import", False, "Create or change a flow from an exported one."),
    Endpoint("export_flow", "GET", "flows", "export", True, "Read a flow in its importable form."),
    Endpoint("delete_flow", "GET", "flows", "delete", False, "Delete a flow. EnOS does this by GET."),
    Endpoint("enable_flow", "POST", "flows", "enable", True, "Enable a flow's schedule."),
    Endpoint("disable_flow", "POST", "flows", "disable", True, "Disable a flow's schedule."),
)

_OTHERS = (
    Endpoint("create_directory", "POST", "directories", "create", False, "Create a directory for flows."),
    Endpoint("list_workflow_directories", "GET", "directories", "listWorkFlowDirs", True, "List the directories."),
    Endpoint("get_current_time", "GET", "time", "getCurrentTime", True, "Read the server's clock.", for_user=False),
    Endpoint("get_time_zone", "GET", "time", "getTimeZone", True, "Read the server's time zone.", for_user=False),
)

#: Every call by its name.
ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {row.name: row for row in (*_INSTANCES, *_TRIGGERS, *_FLOWS, *_OTHERS)}
)


def endpoint(name: str) -> Endpoint:
    """Return the row of a call.

    :param name: the call's name, for example ``get_flow_instance``.
    :raises EnosInvalidParameterError: there is no such call; the text names similar ones.
    """
    return look_up(name, ENDPOINTS, service="EnOS's batch processing", error=EnosInvalidParameterError)
