"""What a node did: get_task_node_detail, get_task_node_data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bamboo_engine import api as engine_api
from bamboo_engine import states
from bamboo_engine.exceptions import NotFoundError
from pipeline.component_framework.library import ComponentLibrary
from pipeline.eri.models import State

from local_sops.api.call import Answer, Call, Code, Refusal, ServerFaultError, success
from local_sops.api.tasks import find_task
from local_sops.status_tree import node_status
from local_sops.times import elapsed_seconds, format_time
from local_sops.trees.engine_tree import engine_pipeline
from local_sops.trees.nodes import has_node, node_at, tree_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from local_sops.runtime.engine import LocalRuntime
    from local_sops.store.models import Task
    from local_sops.trees import Tree


def unknown_node(task_id: int, node_id: str, action: str, code: int, **extra: Any) -> Refusal:
    """Build the refusal for a node that is not in the task; template ids are not.

    :param action: the server's name for the action.
    """
    message = (
        f"节点状态请求失败: 任务[ID: {task_id}]中未找到节点[ID: {node_id}]. "
        f"请重试. 如持续失败可联系管理员处理 | {action}"
    )
    return Refusal(message, code, **extra)


def get_task_node_detail(call: Call) -> Answer:
    """Return state, times, earlier attempts, inputs and outputs of a node, in its latest round or an earlier one."""
    task = find_task(call)
    node_id = call.query.get("node_id", "")
    if not has_node(task.tree, node_id):
        raise unknown_node(task.pk, node_id, "get_node_detail", Code.BAD_PARAMETER, data={})
    node = _node_at(call, task, node_id)
    state = State.objects.filter(node_id=node_id).first()
    if state is None:
        detail: dict[str, Any] = {
            "name": node["name"],
            "error_ignorable": node.get("error_ignorable", False),
            "state": states.READY,
        }
    else:
        detail = _executed(call, state)
    if call.query.get("include_data", "1") not in ("0", "false", "False"):
        detail |= _data(call, task, node, state)
        if state is not None:
            detail["auto_retry_info"] = {}
    return success(detail, message="")


def get_task_node_data(call: Call) -> Answer:
    """Return the inputs and outputs of a node."""
    task = find_task(call)
    node_id = call.query.get("node_id", "")
    if not has_node(task.tree, node_id):
        raise unknown_node(task.pk, node_id, "get_node_data", Code.UNKNOWN, data={})
    node = _node_at(call, task, node_id)
    state = State.objects.filter(node_id=node_id).first()
    return success(_data(call, task, node, state), message="")


def _subprocess_stack(call: Call) -> Sequence[str]:
    stack: Sequence[str] = call.query_json("subprocess_stack", [])
    return stack


def _node_at(call: Call, task: Task, node_id: str) -> dict[str, Any]:
    """Find the node; a nested one without its subprocess_stack is an unhandled error, as in SOPS."""
    try:
        return node_at(task.tree, node_id, _subprocess_stack(call))
    except KeyError as error:
        raise ServerFaultError(f"no node {error}") from error


def _loop(call: Call, state: State) -> int:
    """Read the requested round: the latest by default, or if that round was not reached."""
    loop = int(call.query.get("loop") or state.loop)
    return min(loop, int(state.loop))


def _executed(call: Call, state: State) -> dict[str, Any]:
    zone = call.state.config.timezone
    loop = _loop(call, state)
    histories = call.state.runtime.get_histories(state.node_id, loop)
    detail = node_status(state, zone)
    # For a single node, the parent is the root, nested or not.
    detail["parent_id"] = state.root_id
    detail["history_id"] = -1
    if loop < state.loop:
        last = histories.pop()
        detail |= _times(last.started_time, last.archived_time, zone)
        detail |= {"loop": loop, "skip": last.skip, "retry": last.retry, "version": last.version}
        detail |= {"state": _history_state(last), "history_id": last.id}
    detail["histories"] = [_history(history, zone) for history in histories]
    return detail


def _times(start: Any, finish: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "elapsed_time": elapsed_seconds(start, finish),
        "start_time": format_time(start, zone) if start else None,
        "finish_time": format_time(finish, zone) if finish else None,
    }


def _history_state(history: Any) -> str:
    """Return the state of an earlier attempt, derived from its outputs: the engine keeps no state of it."""
    succeeded = history.skip or history.outputs.get("_result", True)
    return str(states.FINISHED if succeeded else states.FAILED)


def _history(history: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": history.id,
        "node_id": history.node_id,
        "loop": history.loop,
        "skip": history.skip,
        "version": history.version,
        "inputs": history.inputs,
        "outputs": history.outputs,
        "ex_data": history.outputs.get("ex_data"),
        "state": states.FAILED,
        "history_id": history.id,
        "children": {},
        **_times(history.started_time, history.archived_time, zone),
    }


def _data(call: Call, task: Task, node: Mapping[str, Any], state: State | None) -> dict[str, Any]:
    if state is None:
        inputs, outputs = _previewed_inputs(call, task, node), dict[str, Any]()
        ex_data: Any = ""
    else:
        inputs, outputs = _execution_data(call.state.runtime, state, _loop(call, state))
        ex_data = outputs.get("ex_data")
    bound = _bound_outputs(tree_at(task.tree, _subprocess_stack(call)), node["id"])
    return {"inputs": inputs, "outputs": _output_table(call, node, outputs, bound), "ex_data": ex_data}


def _execution_data(runtime: LocalRuntime, state: State, loop: int) -> tuple[dict[str, Any], dict[str, Any]]:
    if loop < state.loop:
        history = runtime.get_histories(state.node_id, loop)[-1]
        return dict(history.inputs), dict(history.outputs)
    try:
        data = runtime.get_execution_data(state.node_id)
    except NotFoundError:
        # Events, gateways, and activities that have just started have no data.
        return {}, {}
    return dict(data.inputs), dict(data.outputs)


def _previewed_inputs(call: Call, task: Task, node: Mapping[str, Any]) -> dict[str, Any]:
    """Render the inputs of an unreached node with the current values."""
    result = engine_api.preview_node_inputs(
        call.state.runtime, engine_pipeline(task.tree), node["id"], list(_subprocess_stack(call))
    )
    return dict(result.data) if result.result else {}


def _bound_outputs(tree: Tree, node_id: str) -> dict[str, str]:
    """Output key -> name of the global variable that it is bound to."""
    bound = {}
    for key, constant in tree["constants"].items():
        sources = constant.get("source_info") or {}
        if constant["source_type"] == "component_outputs" and node_id in sources:
            bound[sources[node_id][0]] = key[2:-1]
    return bound


def _output_table(
    call: Call, node: Mapping[str, Any], outputs: Mapping[str, Any], bound: Mapping[str, str]
) -> list[dict[str, Any]]:
    """List the outputs: named and in the plugin's order if the caller named the plugin."""
    code = call.query.get("component_code")
    if not code:
        return [{"key": bound.get(key, key), "value": value, "preset": False} for key, value in outputs.items()]
    version = node.get("component", {}).get("version")
    items = ComponentLibrary.get_component_class(code, version).bound_service().outputs()
    table = [
        {
            "name": str(item.name),
            "key": bound.get(item.key, item.key),
            "value": outputs.get(item.key, ""),
            "preset": True,
        }
        for item in items
    ]
    preset = {item.key for item in items}
    table += [
        {"name": key, "key": key, "value": value, "preset": False}
        for key, value in outputs.items()
        if key not in preset
    ]
    return table
