"""Operating tasks and nodes: operate_task, operate_node, node_callback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bamboo_engine import api as engine_api

from local_sops.api.call import Answer, Call, Code, Refusal
from local_sops.api.nodes import unknown_node
from local_sops.api.tasks import find_task, start_task
from local_sops.runtime.node_rules import forced_fail_text
from local_sops.runtime.task_life import EXECUTE_TASK
from local_sops.trees.nodes import has_node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bamboo_engine.api import EngineAPIResult

    from local_sops.runtime.engine import LocalRuntime

_TASK_ACTIONS: Mapping[str, Callable[..., EngineAPIResult]] = {
    "pause": engine_api.pause_pipeline,
    "resume": engine_api.resume_pipeline,
    "revoke": engine_api.revoke_pipeline,
}


def operate_task(call: Call) -> Answer:
    """Start, pause, resume or revoke a task."""
    call.require_body()
    task = find_task(call)
    action = str(call.body.get("action"))
    if action == "start":
        return start_task(call)
    if action not in _TASK_ACTIONS:
        raise Refusal("task command is invalid", Code.INVALID_OPERATION)
    if not task.is_started:
        raise Refusal("task not started", Code.INVALID_OPERATION)
    if task.current_flow != EXECUTE_TASK:
        message = f"task with current_flow:{task.current_flow} cannot be {action}ed"
        raise Refusal(message, Code.INVALID_OPERATION)
    return _answer(_TASK_ACTIONS[action](call.state.runtime, task.instance_id))


def operate_node(call: Call) -> Answer:
    """Execute an action on a node; every refusal of the engine has the same code."""
    call.require_body()
    task = find_task(call)
    node_id, action = str(call.body.get("node_id", "")), call.body.get("action")
    if not has_node(task.tree, node_id):
        raise unknown_node(task.pk, node_id, "nodes_action", Code.UNKNOWN)
    operation = _NODE_ACTIONS.get(str(action))
    if operation is None:
        raise Refusal("task command is invalid", Code.UNKNOWN)
    if action in ("skip", "retry"):
        call.state.child_tasks.wake_parent(task)
    return _answer(operation(call, call.state.runtime, node_id))


def node_callback(call: Call) -> Answer:
    """Call back a waiting node."""
    call.require_body()
    task = find_task(call)
    node_id = str(call.body.get("node_id", ""))
    if not has_node(task.tree, node_id):
        message = f"task[{task.pk}] does not have node[{node_id}]"
        raise Refusal(message, Code.BAD_PARAMETER)
    return _answer(_callback(call.state.runtime, node_id, call.body.get("callback_data")))


def _answer(result: EngineAPIResult) -> Answer:
    """Pass on the engine's result; a refusal carries the engine's traceback, as SOPS shows it."""
    if not result.result:
        raise Refusal(f"{result.message}: {result.exc_trace}", Code.UNKNOWN)
    return {"result": True, "message": result.message, "code": Code.SUCCESS}


def _retry(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    """Retry a failed node, optionally with other inputs."""
    data = engine_api.get_data(runtime, node_id)
    if not data.result:
        return data
    inputs = call.body.get("inputs") or None
    if inputs is not None:
        literal = [key for key, value in data.data["inputs"].items() if not value["need_render"]]
        inputs = {**inputs, "_escape_render_keys": [key for key in literal if key in inputs]}
    return engine_api.retry_node(runtime, node_id, inputs)


def _skip(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.skip_node(runtime, node_id)


def _skip_exclusive(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.skip_exclusive_gateway(runtime, node_id, call.body.get("flow_id"))


def _skip_conditional(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    """Refused, as on the server: its API does not pass on the ``flow_ids`` that this needs."""
    raise Refusal("'flow_ids'", Code.UNKNOWN)


def _call_back(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return _callback(runtime, node_id, call.body.get("data"))


def _callback(runtime: LocalRuntime, node_id: str, data: Any) -> EngineAPIResult:
    state = runtime.get_state_or_none(node_id)
    version = state.version if state else ""
    return engine_api.callback(runtime, node_id, version, {} if data is None else data)


def _pause(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.pause_node_appoint(runtime, node_id)


def _resume(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.resume_node_appoint(runtime, node_id)


def _pause_subprocess(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.pause_pipeline(runtime, node_id)


def _resume_subprocess(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.resume_pipeline(runtime, node_id)


def _retry_subprocess(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.retry_subprocess(runtime, node_id)


def _forced_fail(call: Call, runtime: LocalRuntime, node_id: str) -> EngineAPIResult:
    return engine_api.forced_fail_activity(runtime, node_id, ex_data=forced_fail_text(call.username))


_NODE_ACTIONS: Mapping[str, Callable[[Call, LocalRuntime, str], EngineAPIResult]] = {
    "retry": _retry,
    "skip": _skip,
    "callback": _call_back,
    "skip_exg": _skip_exclusive,
    "skip_cpg": _skip_conditional,
    "pause": _pause,
    "resume": _resume,
    "pause_subproc": _pause_subprocess,
    "resume_subproc": _resume_subprocess,
    "forced_fail": _forced_fail,
    "retry_subprocess": _retry_subprocess,
}
