"""Small answers and trees of SOPS, made for tests, with the traits of real servers of every age."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

START_TIME = "2026-03-02 09:00:00 +0800"
FINISH_TIME = "2026-03-02 09:00:07 +0800"

#: Anything that an answer may hold where SOPS's own values are expected.
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def answer_with(*fields: str) -> st.SearchStrategy[Any]:
    """Answers that have some of the ``fields`` with any value, or that are no object at all."""
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, ANY_JSON))
    return known | st.lists(known, max_size=2) | ANY_JSON


def node(state: str = "FINISHED", name: str = "", children: Mapping[str, Any] | None = None, **fields: Any) -> Any:
    """One value of ``children`` as a server of today gives it; its key becomes its id in ``task_status``.

    :param fields: what is to differ, ``retry=1``.
    """
    running = state in ("RUNNING", "SUSPENDED", "NODE_SUSPENDED")
    return {
        "state": state,
        "version": "v0",
        "loop": 1,
        "retry": 0,
        "skip": False,
        "error_ignorable": False,
        "error_ignored": False,
        "children": dict(children or {}),
        "elapsed_time": 7,
        "start_time": None if state == "READY" else START_TIME,
        "finish_time": None if running or state == "READY" else FINISH_TIME,
        "name": name,
        **fields,
    }


def task_status(state: str, children: Mapping[str, Any] | None = None, **fields: Any) -> Any:
    """The ``data`` of ``get_task_status`` from a server of today.

    :param children: the nodes that the task has reached, by id.
    :param fields: what is to differ or to be added, ``ex_data={...}``.
    """
    if state == "CREATED":
        return created_status(**fields)
    if state == "EXPIRED":
        return {"state": "EXPIRED", "name": "deploy", **fields}
    status = {**node(state, "deploy", children), "id": "n-root"}
    status["finish_time"] = FINISH_TIME if state == "FINISHED" else None
    _place(status, "n-root")
    return {**status, **fields}


def created_status(**fields: Any) -> Any:
    """A task that has not begun: no id, ``skip`` a number, no ``children`` at all."""
    times = {"start_time": None, "finish_time": None, "elapsed_time": 0}
    return {"state": "CREATED", "retry": 0, "skip": 0, **times, "name": "deploy", **fields}


def running_task(state: str = "RUNNING", *, retry: int = 0) -> Any:
    """A task that runs, with its node ``a``, called boom, in ``state``."""
    return task_status("RUNNING", {"start": node(), "a": node(state, "boom", retry=retry, version=f"v{retry}")})


def failed_task(
    *, retry: int = 0, others: Mapping[str, Any] | None = None, error: str = "disk full", pending: bool = False
) -> Any:
    """A task of which the node ``a``, called boom, has failed, as a request for details is answered.

    :param others: further nodes by id.
    :param pending: whether the server will retry it by itself.
    """
    children = {"start": node(), "a": node("FAILED", "boom", retry=retry, version=f"v{retry}"), **(others or {})}
    retries = {"exist_auto_retry_nodes": pending, "auto_retry_nodes": ["a"] if pending else []}
    return task_status("FAILED", children, ex_data={"a": error}, auto_retry_status=retries)


def without_details(status: Mapping[str, Any]) -> Any:
    """The same answer to a request that does not ask for details."""
    details = ("ex_data", "auto_retry_status", "failed_node_info")
    return {key: value for key, value in status.items() if key not in details}


def status_of_2019(state: str, children: Mapping[str, tuple[str, str]]) -> Any:
    """The ``data`` of ``get_task_status`` from a server of 2019: class names, no ``elapsed_time``, ``""`` for no time.

    :param children: state and name by id; an empty name becomes that of a class.
    """

    def old(node_id: str, node_state: str, name: str) -> Any:
        return {
            "retry": 0,
            "name": name,
            "finish_time": "" if node_state == "RUNNING" else "2018-04-26 16:08:46 +0800",
            "skip": False,
            "start_time": "2018-04-26 16:08:34 +0800",
            "children": {},
            "state": node_state,
            "version": "7447cc28",
            "id": node_id,
            "loop": 1,
        }

    activity = "<class 'pipeline.core.flow.activity.ServiceActivity'>"
    root = old("n-root", state, "<class 'pipeline.core.pipeline.Pipeline'>")
    nodes = {key: old(key, node_state, name or activity) for key, (node_state, name) in children.items()}
    return {**root, "finish_time": "", "version": "", "children": nodes}


def activity(name: str, plugin: str = "sleep_timer", **fields: Any) -> Any:
    """A plugin node of a pipeline tree; its key becomes its id in ``pipeline_tree``."""
    return {
        "type": "ServiceActivity",
        "name": name,
        "component": {"code": plugin, "version": "legacy", "data": {}},
        "optional": True,
        **fields,
    }


def subprocess(name: str, tree: Mapping[str, Any], **fields: Any) -> Any:
    """A subprocess node of a task's tree, with its inner tree."""
    return {"type": "SubProcess", "name": name, "pipeline": tree, "optional": True, **fields}


def pipeline_tree(*ways: str, nodes: Mapping[str, Any] | None = None, **fields: Any) -> Any:
    """A web tree, from ways such as ``"start > a > end"``.

    :param ways: ids of nodes in the order in which they follow each other; the first one begins at the start event and
        the last one ends at the end event.
    :param nodes: an ``activity`` or ``subprocess`` by id, or the type of a gateway. Others become activities of their
        id's name.
    :param fields: what is to be added, ``constants={...}``.
    """
    hops = [tuple(way.split(" > ")) for way in ways]
    pairs = dict.fromkeys((source, target) for hop in hops for source, target in itertools.pairwise(hop))
    flows = {f"{a}-{b}": {"id": f"{a}-{b}", "source": a, "target": b, "is_default": False} for a, b in pairs}
    start, end = hops[0][0], hops[-1][-1]
    given = dict(nodes or {})
    gateways = {key: value for key, value in given.items() if isinstance(value, str)}
    inner = dict.fromkeys(key for pair in pairs for key in pair if key not in (start, end, *gateways))
    return {
        "start_event": {"id": start, "type": "EmptyStartEvent", "name": "", "incoming": ""},
        "end_event": {"id": end, "type": "EmptyEndEvent", "name": "", "outgoing": ""},
        "activities": {key: {"id": key, **given.get(key, activity(key))} for key in inner},
        "gateways": {key: {"id": key, "type": kind, "name": ""} for key, kind in gateways.items()},
        "flows": flows,
        "constants": {},
        "outputs": [],
        **fields,
    }


def constant(key: str, value: Any = "", **fields: Any) -> Any:
    """A constant's definition: a shown text field, unless ``fields`` say otherwise."""
    definition = {"key": key, "name": key, "value": value, "custom_type": "input", "source_tag": "input.input"}
    return {**definition, "source_type": "custom", "show_type": "show", **fields}


def password(key: str, value: Any = "hunter2") -> Any:
    """A constant of the password type."""
    return constant(key, value, custom_type="password", source_tag="password.password")


def _place(parent: dict[str, Any], root_id: str) -> None:
    for key, child in parent["children"].items():
        child.update({"id": key, "root_id:": root_id, "parent_id": parent["id"]})
        _place(child, root_id)
