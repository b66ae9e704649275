"""The global variables of a tree: which are used, and which a caller may set."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bamboo_engine.template import Template

from local_sops.trees import InvalidTreeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local_sops.trees import Tree


def references(value: Any) -> set[str]:
    """List the ``${name}`` keys that a JSON value refers to, as the engine reads them."""
    return set(Template(value).get_reference())


def without_unreferenced(tree: Tree, *, keep_outputs: bool = False) -> Tree:
    """Drop the constants that no node, gateway or used constant refers to; renumber the rest.

    Outputs of nodes stay. To be an output of the flow is no reference: other outputs that nothing refers to are
    dropped too.

    :param tree: not changed.
    :param keep_outputs: whether outputs of the flow stay, as in a subprocess.
    :raises InvalidTreeError: a constant that stays has no ``index``, as SOPS needs it for the order.
    """
    constants: Mapping[str, Any] = tree["constants"]
    used = set(_direct_references(tree))
    fresh = set(used)
    while fresh:
        values = [constants[key].get("value") for key in fresh if key in constants]
        fresh = references(values) - used
        used |= fresh
    used |= {key for key, constant in constants.items() if constant.get("source_type") == "component_outputs"}
    kept = [constant for key, constant in constants.items() if key in used]
    if any("index" not in constant for constant in kept):
        raise InvalidTreeError("'index'")
    kept.sort(key=lambda constant: int(constant["index"]))
    numbered = {constant["key"]: {**constant, "index": index} for index, constant in enumerate(kept)}
    if keep_outputs:
        others = (key for key in tree["outputs"] if key in constants and key not in numbered)
        numbered |= {key: constants[key] for key in others if constants[key].get("source_type") == "custom"}
    return {**tree, "constants": numbered, "outputs": [key for key in tree["outputs"] if key in numbered]}


def _direct_references(tree: Tree) -> Iterable[str]:
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


def with_values(tree: Tree, values: Mapping[str, Any], *, of_caller: bool = False) -> Tree:
    """Set constants by key; unknown keys are ignored, types are kept, and hidden constants and node outputs may be set.

    A constant with choices gets its definition as ``meta``.

    :param tree: not changed.
    :param values: ``{"${key}": value}``, create_task's ``constants``.
    :param of_caller: whether the tree is the caller's own: only constants with a new value then get ``meta``.
    """
    constants = {key: dict(constant) for key, constant in tree["constants"].items()}
    for key, constant in constants.items():
        if constant.get("is_meta") and "meta" not in constant and (key in values or not of_caller):
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
