"""What Airflow cannot run of a flow: it is refused, or left to SOPS in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.dag_generator.building import is_meant
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.rendering import can_render
from airflow_provider_sops.sops.pipeline_tree.validity import label_of
from airflow_provider_sops.sops.pipeline_tree.variables import COMPONENT_OUTPUTS, needed_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import SubProcess

_MOST_SHOWN = 10


def check_suitable(tree: PipelineTree, constants: Mapping[str, Any]) -> None:
    """Check that Airflow can run a flow.

    :param constants: values that the DAG's author gives for the flow's constants.
    :raises SopsInvalidParameterError: it cannot; the error names each node or constant, and what to do.
    """
    known = tree.levels[()].constants
    if unknown := [key for key in constants if key not in known]:
        raise SopsInvalidParameterError(
            f"constants: the flow has no constant {', '.join(map(repr, unknown))}",
            advice=f"It has: {', '.join(sorted(known)) or 'none'}. Keys are written ${{name}}.",
        )
    obstacles = list(_loops(tree))
    for level in tree.levels.values():
        obstacles += _frozen_constants(level, {} if level.path else constants)
    if obstacles:
        raise SopsInvalidParameterError(
            f"Airflow cannot run this flow: {'; '.join(obstacles[:_MOST_SHOWN])}",
            advice='Change that in the template, or use mode="watch", in which SOPS runs the flow.',
        )


def is_one_task(
    tree: PipelineTree, node: SubProcess, secret: Mapping[NodeKey, Collection[str]], patterns: Sequence[str]
) -> bool:
    """Whether a subprocess runs as one SOPS task: by choice, where its tree is not known, or since passwords go in.

    :param secret: keys of the variables that hold passwords, by the path of their level.
    :param patterns: the choice, as of ``is_meant``.
    """
    level = tree.levels.get(node.key)
    if level is None or node.independent or is_meant(node, patterns):
        return True
    given = {key for key, raw in level.constants.items() if read_mapping(raw).get("show_type") != "hide"}
    return not (given | set(level.outputs)).isdisjoint(secret[node.key])


def _loops(tree: PipelineTree) -> Iterator[str]:
    for loop in tree.graph.loops:
        entries = sorted({edge.target for edge in loop.entries})
        if len(entries) > 1:
            names = " and ".join(label_of(tree.nodes[key]) for key in entries)
            yield f"the loop of {label_of(tree.nodes[loop.nodes[0]])} is entered at several places: {names}"


def _frozen_constants(level: Level, given: Mapping[str, Any]) -> Iterator[str]:
    where = f" of the subprocess {' > '.join(level.path)}" if level.path else ""
    for key, value in level.constants.items():
        if not read_mapping(value).get("pre_render_mako"):
            continue
        needed = map(level.constants.__getitem__, needed_keys(level, [key], given))
        uses_outputs = any(read_mapping(raw).get("source_type") == COMPONENT_OUTPUTS for raw in needed)
        if uses_outputs or not can_render(key, level, given):
            yield (
                f"constant {key}{where} is rendered once, when the flow starts (pre_render_mako); each node would"
                " render it again"
            )
