"""Calls for the nodes of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.calls import Call, UnusableDataError, call, needed_object, nothing, object_of
from airflow_provider_sops.service.reading import read_text
from airflow_provider_sops.sops.calls.parameters import required_text
from airflow_provider_sops.sops.models import NodeData, NodeDetail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sops.service.answer import Answer


def operate_node(
    task_id: int | str,
    node_id: str,
    action: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    flow_id: str | None = None,
) -> Call[None]:
    """Act on a node. Works directly on a node inside a subprocess, but not on the subprocess itself.

    :param action: ``retry``, ``skip``, ``callback``, ``skip_exg``, ``skip_cpg``, ``pause``, ``resume``,
        ``pause_subproc``, ``resume_subproc``, ``forced_fail`` or ``retry_subprocess``.
    :param inputs: new inputs of the plugin for ``retry``.
    :param data: what ``callback`` sends to the node.
    :param flow_id: the branch to follow for ``skip_exg``.
    :raises SopsInvalidOperationError: the node's state does not allow it, or the task has no such node.
    """
    return call(
        "operate_node",
        nothing,
        task_id=task_id,
        node_id=required_text("operate_node", "node_id", node_id),
        action=required_text("operate_node", "action", action),
        inputs=inputs,
        data=data,
        flow_id=flow_id,
    )


def node_callback(
    task_id: int | str, node_id: str, callback_data: Any = None, *, version: str | None = None
) -> Call[None]:
    """Send data to a node that waits for it, for example a ``pause_node``.

    :param callback_data: becomes the node's output ``callback_data``.
    :param version: the node's version, so that a later round is not hit.
    :raises SopsInvalidOperationError: the node is not waiting.
    """
    return call(
        "node_callback",
        nothing,
        task_id=task_id,
        node_id=required_text("node_callback", "node_id", node_id),
        callback_data=callback_data,
        version=version,
    )


def get_task_node_detail(
    task_id: int | str,
    node_id: str,
    *,
    component_code: str | None = None,
    subprocess_stack: Sequence[str] | None = None,
    loop: int | None = None,
    fresh: bool = False,
) -> Call[NodeDetail]:
    """Read a node's state, data and earlier attempts.

    :param component_code: the node's plugin; without it outputs have no names.
    :param subprocess_stack: ids of the subprocesses around the node, outermost first. SOPS fails (HTTP 500) without
        them.
    :param loop: an earlier round of a loop; default: the last.
    :param fresh: only for symmetry; SOPS does not cache this call.
    """
    parameters = {
        "task_id": task_id,
        "node_id": required_text("get_task_node_detail", "node_id", node_id),
        "component_code": component_code,
        "subprocess_stack": list(subprocess_stack) if subprocess_stack else None,
        "loop": loop,
    }
    return Call("get_task_node_detail", parameters, _read_detail, fresh)


def get_task_node_data(
    task_id: int | str,
    node_id: str,
    *,
    component_code: str | None = None,
    subprocess_stack: Sequence[str] | None = None,
    loop: int | None = None,
    template_node_id: str | None = None,
) -> Call[NodeData]:
    """Read the inputs and outputs of a node; parameters as in ``get_task_node_detail``.

    :param template_node_id: the node's id in the template: adds its duration in earlier tasks.
    """
    return call(
        "get_task_node_data",
        object_of(NodeData.read),
        task_id=task_id,
        node_id=required_text("get_task_node_data", "node_id", node_id),
        component_code=component_code,
        subprocess_stack=list(subprocess_stack) if subprocess_stack else None,
        loop=loop,
        template_node_id=template_node_id,
    )


def get_task_node_log(
    task_id: int | str,
    node_id: str,
    *,
    version: str | None = None,
    page: int | None = None,
    page_size: int | None = None,
) -> Call[str]:
    """Read the log of a node's plugin. Older servers lack this call.

    :param version: the attempt's version, from the node's status; some servers return nothing without it.
    :param page: from 1, if the server pages its logs; default: the first.
    :param page_size: default: the server's, 30.
    """
    return call(
        "get_task_node_log",
        _read_log,
        task_id=task_id,
        node_id=required_text("get_task_node_log", "node_id", node_id),
        version=version,
        page=page,
        page_size=page_size,
    )


def _read_detail(answer: Answer) -> NodeDetail:
    return NodeDetail.read(needed_object(answer.data), answer.replaced)


def _read_log(data: Any) -> str:
    if data is None or isinstance(data, str):
        return read_text(data)
    raise UnusableDataError("it holds no text")
