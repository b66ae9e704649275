"""What an older SOPS does not read of a call, and its answers, converted from today's.

The formats of 2019 are those of the API documents of that year: create_task, get_task_status and get_task_detail. Of
2020 only get_task_status has another: that of its document. Later ages differ in single fields: see
:mod:`local_sops.ages`.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sops.store.models import Task
from local_sops.trees.old_tree import PIPELINE_CLASS, class_names, old_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from local_sops.ages import Age
    from local_sops.api.call import Answer, Call

Data = dict[str, Any]

_TIME_2019 = "%Y-%m-%d %H:%M:%S"


def heeded(age: Age, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the parameters of a call that a server of an age ignores."""
    ignored = age.ignored_parameters(name)
    return {key: value for key, value in parameters.items() if key not in ignored}


def heeded_call(call: Call) -> Call:
    """Drop from a call what the server ignores."""
    age = call.state.config.age
    query, body = heeded(age, call.name, call.query), heeded(age, call.name, call.body)
    return dataclasses.replace(call, query=query, body=body)


def aged_answer(call: Call, answer: Answer) -> Answer:
    """Convert an answer to the format of the server's age.

    :param answer: not changed: it may be cached.
    """
    age = call.state.config.age
    if not answer["result"] or "data" not in answer:
        return answer
    data = _without(age.missing_fields(call.name), answer["data"])
    if call.name == "get_task_status" and not age.names_nodes_in_failure_info and "failed_node_info" in data:
        info = data["failed_node_info"].items()
        data = {**data, "failed_node_info": {node_id: _without(["node_id"], one) for node_id, one in info}}
    reshaped = {} if age.is_at_least("3.25") else _RESHAPED_IN_2020 if age.is_at_least("2020") else _RESHAPED_IN_2019
    reshape = reshaped.get(call.name)
    return {**answer, "data": reshape(call, data) if reshape else data}


def _without(fields: Collection[str], data: Any) -> Any:
    """Leave fields out of an object, or of each object of a list."""
    if isinstance(data, list):
        return [_without(fields, item) for item in data]
    if not (fields and isinstance(data, dict)):
        return data
    return {key: value for key, value in data.items() if key not in fields}


def old_envelope(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the keys that answers lacked in 2019: the code, the trace id, and an empty message."""
    return {
        key: value
        for key, value in answer.items()
        if key not in ("code", "trace_id") and not (key == "message" and answer["result"] and not value)
    }


def _status(call: Call, data: Data) -> Data:
    if data["state"] == "CREATED":
        return {key: value for key, value in data.items() if key != "name"}
    if "children" not in data:
        return data
    names = class_names(Task.objects.get(pk=call.ids["task_id"]).tree)
    root = _node_status(data, names, with_names=call.state.config.age.is_at_least("2020"))
    root |= {"name": names.get(data["id"], PIPELINE_CLASS), "version": ""}
    if "ex_data" in data:
        root["ex_data"] = data["ex_data"]
    return root


def _node_status(status: Data, names: Mapping[str, str], *, with_names: bool) -> Data:
    """Convert a node's status.

    :param with_names: whether activities have their names, and some more fields, as in 2020.
    """
    old = {key: status[key] for key in ("id", "state", "retry", "loop", "skip", "version")}
    # A node that waits to begin has no times at all.
    old |= {"start_time": status["start_time"] or "", "finish_time": status["finish_time"] or ""}
    old["name"] = names.get(status["id"], PIPELINE_CLASS)
    if with_names:
        old["name"] = status.get("name") or old["name"]
        old["error_ignorable"] = status["error_ignorable"]
        old["elapsed_time"] = status["elapsed_time"]
        latest = status["finish_time"] or status["start_time"]
        refreshed = datetime.strptime(latest, f"{_TIME_2019} %z") if latest else datetime.now(UTC)
        old["state_refresh_at"] = refreshed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    children = status["children"].items()
    old["children"] = {key: _node_status(child, names, with_names=with_names) for key, child in children}
    return old


def _detail(call: Call, data: Data) -> Data:
    """Convert a task's details: other names, times in UTC without a zone."""
    kept = ("id", "creator", "executor", "create_method", "elapsed_time", "ex_data", "constants", "outputs", "task_url")
    return {
        **{key: data[key] for key in kept},
        "instance_name": data["name"],
        "business_id": call.project.bk_biz_id,
        "business_name": call.project.name,
        "template_id": str(data["template_id"]),
        "create_time": _without_zone(data["create_time"]),
        "start_time": _without_zone(data["start_time"]),
        "end_time": _without_zone(data["finish_time"]),
        "pipeline_tree": old_tree(data["pipeline_tree"]),
    }


def _without_zone(text: str) -> str:
    return datetime.strptime(text, f"{_TIME_2019} %z").astimezone(UTC).strftime(_TIME_2019) if text else ""


def _with_old_tree(call: Call, data: Data) -> Data:
    return {**data, "pipeline_tree": old_tree(data["pipeline_tree"])}


def _task_list(call: Call, data: list[Data]) -> list[Data]:
    source = {"project": "business"}
    return [{**item, "template_source": source.get(item["template_source"], item["template_source"])} for item in data]


_RESHAPED_IN_2020: Mapping[str, Callable[[Call, Any], Any]] = {"get_task_status": _status}
_RESHAPED_IN_2019: Mapping[str, Callable[[Call, Any], Any]] = {
    **_RESHAPED_IN_2020,
    "get_task_detail": _detail,
    "get_task_list": _task_list,
    "create_task": _with_old_tree,
    "create_and_start_task": _with_old_tree,
    "fast_create_task": _with_old_tree,
    "preview_task_tree": _with_old_tree,
    "create_periodic_task": _with_old_tree,
    "get_periodic_task_info": _with_old_tree,
    "get_template_info": _with_old_tree,
    "get_common_template_info": _with_old_tree,
}
