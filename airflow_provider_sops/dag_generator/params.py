"""Turn a flow's constants into DAG params, so Airflow's "Trigger DAG" form shows them.

SOPS stores a constant's value as any JSON, whatever its field type. The form's value must be valid and storable, and an
unchanged one must convert back to the same constant.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Param

from airflow_provider_sops.dag_generator.constant_form import INT, choices_of, form_of, kept_value
from airflow_provider_sops.service.reading import read_int, read_mapping, read_text
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree import PipelineTree

#: The DAG param for the template's nodes to leave out.
EXCLUDE_PARAM = "exclude_task_nodes_id"


@dataclass(frozen=True)
class FlowParams:
    """The params of a flow.

    :param params: by name, for the DAG.
    :param constants: the name of the param by the constant's ``${key}``.
    """

    params: Mapping[str, Param]
    constants: Mapping[str, str]


def flow_params(tree: PipelineTree, *, given: Sequence[str] = (), exclude: Sequence[str] = ()) -> FlowParams:
    """Return a param for each shown constant, and one for the nodes to leave out.

    Password-type constants get none: params are stored and shown as plain text.

    :param given: constants set by the DAG's author; they get no param.
    :param exclude: ids of the nodes left out by default.
    """
    params: dict[str, Param] = {}
    constants: dict[str, str] = {}
    for key, raw in sorted(_shown(tree).items(), key=lambda item: (read_int(item[1].get("index")), item[0])):
        if key in given:
            continue
        name = read_text(key).removeprefix("${").removesuffix("}")
        form = form_of(raw)
        params[name] = Param(
            form.default,
            title=read_text(raw.get("name")) or name,
            # Airflow shows description as plain text, but would render description_md.
            description=form.description,
            **form.schema,
        )
        constants[key] = name
    optional = _optional_nodes(tree)
    if optional:
        params[EXCLUDE_PARAM] = Param(
            list(exclude),
            # Airflow 2 sends null if nothing is selected.
            type=["array", "null"],
            title="Nodes to leave out",
            description="These nodes of the flow are optional.",
            examples=sorted(optional),
            values_display={node_id: f"{name} ({node_id})" for node_id, name in optional.items()},
        )
    return FlowParams(params, constants)


def constants_from_params(tree: PipelineTree, names: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flow's constants from a run's params.

    :param names: the name of the param by the constant's ``${key}``.
    """
    shown = _shown(tree)
    return {key: _constant_value(shown.get(key, {}), params[name]) for key, name in names.items() if name in params}


def check_excluded(tree: PipelineTree, excluded: Sequence[str]) -> None:
    """Check that a run may leave these nodes out.

    :param excluded: ids of nodes.
    :raises SopsInvalidParameterError: one of them is not an optional node of the top level.
    """
    optional = _optional_nodes(tree)
    if odd := [node_id for node_id in excluded if node_id not in optional]:
        names = ", ".join(f"{node_id} ({name})" for node_id, name in optional.items())
        raise SopsInvalidParameterError(
            f"nodes to leave out: the flow has no optional node {', '.join(map(repr, odd))} on its top level",
            advice=f"Give node ids of the template. Optional ones: {names or 'none'}.",
        )


def _constant_value(raw: Mapping[str, Any], value: Any) -> Any:
    """Return a param's value for SOPS: the stored constant, unless someone changed it."""
    kept = kept_value(raw)
    if _is_same(value, form_of(raw).default):
        return kept
    if value is None:
        # A cleared field; Airflow 2 also sends this for empty values and for false.
        if isinstance(kept, list) and choices_of(raw) is not None:
            return []
        return kept if isinstance(kept, bool) or kept == [] else "" if isinstance(kept, str) else None
    if isinstance(value, str):
        return kept if _reads_as(value, kept) else value
    if isinstance(kept, str) and read_text(raw.get("custom_type")) == INT:
        return str(value)
    return value


def _reads_as(text: str, kept: Any) -> bool:
    """Whether a form's text is the unchanged form of a value."""
    if isinstance(kept, str):
        return _in_form(text) == _in_form(kept)
    try:
        return text == str(kept) or _is_same(json.loads(text), kept)
    except ValueError:
        return False


def _in_form(text: str) -> str:
    """Return a text as a browser's text area normalises it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\n")


def _is_same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _shown(tree: PipelineTree) -> dict[str, Mapping[str, Any]]:
    constants = read_mapping(tree.levels[()].raw.get("constants"))
    return {
        key: raw
        for key, raw in ((read_text(key), read_mapping(raw)) for key, raw in constants.items())
        if raw.get("show_type") == "show" and not is_password(raw)
    }


def _optional_nodes(tree: PipelineTree) -> dict[str, str]:
    return {
        node.id: node.name for node in tree.levels[()].nodes.values() if isinstance(node, Activity) and node.optional
    }
