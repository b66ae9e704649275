"""Waiting for a task to come to something: ask again in short intervals, give up with what was last seen."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree import TreeIndex
from airflow_provider_sops.sops.pipeline_tree.nodes import SERVICE_ACTIVITY, SUBPROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus

_LONGEST_SECONDS = 60.0
_LONGEST_REFUSAL_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
#: In a REVOKED task the running nodes go on.
_NOTHING_FOLLOWS = (TaskState.FINISHED, TaskState.EXPIRED)


def wait_until(hook: SopsHook, task_id: int, what: str, condition: Callable[[TaskStatus], bool]) -> TaskStatus:
    """Return the first status of a task, with the errors of its nodes, that meets a condition.

    :param what: the condition in words, for the failure.
    :raises AssertionError: it did not come to that.
    """
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        status = _with_names(hook, task_id, hook.get_task_status(task_id, with_ex_data=True, fresh=True))
        if condition(status):
            return status
        if status.state in _NOTHING_FOLLOWS or time.monotonic() > deadline:
            raise AssertionError(f"task {task_id} did not come to {what}; it is {described(status)}")
        time.sleep(_PAUSE_SECONDS)


def _with_names(hook: SopsHook, task_id: int, status: TaskStatus) -> TaskStatus:
    """Take the names from the tree if the status has none: a SOPS of 2019 tells the nodes' classes there."""
    if not status.nodes or any(node.name for _, node in status.walk()):
        return status
    tree = TreeIndex(hook.get_task_detail(task_id, fresh=True).pipeline_tree)
    names = {node.id: node.name for node in tree if node.type in (SERVICE_ACTIVITY, SUBPROCESS)}

    def named(nodes: Mapping[str, NodeStatus]) -> dict[str, NodeStatus]:
        return {
            node_id: replace(node, name=names.get(node_id, ""), children=named(node.children))
            for node_id, node in nodes.items()
        }

    return replace(status, nodes=named(status.nodes))


def wait_for_state(hook: SopsHook, task_id: int, state: str) -> TaskStatus:
    """Wait until a task is in a state."""
    return wait_until(hook, task_id, state, lambda status: status.state == state)


def wait_for_node(hook: SopsHook, task_id: int, name: str, state: str) -> TaskStatus:
    """Wait until a node, nested or not, is in a state."""
    return wait_until(
        hook,
        task_id,
        f"{name!r} being {state}",
        lambda status: any(node.name == name and node.state == state for _, node in status.walk()),
    )


def wait_for_outputs(hook: SopsHook, task_id: int, node_id: str) -> None:
    """Wait until a node of the top level has put something out; one that waits has done so when its wait begins.

    :raises AssertionError: it has not.
    """
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not hook.get_task_node_detail(task_id, node_id, fresh=True).data.outputs:
        if time.monotonic() > deadline:
            raise AssertionError(f"node {node_id} of task {task_id} has no outputs")
        time.sleep(_PAUSE_SECONDS)


def node_named(status: TaskStatus, name: str) -> NodeStatus:
    """Return the one reached node of a name."""
    (node,) = (node for _, node in status.walk() if node.name == name)
    return node


def states_by_name(status: TaskStatus) -> dict[str, TaskState]:
    """Return the states of the reached nodes that have a name: gateways, start and end have none."""
    return {node.name: node.state for _, node in status.walk() if node.name}


def described(status: TaskStatus) -> str:
    """Return a status in words."""
    nodes = ", ".join(f"{name!r} {state}" for name, state in states_by_name(status).items())
    return f"{status.state} ({nodes or 'no named node reached'}) {dict(status.ex_data) or ''}".rstrip()


def until_accepted(act: Callable[[], None]) -> None:
    """Act on a node that only just came to its state: for a moment the engine has not let go of it and refuses.

    :raises SopsInvalidOperationError: it is still refused after seconds.
    """
    deadline = time.monotonic() + _LONGEST_REFUSAL_SECONDS
    while True:
        try:
            act()
        except SopsInvalidOperationError:
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(_PAUSE_SECONDS)
