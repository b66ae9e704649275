"""The log of a node's plugin and of the engine: get_task_node_log."""

from __future__ import annotations

from local_sops.api.call import Answer, Call, Code, Refusal
from local_sops.api.tasks import find_task
from local_sops.runtime.node_log import node_log
from local_sops.trees.nodes import has_node


def get_task_node_log(call: Call) -> Answer:
    """Return the log of a node, of its latest attempt or of ``version``, all on one page."""
    task = find_task(call)
    node_id = call.query.get("node_id", "")
    if not node_id:
        raise Refusal("[API] get_task_node_log node_id is required", Code.BAD_PARAMETER)
    if not has_node(task.tree, node_id):
        message = f"[API] get_task_node_log task[id={task.pk}] does not have node[{node_id}]"
        raise Refusal(message, Code.NOT_FOUND)
    log = node_log(call.state.runtime, node_id, call.query.get("version"))
    return {"result": True, "message": "success", "data": log, "page": {}}
