"""Makes of a template's tree the tree of a task: everything gets a new id, as SOPS does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str, ...]


def task_tree(template: Any, *, remembers: bool = True) -> tuple[Any, dict[Key, str]]:
    """Return the tree, and the new id of each node by the path of its ids in the template.

    :param remembers: whether activities carry ``template_node_id``, as servers have long done it.
    """
    numbers = iter(range(10**6))
    ids: dict[Key, str] = {}
    return _renewed(template, (), numbers, ids, remembers), ids


def _renewed(tree: Any, path: Key, numbers: Iterator[int], ids: dict[Key, str], remembers: bool) -> Any:
    nodes = {tree["start_event"]["id"], tree["end_event"]["id"], *tree["activities"], *tree["gateways"]}
    new = {old: f"n{next(numbers):06x}" for old in sorted(nodes)} | {
        old: f"f{next(numbers):06x}" for old in tree["flows"]
    }
    ids.update({(*path, old): new[old] for old in nodes})

    def renewed(value: Any) -> Any:
        if isinstance(value, list):
            return [renewed(each) for each in value]
        return new.get(value, value)

    def node(old: Any) -> Any:
        made = {**old, **{field: renewed(old[field]) for field in ("id", "incoming", "outgoing")}}
        made.pop("converge_gateway_id", None)
        if "conditions" in old:
            made["conditions"] = {renewed(flow): condition for flow, condition in old["conditions"].items()}
        if "default_condition" in old:
            default = old["default_condition"]
            made["default_condition"] = {**default, "flow_id": renewed(default["flow_id"])}
        return made

    def activity(old: Any) -> Any:
        made = node(old)
        if remembers:
            made["template_node_id"] = old.get("template_node_id") or old["id"]
        if "pipeline" in old:
            made["pipeline"] = _renewed(old["pipeline"], (*path, old["id"]), numbers, ids, remembers)
        return made

    return {
        **tree,
        "id": "nroot",
        "start_event": node(tree["start_event"]),
        "end_event": node(tree["end_event"]),
        "activities": {new[key]: activity(old) for key, old in tree["activities"].items()},
        "gateways": {new[key]: node(old) for key, old in tree["gateways"].items()},
        "flows": {
            new[key]: {**flow, "id": new[key], "source": new[flow["source"]], "target": new[flow["target"]]}
            for key, flow in tree["flows"].items()
        },
    }
