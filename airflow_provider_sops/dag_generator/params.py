"""DAG params out of a flow's constants, so that Airflow's "Trigger DAG" is a form for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Param

from airflow_provider_sops.sops.models.reading import read_int, read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.sops.storable import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree import PipelineTree

#: DAG param that holds the template's nodes to leave out.
EXCLUDE_PARAM = "exclude_task_nodes_id"
_PASSWORD = "password"  # noqa: S105 - SOPS's word for such a constant
_ANY_TYPE = ["null", "string", "number", "boolean", "array", "object"]
_TYPES: dict[str, list[str]] = {
    "input": ["string", "null"],
    "textarea": ["string", "null"],
    "datetime": ["string", "null"],
    "int": ["integer", "null"],
}


@dataclass(frozen=True)
class FlowParams:
    """The params of a flow.

    :param params: by name, for the DAG.
    :param constants: the name of the param by the constant's ``${key}``.
    """

    params: Mapping[str, Param]
    constants: Mapping[str, str]


def flow_params(tree: PipelineTree, *, given: Sequence[str] = (), exclude: Sequence[str] = ()) -> FlowParams:
    """Return a param for each constant that the flow shows, and one for the nodes to leave out.

    Password-type constants get none: params are stored and shown as plain text.

    :param given: constants that the DAG's author has set; they are not asked for.
    :param exclude: ids of the nodes that are left out unless somebody chooses otherwise.
    """
    params: dict[str, Param] = {}
    constants: dict[str, str] = {}
    for key, raw in sorted(_shown(tree).items(), key=lambda item: (read_int(item[1].get("index")), item[0])):
        if key in given:
            continue
        name = key.removeprefix("${").removesuffix("}")
        params[name] = Param(
            _default(raw),
            type=_TYPES.get(read_text(raw.get("custom_type")), _ANY_TYPE),
            title=read_text(raw.get("name")) or name,
            description=read_text(raw.get("desc")),
        )
        constants[key] = name
    optional = _optional_nodes(tree)
    if optional:
        params[EXCLUDE_PARAM] = Param(
            list(exclude),
            type="array",
            title="Nodes to leave out",
            description="These nodes of the flow are optional.",
            examples=sorted(optional),
            values_display=optional,
        )
    return FlowParams(params, constants)


def constants_from_params(tree: PipelineTree, names: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the params of a run have for the flow's constants.

    :param names: the name of the param by the constant's ``${key}``.
    """
    shown = _shown(tree)
    return {key: _constant_value(shown.get(key, {}), params[name]) for key, name in names.items() if name in params}


def _constant_value(raw: Mapping[str, Any], value: Any) -> Any:
    """Undo ``_default``: the form asks for a number where SOPS may keep it as text, and a flow can tell these apart."""
    kept = raw.get("value")
    if read_text(raw.get("custom_type")) != "int" or not isinstance(kept, str):
        return value
    if value == _default(raw):
        return kept
    return "" if value is None else str(value)


def _shown(tree: PipelineTree) -> dict[str, Mapping[str, Any]]:
    constants = read_mapping(tree.levels[()].raw.get("constants"))
    return {
        key: raw
        for key, raw in ((read_text(key), read_mapping(raw)) for key, raw in constants.items())
        if raw.get("show_type") == "show" and raw.get("custom_type") != _PASSWORD
    }


def _default(raw: Mapping[str, Any]) -> Any:
    """Return the constant's value; a template keeps that of a select beside its choices."""
    value = raw.get("value")
    if raw.get("is_meta") and isinstance(value, dict):
        value = value.get("default", "")
    if read_text(raw.get("custom_type")) == "int":
        try:
            number = storable(int(str(value)))
        except ValueError:
            return None
        return number if isinstance(number, int) else None
    return value


def _optional_nodes(tree: PipelineTree) -> dict[str, str]:
    return {
        node.id: f"{node.name} ({node.id})"
        for node in tree.levels[()].nodes.values()
        if isinstance(node, Activity) and node.optional
    }
