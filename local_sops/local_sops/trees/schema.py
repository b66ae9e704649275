"""The JSON schema of a web tree, checked before the engine's validators see it."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft4Validator

from local_sops.trees import InvalidTreeError

_FLOWS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _node(*types: str, required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": sorted({"id", "incoming", "name", "outgoing", "type", *required}),
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "incoming": _FLOWS,
            "outgoing": _FLOWS,
            "type": {"type": "string", "enum": list(types)},
            **properties,
        },
    }


_ACTIVITY_NAME = {"type": "string", "minLength": 1, "maxLength": 50}
_CONDITION = {"type": "object", "required": ["evaluate"], "properties": {"evaluate": {"type": "string"}}}
_COMPONENT = {
    "type": "object",
    "required": ["code", "data"],
    "properties": {"code": {"type": "string"}, "data": {"type": "object"}},
}
_CONSTANT = {
    "type": "object",
    "required": ["key", "name", "show_type", "source_info", "source_type", "value"],
    "properties": {
        "key": {"type": "string", "pattern": r"^\$\{(?!_env_|_system\.)[a-zA-Z0-9_]+\}$"},
        "name": {"type": "string", "minLength": 1, "maxLength": 50},
        "show_type": {"type": "string", "enum": ["show", "hide"]},
        "source_type": {
            "type": "string",
            "enum": ["system", "custom", "component_inputs", "component_outputs"],
        },
        "source_info": {"type": "object"},
    },
}
_TREE_SCHEMA = {
    "type": "object",
    "required": ["activities", "constants", "end_event", "gateways", "outputs", "start_event"],
    "properties": {
        "start_event": _node("EmptyStartEvent"),
        "end_event": _node("EmptyEndEvent"),
        "activities": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    _node("ServiceActivity", required=("component",), name=_ACTIVITY_NAME, component=_COMPONENT),
                    _node("SubProcess", name=_ACTIVITY_NAME),
                ]
            },
        },
        "gateways": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    _node("ParallelGateway", "ConvergeGateway"),
                    _node(
                        "ExclusiveGateway",
                        "ConditionalParallelGateway",
                        required=("conditions",),
                        conditions={"type": "object", "additionalProperties": _CONDITION},
                    ),
                ]
            },
        },
        "flows": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["id", "source", "target"],
                "properties": {name: {"type": "string"} for name in ("id", "source", "target")},
            },
        },
        "constants": {"type": "object", "additionalProperties": _CONSTANT},
        "outputs": {"type": "array", "items": {"type": "string"}},
    },
}
_VALIDATOR = Draft4Validator(_TREE_SCHEMA)


def check_shape(tree: Any) -> None:
    """Check that a value has the form of a web tree.

    :raises InvalidTreeError: it names every invalid element in SOPS's format.
    """
    errors = sorted(_VALIDATOR.iter_errors(tree), key=lambda error: (list(map(str, error.path)), error.message))
    if errors:
        raise InvalidTreeError(",".join(f"{'.'.join(map(str, one.path))}: {one.message}" for one in errors))
    mismatched = [key for key, constant in tree["constants"].items() if constant["key"] != key]
    if mismatched:
        raise InvalidTreeError(f"constants {mismatched} do not match their key")
