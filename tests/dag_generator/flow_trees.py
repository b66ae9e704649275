"""Whole trees of small flows, and what their DAGs look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sops.builders import activity, pipeline_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

GATEWAYS = {"x": "ExclusiveGateway", "p": "ParallelGateway", "v": "ConvergeGateway"}


def required(name: str, plugin: str = "sleep_timer", **fields: Any) -> Any:
    return activity(name, plugin, optional=False, **fields)


def tree(*ways: str, nodes: Mapping[str, Any] | None = None, **fields: Any) -> Any:
    """A whole tree whose nodes may not be left out unless they say so."""
    ids = dict.fromkeys(node_id for way in ways for node_id in way.split(" > ")[1:-1])
    given = {node_id: (nodes or {}).get(node_id, required(node_id)) for node_id in ids}
    made = pipeline_tree(*ways, nodes=given, **fields)
    for node in (*made["activities"].values(), *made["gateways"].values(), made["start_event"], made["end_event"]):
        out = [flow["id"] for flow in made["flows"].values() if flow["source"] == node["id"]]
        into = [flow["id"] for flow in made["flows"].values() if flow["target"] == node["id"]]
        forks = node["type"] in ("ParallelGateway", "ExclusiveGateway", "ConditionalParallelGateway")
        node["outgoing"] = out if forks else "".join(out)
        node["incoming"] = into
        if node["type"] in ("ExclusiveGateway", "ConditionalParallelGateway"):
            node["conditions"] = {
                flow_id: {"evaluate": f"${{n}} == {n}", "name": f"case {n}", "tag": ""} for n, flow_id in enumerate(out)
            }
    return {"line": [], "location": [], **made}


def short(task_id: str) -> str:
    """A task's id without what makes it unique."""
    return ".".join(part.partition("__")[0] for part in task_id.split("."))


def edges(dag: Any) -> set[str]:
    """All edges, each as the ids without what makes them unique."""
    return {f"{short(task.task_id)} > {short(after)}" for task in dag.tasks for after in task.downstream_task_ids}


def rule_of(task: Any) -> str:
    return str(getattr(task.trigger_rule, "value", task.trigger_rule))
