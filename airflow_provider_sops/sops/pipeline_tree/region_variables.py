"""The variables that a region takes along when it becomes a task of its own.

It needs every constant that its nodes refer to, directly or through others. Outputs of other regions and parameters of
a subprocess come along as plain data: they have been rendered already and must not be rendered again.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.constants import variable_name
from airflow_provider_sops.sops.pipeline_tree.pruning import without_activities
from airflow_provider_sops.sops.pipeline_tree.rendering import is_computed
from airflow_provider_sops.sops.pipeline_tree.variables import COMPONENT_OUTPUTS, is_data, needed_keys, references_of

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues

_LONGEST_NAME = 50


def own_outputs(level: Level, nodes: Iterable[Node]) -> dict[str, dict[str, Any]]:
    """Return the constants that hold outputs of some nodes of a level, each with only the source that counts."""
    ids = {node.id for node in nodes}
    found = {}
    for key, value in level.constants.items():
        raw = read_mapping(value)
        if raw.get("source_type") != COMPONENT_OUTPUTS:
            continue
        # SOPS ignores all sources but the first.
        source = next((each for each in read_mapping(raw.get("source_info")).items() if each[0] in level.nodes), None)
        if source is not None and source[0] in ids:
            found[key] = {**copy.deepcopy(dict(raw)), "source_info": {source[0]: copy.deepcopy(source[1])}}
    return found


def outputs_of_task(level: Level, excluded: Collection[str] = ()) -> list[str]:
    """Return the keys of a level's outputs that SOPS returns.

    SOPS drops the constants of a new task that no node refers to, directly or through others; to be an output is no
    reference. Outputs of nodes stay, and all outputs of a subprocess do.

    :param excluded: ids of activities that the task leaves out.
    """
    keys = [key for key in level.outputs if key in level.constants]
    if level.path:
        return keys
    nodes = without_activities(level, excluded).nodes.values()
    needed = needed_keys(level, frozenset[str]().union(*map(references_of, nodes)))
    of_nodes = {key for key in keys if read_mapping(level.constants[key]).get("source_type") == COMPONENT_OUTPUTS}
    return [key for key in keys if key in of_nodes or key in needed]


def region_constants(
    level: Level, used: Iterable[str], known: KnownValues, own: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the constants of a region's tree.

    :param used: keys that its nodes refer to.
    :param own: the constants that hold outputs of its own nodes; all of them are in the result.
    """
    constants: dict[str, Any] = {key: dict(raw) for key, raw in own.items()}
    dollar = _dollar_key(level)
    needs_dollar = False
    for key in needed_keys(level, used, known.given):
        if key in constants:
            continue
        raw = read_mapping(level.constants[key])
        if not is_data(level, key):
            constants[key] = _defined(raw, known.given, key)
        elif key in known.data:
            value = escaped(known.data[key], dollar)
            needs_dollar = needs_dollar or value != known.data[key]
            is_definition = is_computed(raw) and raw.get("source_type") != COMPONENT_OUTPUTS
            constants[key] = {**_with_choices(raw), "value": value} if is_definition else plain_constant(key, value)
    if needs_dollar:
        constants[dollar] = plain_constant(dollar, "$")
    for index, constant in enumerate(constants.values()):
        constant["index"] = index
    return constants


def plain_constant(key: str, value: Any) -> dict[str, Any]:
    """Return a constant with a value of its own, in which SOPS still renders references to other constants."""
    return {
        "key": key,
        "name": variable_name(key)[:_LONGEST_NAME],
        "desc": "",
        "index": 0,
        "value": value,
        "show_type": "hide",
        "source_type": "custom",
        "custom_type": "textarea",
        "source_tag": "textarea.textarea",
        "source_info": {},
        "validation": "",
        "version": "legacy",
        "is_meta": False,
    }


def escaped(value: Any, dollar: str) -> Any:
    """Write a JSON value so that SOPS renders it as itself.

    :param dollar: key of a constant that holds a dollar sign.
    """
    if isinstance(value, str):
        return value.replace("${", f"{dollar}{{")
    if isinstance(value, Mapping):
        return {name: escaped(each, dollar) for name, each in value.items()}
    if isinstance(value, list):
        return [escaped(each, dollar) for each in value]
    return value


def _defined(raw: Mapping[str, Any], given: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a constant as the tree defines it, or with the value that a run was given for it."""
    constant = _with_choices(raw)
    if key in given:
        constant["value"] = given[key]
    return constant


def _with_choices(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a constant as a task has it: a select's or table's definition beside its value, which is the default.

    SOPS does that itself with a template's constants, but not with those of a tree that it is sent: it accepts such a
    tree, and then the task never starts.
    """
    constant = {**copy.deepcopy(dict(raw)), "source_info": {}}
    if raw.get("is_meta") and "meta" not in raw:
        constant["meta"] = copy.deepcopy(dict(raw))
        definition = raw.get("value")
        if isinstance(definition, Mapping):
            default = definition.get("default") or definition.get("default_text", "")
            constant["value"] = copy.deepcopy(default)
    return constant


def _dollar_key(level: Level) -> str:
    key = "${sops_dollar}"
    while key in level.constants:
        key = f"{key[:-1]}_}}"
    return key
