"""Answers of a SOPS of 2019 or 2020, converted from today's.

The formats are those of the API documents of these years: create_task, get_task_status and get_task_detail of 2019,
get_task_status of 2020. get_tasks_status did not exist. Anything not documented is as today.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_sops.store.models import Task
from local_sops.trees.old_tree import PIPELINE_CLASS, class_names, old_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_sops.api.call import Answer, Call

Data = dict[str, Any]

MISSING_CALLS = frozenset({"get_tasks_status", "create_clocked_task", "get_clocked_task_list", "create_template"})
"""Calls that an old server lacks."""
_UNKNOWN_FLAGS = {
    "2019": frozenset({"with_ex_data", "with_failed_node_info", "with_auto_retry_status"}),
    "2020": frozenset({"with_failed_node_info", "with_auto_retry_status"}),
}
_TIME_2019 = "%Y-%m-%d %H:%M:%S"


def old_call(call: Call) -> Call:
    """Drop the parameters unknown to an old server."""
    unknown = _UNKNOWN_FLAGS[call.state.config.api]
    return dataclasses.replace(call, query={key: text for key, text in call.query.items() if key not in unknown})


def old_answer(call: Call, answer: Answer) -> Answer:
    """Convert a successful answer to an old server's format."""
    reshape = _RESHAPED.get(call.name)
    return {**answer, "data": reshape(call, answer["data"])} if reshape and answer["result"] else answer


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
    root = _node_status(data, names, call.state.config.api)
    root |= {"name": names.get(data["id"], PIPELINE_CLASS), "version": ""}
    if "ex_data" in data:
        root["ex_data"] = data["ex_data"]
    return root


def _node_status(status: Data, names: Mapping[str, str], api: str) -> Data:
    old = {key: status[key] for key in ("id", "state", "retry", "loop", "skip", "version", "start_time")}
    old["finish_time"] = status["finish_time"] or ""
    old["name"] = names.get(status["id"], PIPELINE_CLASS)
    if api == "2020":
        old["name"] = status.get("name") or old["name"]
        old["error_ignorable"] = status["error_ignorable"]
        old["elapsed_time"] = status["elapsed_time"]
        refreshed = datetime.strptime(status["finish_time"] or status["start_time"], f"{_TIME_2019} %z")
        old["state_refresh_at"] = refreshed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    old["children"] = {key: _node_status(child, names, api) for key, child in status["children"].items()}
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
    later = ("auth_actions", "is_child_taskflow")
    return [
        {
            **{key: value for key, value in item.items() if key not in later},
            "template_source": "business" if item["template_source"] == "project" else item["template_source"],
        }
        for item in data
    ]


_RESHAPED: Mapping[str, Callable[[Call, Any], Any]] = {
    "get_task_status": _status,
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
