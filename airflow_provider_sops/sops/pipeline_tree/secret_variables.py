"""Which variables of a flow, and which inputs of its nodes, hold passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.models import is_password
from airflow_provider_sops.sops.pipeline_tree.nodes import SubProcess
from airflow_provider_sops.sops.pipeline_tree.variables import references

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.nodes import Activity


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
