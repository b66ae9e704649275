"""The variables that a region takes along when it becomes a task of its own.

It needs every constant that its nodes refer to, directly or through others. Outputs of other regions and parameters of
a subprocess come along as plain data: they have been rendered already and must not be rendered again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.constants import variable_name
from airflow_provider_sops.sops.pipeline_tree.rendering import is_computed
from airflow_provider_sops.sops.pipeline_tree.variables import COMPONENT_OUTPUTS, is_data, needed_keys

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
            constants[key] = {**raw, "value": value, "source_info": {}} if is_definition else plain_constant(key, value)
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
    constant = {**copy.deepcopy(dict(raw)), "source_info": {}}
    if key in given:
        if raw.get("is_meta") and "meta" not in raw:
            # SOPS, too, keeps the options of a select beside the chosen one.
            constant["meta"] = copy.deepcopy(dict(raw))
        constant["value"] = given[key]
    return constant


def _dollar_key(level: Level) -> str:
    key = "${sops_dollar}"
    while key in level.constants:
        key = f"{key[:-1]}_}}"
    return key
