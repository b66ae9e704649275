"""Claiming a task of flow_type common_func: claim_functionalization_task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_sops.api.call import Answer, Call, Code, Refusal, success
from local_sops.api.tasks import find_task
from local_sops.runtime.task_life import EXECUTE_TASK, FUNC_CLAIM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.trees import Tree


def claim_functionalization_task(call: Call) -> Answer:
    """Claim a function task, after which it can be started. Name and constants may be changed."""
    if not call.raw_body:
        raise Refusal("request body is not a valid json", Code.BAD_PARAMETER)
    task = find_task(call)
    if task.flow_type != "common_func":
        raise Refusal("任务认领失败: 仅职能化任务才能认领, 请检查任务类型 | task_claim", Code.UNKNOWN)
    if task.current_flow != FUNC_CLAIM:
        message = f"任务认领失败: 仅职能化任务才能认领, 当前任务类型: {task.current_flow}, 请检查任务类型 | task_claim"
        raise Refusal(message, Code.UNKNOWN)
    tree = _with_constants(task.tree, call.body.get("constants") or {})
    task.tree_json = json.dumps(tree, ensure_ascii=False)
    task.name = call.body.get("name") or task.name
    task.current_flow = EXECUTE_TASK
    task.save()
    return success("success")


def _with_constants(tree: Tree, values: Mapping[str, Any]) -> Tree:
    """Set constants of an unstarted task: only shown ones may be changed."""
    constants = tree["constants"]
    known = {key: value for key, value in values.items() if key in constants}
    hidden = [key for key in known if constants[key].get("show_type", "hide") != "show"]
    outputs = [key for key in known if constants[key].get("source_type") == "component_outputs"]
    if hidden or outputs:
        message = (
            f"任务参数设置失败: 常量、输出参数 []、隐藏变量 {hidden}, 不可修改值, "
            f"输出为 {outputs}. 请检查变量配置 | set_task_constants"
        )
        raise Refusal(message, Code.UNKNOWN)
    return {
        **tree,
        "constants": {
            key: {**constant, "value": known[key]} if key in known else constant for key, constant in constants.items()
        },
    }
