"""The batch processing service itself: flows, instances, directories, time; no HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.enos_server.instances import Instance
from tests.enos_server.plays import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BAD_PARAMETER, NO_PRIVILEGE, UNKNOWN_USER, NOT_POSSIBLE, INTERNAL = 62102, 62103, 62101, 62104, 62109


class Refusal(Exception):  # noqa: N818 - the service's word to its client
    """The service does not do it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class BatchService:
    """What batch processing of one organisation holds.

    :param users: organisation by user.
    :param minute_seconds: how long a flow cannot be triggered again.
    :param trigger_kind: as what a triggered instance is listed: 0 manual or 2 temporary.
    :param lists_single: whether one task instance comes as a list, as the documents have it.
    :param ignores_pages: whether every page of a list is the first one.
    """

    users: dict[str, str]
    first_page: int = 1
    minute_seconds: float = 60.0
    trigger_kind: int = 0
    lists_single: bool = False
    ignores_pages: bool = False
    flows: dict[int, Flow] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    directories: list[dict[str, Any]] = field(default_factory=list)

    def add_flow(self, flow: Flow) -> Flow:
        """Make a flow known."""
        self.flows[flow.flow_id] = flow
        return flow

    def answer(self, resource: str, action: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> Any:
        """Return the ``data`` of an answer.

        :param body: ``None`` for a GET.
        :raises Refusal: with the code of the answer.
        """
        handler = _HANDLERS.get((resource, action, body is not None))
        if handler is None:
            raise Refusal(BAD_PARAMETER, "Invalid action.")
        user = query.get("userId", "")
        if resource != "time" and (not user or self.users.get(user) != query.get("orgId")):
            raise Refusal(UNKNOWN_USER, "userId does not exist, or it does not match to orgId.")
        return handler(self, user, query if body is None else body)

    def trigger(self, user: str, given: Mapping[str, Any]) -> Any:
        """Make an instance of a flow, from its beginning or from one of its tasks."""
        flow = self.flows.get(_integer(given, "flowId"))
        trigger_ms = _integer(given, "triggerTime")
        if flow is None:
            raise Refusal(BAD_PARAMETER, "Cannot create workflow instance.")
        if flow.owner != user:
            raise Refusal(NO_PRIVILEGE, "User has no privilege.")
        if not flow.plays[0].tasks:
            raise Refusal(NOT_POSSIBLE, "This workflow has no task. You cannot trigger it.")
        task_id = given.get("taskId")
        if task_id is not None and task_id not in [flow.task_id(name) for name in flow.plays[0].tasks]:
            raise Refusal(BAD_PARAMETER, "Cannot create workflow instance.")
        last = flow.last_triggered
        if last is not None and time.monotonic() - last < self.minute_seconds:
            raise Refusal(BAD_PARAMETER, "Cannot create workflow instance. Do not trigger repeatedly in 1 minute.")
        made = self.add_instance(flow, trigger_ms, kind=self.trigger_kind, from_task_id=task_id)
        made.parameters |= {item["key"]: item["value"] for item in given.get("parameters", ())}
        flow.last_triggered = time.monotonic()
        return {"flowInstanceId": made.instance_id}

    def add_instance(self, flow: Flow, trigger_ms: int, *, kind: int = 0, from_task_id: int | None = None) -> Instance:
        """Make an instance, as a person in the console or the flow's own schedule would."""
        made = Instance(flow, flow.next_play(), trigger_ms, kind, dict(flow.parameters), from_task_id)
        if made.instance_id in self.instances:
            raise Refusal(BAD_PARAMETER, "Cannot create workflow instance.")
        self.instances[made.instance_id] = made
        return made

    def update_and_trigger(self, user: str, given: Mapping[str, Any]) -> Any:
        """Make an instance with parameters of its own."""
        parameters = given.get("parameters")
        if not isinstance(parameters, list) or not all(set(item) == {"key", "value"} for item in parameters):
            raise Refusal(BAD_PARAMETER, "Invalid request body.")
        return self.trigger(user, given)

    def get_task_instance(self, user: str, given: Mapping[str, Any]) -> Any:
        """Read a task instance, which goes on by a look."""
        found = self._find_task(given)
        if found is None:
            raise Refusal(BAD_PARAMETER, "Incorrect parameter.")
        instance, name = found
        answer = instance.task_as_answer(name)
        instance.look()
        return [answer] if self.lists_single else answer

    def get_log(self, user: str, given: Mapping[str, Any]) -> Any:
        """Read a task's log."""
        found = self._find_task(given)
        if found is None:
            raise Refusal(BAD_PARAMETER, "Instance not found")
        text = found[0].play.tasks[found[1]].log
        if text is None:
            raise Refusal(INTERNAL, "No log found")
        return {"log": text[: int(given.get("maxLength") or 2**20)]}

    def get_flow_instance(self, user: str, given: Mapping[str, Any]) -> Any:
        """Read a flow instance, which goes on by a look."""
        instance = self.instances.get(str(given.get("flowInstId")))
        if instance is None:
            raise Refusal(BAD_PARAMETER, "Instance not found")
        answer = instance.as_answer()
        instance.look()
        return answer

    def search_instances(self, user: str, given: Mapping[str, Any]) -> Any:
        """List flow instances."""
        if not isinstance(given.get("owner"), str) or not isinstance(given.get("status"), str):
            raise Refusal(BAD_PARAMETER, "Invalid request body.")
        first, last = _integer(given, "fromTriggerTime"), _integer(given, "toTriggerTime")
        expression, wanted = str(given.get("expression") or ""), set(filter(None, given["status"].split(",")))
        found = [
            instance.as_item()
            for instance in self.instances.values()
            if instance.kind == given.get("type")
            and first <= instance.trigger_ms < last
            and (expression in instance.instance_id or expression in instance.flow.name)
            and given["owner"] in ("", instance.flow.owner)
            and (not wanted or str(instance.status) in wanted)
        ]
        page = self._page_of(found, given)
        return {"flowInsts": page, "count": len(page)}

    def cancel(self, user: str, given: Mapping[str, Any]) -> Any:
        """Stop a flow instance."""
        instance = self.instances.get(str(given.get("flowInstId")))
        if instance is None:
            raise Refusal(BAD_PARAMETER, "Instance not found")
        if instance.flow.owner != user:
            raise Refusal(NO_PRIVILEGE, "User has no privilege.")
        if not instance.cancel():
            raise Refusal(BAD_PARAMETER, "The instance cannot be stopped.")
        return ""

    def get_flow(self, user: str, given: Mapping[str, Any]) -> Any:
        """Read a flow, in any of three forms."""
        flow = self._flow(given)
        return {"flowId": flow.flow_id, "name": flow.name, "active": flow.active, **flow.details}

    def my_flows(self, user: str, given: Mapping[str, Any]) -> Any:
        """List the user's flows."""
        return [
            {"flowId": flow.flow_id, "flowName": flow.name, "cycle": "D", "editable": True}
            for flow in self.flows.values()
            if flow.owner == user and str(given.get("expression") or "") in flow.name
        ]

    def search_flows(self, user: str, given: Mapping[str, Any]) -> Any:
        """List flows; their ids are texts here."""
        expression = str(given.get("expression") or "")
        found = [
            {"flowId": str(flow.flow_id), "flowName": flow.name}
            for flow in self.flows.values()
            if expression in flow.name
        ]
        return self._page_of(found, given)

    def save_flow(self, user: str, given: Mapping[str, Any]) -> Any:
        """Create or change a flow."""
        flow_id = int(given.get("id") or 1 + max(self.flows, default=0))
        self.add_flow(Flow(flow_id, str(given.get("name")), owner=user, details=dict(given)))
        return {"flowId": flow_id}

    def import_flow(self, user: str, given: Mapping[str, Any]) -> Any:
        """Create or change a flow from an exported one."""
        return self.save_flow(user, {"id": given.get("flowId"), "name": given["flowName"], **given})

    def delete_flow(self, user: str, given: Mapping[str, Any]) -> Any:
        """Delete a flow."""
        del self.flows[self._flow(given).flow_id]
        return ""

    def enable(self, user: str, given: Mapping[str, Any]) -> Any:
        """Let a flow run by its schedule."""
        self._flow(given).active = True
        return ""

    def disable(self, user: str, given: Mapping[str, Any]) -> Any:
        """Keep a flow from running by its schedule."""
        self._flow(given).active = False
        return ""

    def create_directory(self, user: str, given: Mapping[str, Any]) -> Any:
        """Create a directory."""
        self.directories.append({"dirId": 100 + len(self.directories), **given})
        return {"dirId": self.directories[-1]["dirId"]}

    def list_directories(self, user: str, given: Mapping[str, Any]) -> Any:
        """Read the directories."""
        return self.directories

    def current_time(self, user: str, given: Mapping[str, Any]) -> Any:
        """Read the clock."""
        return time.time_ns() // 1_000_000

    def time_zone(self, user: str, given: Mapping[str, Any]) -> Any:
        """Read the time zone."""
        return {"timezone": "GMT+8"}

    def _flow(self, given: Mapping[str, Any]) -> Flow:
        number = str(given.get("flowId"))
        flow = self.flows.get(int(number)) if number.isdigit() else None
        if flow is None:
            raise Refusal(BAD_PARAMETER, "Flow not found.")
        return flow

    def _find_task(self, given: Mapping[str, Any]) -> tuple[Instance, str] | None:
        for instance in self.instances.values():
            name = instance.task_named(str(given.get("taskInstId")))
            if name is not None:
                return instance, name
        return None

    def _page_of(self, items: list[dict[str, Any]], given: Mapping[str, Any]) -> list[dict[str, Any]]:
        pagination = given.get("pagination")
        if not isinstance(pagination, dict) or pagination.get("sorters") not in (None, []):
            raise Refusal(BAD_PARAMETER, "The sorters field parameter is invalid")
        size = _integer(pagination, "pageSize")
        start = 0 if self.ignores_pages else size * (_integer(pagination, "pageNo") - self.first_page)
        if start < 0 or size < 1:
            raise Refusal(BAD_PARAMETER, "Invalid pagination.")
        return items[start : start + size]


def _integer(given: Mapping[str, Any], name: str) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refusal(BAD_PARAMETER, "Invalid request body.")
    return value


#: By resource, action and whether it is a POST.
_HANDLERS: dict[tuple[str, str, bool], Callable[[BatchService, str, Mapping[str, Any]], Any]] = {
    ("taskInstances", "get", False): BatchService.get_task_instance,
    ("taskInstances", "getLog", False): BatchService.get_log,
    ("flowInstances", "get", False): BatchService.get_flow_instance,
    ("flowInstances", "search", True): BatchService.search_instances,
    ("flowInstances", "cancel", True): BatchService.cancel,
    ("flows", "trigger", True): BatchService.trigger,
    ("flows", "triggerFromTask", True): BatchService.trigger,
    ("flows", "updateAndTrigger", True): BatchService.update_and_trigger,
    ("flows", "get", False): BatchService.get_flow,
    ("flows", "getMyFlow", False): BatchService.my_flows,
    ("flows", "search", True): BatchService.search_flows,
    ("flows", "loadForEdit", False): BatchService.get_flow,
    ("flows", "save", True): BatchService.save_flow,
    ("flows", "import", True): BatchService.import_flow,
    ("flows", "export", False): BatchService.get_flow,
    ("flows", "delete", False): BatchService.delete_flow,
    ("flows", "enable", True): BatchService.enable,
    ("flows", "disable", True): BatchService.disable,
    ("directories", "create", True): BatchService.create_directory,
    ("directories", "listWorkFlowDirs", False): BatchService.list_directories,
    ("time", "getCurrentTime", False): BatchService.current_time,
    ("time", "getTimeZone", False): BatchService.time_zone,
}
