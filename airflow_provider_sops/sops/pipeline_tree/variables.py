"""The variables (constants) of a tree: where each comes from and what uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.models import is_password, variable_name
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Gateway, Node, SubProcess, inner_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey

COMPONENT_OUTPUTS = "component_outputs"

#: What SOPS renders in a text: ``${...}`` without another ``${``, ``{``, ``}`` or ``#`` inside.
EXPRESSION = re.compile(r"\$\{([^${}#]+)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """One constant of one level.

    :param key: ``${name}``.
    :param level: path of the level that it belongs to: a subprocess sees its own variables only.
    :param value: what it is before rendering. A password's is as it stands in the tree: do not show it.
    :param source_type: ``custom``, ``component_inputs``, ``component_outputs`` or ``system``.
    :param custom_type: what kind of form field it is, such as ``input``, ``int``, ``select``.
    :param is_shown: whether whoever creates a task is asked for it.
    :param is_output: whether the level gives it out.
    :param source: the node whose output it is; ``None`` for every other variable.
    :param source_field: that node's output which it is: the first one named, as SOPS ignores the others.
    :param used_by: nodes of the level that refer to it.
    :param used_by_variables: keys of the level's variables that refer to it.
    """

    key: str
    level: NodeKey
    name: str
    description: str
    value: Any = field(repr=False)
    source_type: str
    custom_type: str
    is_shown: bool
    is_output: bool
    is_password: bool
    source: NodeKey | None
    source_field: str
    used_by: tuple[NodeKey, ...]
    used_by_variables: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)


def references(value: Any) -> frozenset[str]:
    """Return the keys, ``${name}``, of all variables that a JSON value may refer to.

    Within ``${...}`` stands a Mako expression, of which every word counts: of variables that do not exist, and of words
    that are none, the caller knows better. ``${_system.task_id}`` counts as ``${_system}``.
    """
    found: set[str] = set()
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            for expression in EXPRESSION.findall(each):
                found.update(f"${{{name}}}" for name in _NAME.findall(expression))
        elif isinstance(each, Mapping):
            waiting += each.keys()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return frozenset(found)


def references_of(node: Node) -> frozenset[str]:
    """Return the keys of all variables of its level that a node may refer to.

    Of a subprocess these are those in the values that it is given: in a folded one they stand in the node, in an
    unfolded one they have become the values of the inner level's shown constants.
    """
    return references(list(_rendered_by(node)))


def references_within(level: Level, constant: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of all variables of its level that a constant may refer to.

    The shown constants of a subprocess hold what it is given: what these refer to are variables of the level around,
    which may well have the same keys.
    """
    is_given = bool(level.path) and constant.get("show_type") != "hide"
    return frozenset() if is_given else references(constant.get("value"))


def _rendered_by(node: Node) -> Iterator[Any]:
    if isinstance(node, Gateway):
        yield from (condition.evaluate for condition in node.conditions.values())
    elif isinstance(node, SubProcess):
        passed = read_mapping(inner_tree(node.raw).get("constants")) or read_mapping(node.raw.get("constants"))
        for constant in map(read_mapping, passed.values()):
            if constant.get("show_type") != "hide":
                yield constant.get("value")
    elif isinstance(node, Activity) and node.component:
        yield from node.component.rendered_values()


def read_variables(level: Level) -> dict[str, Variable]:
    """Return the variables of a level by key, in SOPS's order."""
    constants = {read_text(key): read_mapping(raw) for key, raw in level.constants.items()}
    users = _users({node.key: references_of(node) for node in level.nodes.values()})
    used_by = _users({key: references_within(level, raw) for key, raw in constants.items()})
    return {
        key: Variable(
            key=key,
            level=level.path,
            name=read_text(raw.get("name")) or variable_name(key),
            description=read_text(raw.get("desc")),
            value=raw.get("value"),
            source_type=read_text(raw.get("source_type")),
            custom_type=read_text(raw.get("custom_type")),
            is_shown=raw.get("show_type") == "show",
            is_output=key in level.outputs,
            is_password=is_password(raw),
            source=source,
            source_field=source_field,
            used_by=users.get(key, ()),
            used_by_variables=used_by.get(key, ()),
            raw=raw,
        )
        for key, raw in sorted(constants.items(), key=lambda item: _position(item[1]))
        for source, source_field in [_source_of(raw, level)]
    }


def _source_of(raw: Mapping[str, Any], level: Level) -> tuple[NodeKey | None, str]:
    if raw.get("source_type") != COMPONENT_OUTPUTS:
        return None, ""
    for node_id, fields in read_mapping(raw.get("source_info")).items():
        node = level.nodes.get(read_text(node_id))
        names = read_list(fields)
        return (node.key, read_text(names[0])) if node and names else (None, "")
    return None, ""


def _position(raw: Mapping[str, Any]) -> float:
    index = raw.get("index")
    return index if isinstance(index, int | float) and index == index else float("inf")


def _users(references_by: Mapping[Any, Iterable[str]]) -> dict[str, tuple[Any, ...]]:
    users: dict[str, list[Any]] = {}
    for user, keys in references_by.items():
        for key in keys:
            users.setdefault(key, []).append(user)
    return {key: tuple(found) for key, found in users.items()}
