"""The variables (constants) of a tree: where each comes from, what refers to it and what it refers to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.sops.constants import is_password, variable_name
from airflow_provider_sops.sops.pipeline_tree.node_reading import inner_tree
from airflow_provider_sops.sops.pipeline_tree.nodes import Gateway, Node, SubProcess

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, NodeKey


COMPONENT_OUTPUTS = "component_outputs"

#: What SOPS renders in a text: ``${...}`` without another ``${``, ``{``, ``}`` or ``#`` inside.
EXPRESSION = re.compile(r"\$\{([^${}#]+)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """One constant of one level.

    :param key: ``${name}``.
    :param level: path of the level that it belongs to: a subprocess sees only its own variables.
    :param value: what it is before rendering; may be a password: do not show it then.
    :param source_type: ``custom``, ``component_inputs``, ``component_outputs`` or ``system``.
    :param is_shown: whether the creator of a task is asked for it.
    :param is_output: whether it is an output of the level.
    :param source: the node that has it as an output; ``None`` for every other variable.
    :param source_field: the name of that output: the first in the tree, since SOPS ignores the others.
    :param used_by: nodes of the level that refer to it.
    :param used_by_variables: keys of the level's variables that refer to it.
    """

    key: str
    level: NodeKey
    name: str
    value: Any = field(repr=False)
    source_type: str
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

    ``${...}`` holds a Mako expression, and every word of it counts; only the caller knows which of these words are
    variables. ``${_system.task_id}`` counts as ``${_system}``.
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

    For a subprocess these are the variables in the values that it is given: a folded one holds these values itself, in
    an unfolded one they are the values of the inner level's shown constants.
    """
    return references(list(_rendered_by(node)))


def references_within(level: Level, constant: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of all variables of its level that a constant may refer to.

    Parameters of a subprocess refer to variables of the level around it, which may have the same keys.
    """
    return frozenset() if _is_parameter(level, constant) else references(constant.get("value"))


def needed_keys(level: Level, used: Iterable[str], given: Mapping[str, Any] | None = None) -> list[str]:
    """Return the keys of the constants that are used, directly or by each other, sorted.

    :param used: what is referred to directly; keys that are not constants of the level are left out.
    :param given: definitions that replace those of the tree, by ``${key}``.
    """
    definitions = {**{key: read_mapping(raw).get("value") for key, raw in level.constants.items()}, **(given or {})}
    found: set[str] = set()
    waiting = set(used) & set(level.constants)
    while waiting:
        key = waiting.pop()
        found.add(key)
        if not is_data(level, key):
            waiting |= (references(definitions[key]) & set(level.constants)) - found
    return sorted(found)


def is_data(level: Level, key: str) -> bool:
    """Whether a constant gets its value in a run, from a node's output or as a subprocess's parameter.

    Such a value has been rendered already. All others are definitions that stand in the tree.
    """
    constant = read_mapping(level.constants[key])
    return constant.get("source_type") == COMPONENT_OUTPUTS or _is_parameter(level, constant)


def _is_parameter(level: Level, constant: Mapping[str, Any]) -> bool:
    """Whether the value of a constant is given to the subprocess from the level around it."""
    return bool(level.path) and constant.get("show_type") != "hide"


def _rendered_by(node: Node) -> Iterator[Any]:
    if isinstance(node, Gateway):
        yield from (condition.evaluate for condition in node.conditions.values())
    elif isinstance(node, SubProcess):
        passed = read_mapping(inner_tree(node.raw).get("constants")) or read_mapping(node.raw.get("constants"))
        for constant in map(read_mapping, passed.values()):
            if constant.get("show_type") != "hide":
                yield constant.get("value")
    elif node.component:
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
            value=raw.get("value"),
            source_type=read_text(raw.get("source_type")),
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


def secret_inputs(node: Activity, secret: Collection[str]) -> tuple[str, ...]:
    """Return the names of a node's inputs that refer to a secret variable.

    :param secret: keys of its level's secret variables.
    """
    if node.component is None or not secret:
        return ()
    values = {name: read_mapping(field).get("value") for name, field in node.component.data.items()}
    return tuple(sorted(name for name, value in values.items() if not references(value).isdisjoint(secret)))


def has_passwords(tree: PipelineTree) -> bool:
    """Whether a flow has a password, or may have one in a subprocess that the tree does not unfold."""
    folded = any(isinstance(node, SubProcess) and key not in tree.levels for key, node in tree.nodes.items())
    return folded or _has_password_type(tree)


def secret_variables(tree: PipelineTree) -> Mapping[NodeKey, Collection[str]]:
    """Return the keys of the variables that are, or may hold, a password, by the path of their level.

    A subprocess may be given a password as the value of a variable of its own, of whatever type.
    """
    if not _has_password_type(tree):
        # Who uses which variable takes long to find out, and most flows have no password.
        return dict.fromkeys(tree.levels, ())
    secret: dict[NodeKey, set[str]] = {}
    # Every level comes after the one around it.
    for path, variables in tree.variables.items():
        above = secret.get(path[:-1], set()) if path else set()
        found = {
            key
            for key, variable in variables.items()
            if variable.is_password or (above and variable.is_shown and references(variable.value) & above)
        }
        waiting = list(found)
        while waiting:
            users = set(variables[waiting.pop()].used_by_variables) - found
            found |= users
            waiting += users
        secret[path] = found
    return secret


def _has_password_type(tree: PipelineTree) -> bool:
    return any(is_password(raw) for level in tree.levels.values() for raw in level.constants.values())
