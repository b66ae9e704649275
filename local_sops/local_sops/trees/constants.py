"""The global variables of a tree: which are used, and which a caller may set."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bamboo_engine.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local_sops.trees import Tree


def references(value: Any) -> set[str]:
    """List the ``${name}`` keys that a JSON value refers to, as the engine reads them."""
    return set(Template(value).get_reference())


def without_unreferenced(tree: Tree) -> Tree:
    """Drop the constants that no node, gateway, output or used constant refers to; renumber the rest.

    :param tree: not changed.
    """
    constants: Mapping[str, Any] = tree["constants"]
    used = set(_direct_references(tree))
    fresh = set(used)
    while fresh:
        values = [constants[key].get("value") for key in fresh if key in constants]
        fresh = references(values) - used
        used |= fresh
    kept = [constant for key, constant in constants.items() if key in used]
    kept.sort(key=lambda constant: constant.get("index", 0))
    return {
        **tree,
        "constants": {constant["key"]: {**constant, "index": index} for index, constant in enumerate(kept)},
        "outputs": [key for key in tree["outputs"] if key in used and key in constants],
    }


def _direct_references(tree: Tree) -> Iterable[str]:
    yield from tree["outputs"]
    for activity in tree["activities"].values():
        if activity["type"] == "SubProcess":
            yield from references([item.get("value") for item in _passed_constants(activity).values()])
        else:
            yield from references([item.get("value") for item in activity["component"]["data"].values()])
    for gateway in tree["gateways"].values():
        yield from references([condition["evaluate"] for condition in gateway.get("conditions", {}).values()])


def _passed_constants(subprocess: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the values that a subprocess gets from its parent; templates and tasks store them in different places."""
    if "pipeline" in subprocess:
        constants = subprocess["pipeline"]["constants"]
        return {key: constant for key, constant in constants.items() if constant.get("show_type") == "show"}
    passed: Mapping[str, Any] = subprocess.get("constants") or {}
    return passed


def with_values(tree: Tree, values: Mapping[str, Any]) -> Tree:
    """Set constants by key; unknown keys are ignored, types are kept, and hidden constants and node outputs may be set.

    :param tree: not changed.
    :param values: ``{"${key}": value}``, create_task's ``constants``.
    """
    constants = {key: dict(constant) for key, constant in tree["constants"].items()}
    for key, constant in constants.items():
        if constant.get("is_meta") and "meta" not in constant:
            constant["meta"] = copy.deepcopy(constant)
            constant["value"] = _default_of(constant["value"])
        if key in values:
            constant["value"] = values[key]
    return {**tree, "constants": constants}


def _default_of(definition: Any) -> Any:
    """Find the initial value of a meta variable; choices and tables store it under different names."""
    if not isinstance(definition, dict):
        return definition
    return definition.get("default") or definition.get("default_text", "")


def with_simplified(tree: Tree, keys: Iterable[str]) -> Tree:
    """Turn custom constants into plain text, so that a caller need not know their value format.

    :param tree: not changed.
    """
    simplified = {
        key: {**tree["constants"][key], "custom_type": "textarea", "source_tag": "textarea.textarea", "is_meta": False}
        for key in keys
        if key in tree["constants"] and tree["constants"][key]["source_type"] == "custom"
    }
    return {**tree, "constants": {**tree["constants"], **simplified}}


def without_schema(tree: Tree) -> Tree:
    """Drop each constant's ``schema``: get_template_info adds it, a task lacks it."""
    return {
        **tree,
        "constants": {
            key: {name: value for name, value in constant.items() if name != "schema"}
            for key, constant in tree["constants"].items()
        },
    }
