"""``PipelineTree``: a SOPS flow as one object to look at from all sides."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.branches import find_branches
from airflow_provider_sops.sops.pipeline_tree.certainty import Certainty
from airflow_provider_sops.sops.pipeline_tree.graph import Graph
from airflow_provider_sops.sops.pipeline_tree.levels import read_levels
from airflow_provider_sops.sops.pipeline_tree.validity import find_faults
from airflow_provider_sops.sops.pipeline_tree.variables import read_variables

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_sops.sops.pipeline_tree.branches import Branches
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.mapping import TaskMapping
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node, NodeKey
    from airflow_provider_sops.sops.pipeline_tree.validity import Finding, Rule
    from airflow_provider_sops.sops.pipeline_tree.variables import Variable

_SHOWN_FINDINGS = 20
_ADVICE = (
    "Pass a pipeline_tree, a snapshot, or an answer of create_task, get_task_detail, get_template_info or"
    " preview_task_tree."
)


class PipelineTree:
    """A flow of SOPS: its nodes, including those in all subprocesses that the tree unfolds, and how they are connected.

    Reads the trees of templates and tasks of every age. Reading never fails on a broken tree: ``findings`` and
    ``check`` tell what is wrong with it. Nothing here changes the tree. Everything but the nodes themselves is computed
    on first use.

    :param tree: a bare web tree. It is not copied: do not change it afterwards.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._tree = tree
        self.levels: Mapping[NodeKey, Level] = {level.path: level for level in read_levels(tree)}
        self.nodes: Mapping[NodeKey, Node] = {
            node.key: node for level in self.levels.values() for node in level.nodes.values()
        }

    @classmethod
    def from_dict(cls, answer: Any) -> PipelineTree:
        """Read a tree from whatever holds it.

        :param answer: a bare tree, a snapshot, or an answer of create_task, get_task_detail, get_template_info or
            preview_task_tree, whole or only its ``data``.
        :raises SopsInvalidParameterError: there is no tree in it.
        """
        holder = find_holder(answer)
        return cls(holder.get("pipeline_tree", holder))

    def to_dict(self) -> dict[str, Any]:
        """Return the bare web tree as it was read, as a copy of its own."""
        return copy.deepcopy(dict(self._tree))

    @cached_property
    def graph(self) -> Graph:
        """Order, edges and loops."""
        return Graph(self.levels.values())

    @cached_property
    def branches(self) -> Mapping[NodeKey, Branches]:
        """The branches of parallel and conditional gateways, by the path of their level."""
        return {path: find_branches(level) for path, level in self.levels.items()}

    @cached_property
    def certainty(self) -> Certainty:
        """What the arrival of one node says about others."""
        return Certainty(tuple(self.levels.values()), self.branches, self.graph.order)

    @cached_property
    def variables(self) -> Mapping[NodeKey, Mapping[str, Variable]]:
        """The variables of each level, by its path and then by ``${key}``."""
        return {path: read_variables(level) for path, level in self.levels.items()}

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that is wrong with the tree; empty if SOPS would accept it."""
        return tuple(find_faults(self.levels.values(), self.branches))

    def check(self, *, apart_from: Collection[Rule] = ()) -> None:
        """Check that SOPS would accept the tree.

        :param apart_from: rules to ignore.
        :raises SopsInvalidParameterError: it would not; the error lists the faults with their nodes and rules.
        """
        findings = [finding for finding in self.findings if finding.rule not in apart_from]
        if not findings:
            return
        shown = [str(finding) for finding in findings[:_SHOWN_FINDINGS]]
        if more := len(findings) - len(shown):
            shown.append(f"and {more} more")
        raise SopsInvalidParameterError(
            f"the pipeline_tree is not valid: {'; '.join(shown)}", advice="Repair the template in SOPS's editor."
        )

    def subtree(self, key: NodeKey) -> PipelineTree:
        """Return the flow inside a subprocess as a tree of its own, whose keys begin at its level.

        :raises KeyError: there is no such subprocess, or the tree does not unfold it.
        """
        return PipelineTree(self.levels[key].raw)

    def map_to_task(self, task: PipelineTree) -> TaskMapping:
        """Find this template's nodes in the tree of a task that was made from it.

        :param task: as create_task or get_task_detail answers it.
        """
        # Only a run needs this; a DAG file's parse does without.
        from airflow_provider_sops.sops.pipeline_tree.mapping import map_levels

        return map_levels(self.levels, task.levels)

    def __deepcopy__(self, memo: dict[int, Any]) -> PipelineTree:
        # Nothing changes a tree. Airflow copies every task of a DAG, each of which may hold the whole one.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return PipelineTree, (self._tree,)

    def __repr__(self) -> str:
        return f"<PipelineTree with {len(self.nodes)} nodes on {len(self.levels)} levels>"


def find_holder(answer: Any) -> Mapping[str, Any]:
    """Return the mapping whose ``pipeline_tree`` is the tree, or the bare tree itself.

    :param answer: as of ``PipelineTree.from_dict``.
    :raises SopsInvalidParameterError: there is no tree in it.
    """
    if not isinstance(answer, Mapping):
        raise SopsInvalidParameterError(f"no pipeline_tree found in a {type(answer).__name__}", advice=_ADVICE)
    if "pipeline_tree" in answer:
        return {**answer, "pipeline_tree": _read_tree(answer["pipeline_tree"])}
    if "activities" in answer:
        return answer
    if answer.get("result") is False:
        raise SopsInvalidParameterError("no pipeline_tree found: the answer is an error of SOPS", advice=_ADVICE)
    if isinstance(answer.get("data"), Mapping):
        return find_holder(answer["data"])
    raise SopsInvalidParameterError("no pipeline_tree found in this object", advice=_ADVICE)


def _read_tree(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = read_json(value)
        except ValueError:
            raise SopsInvalidParameterError(
                "the pipeline_tree is a text that is not JSON", advice="Ask SOPS without format=yaml."
            ) from None
    if not isinstance(value, Mapping) or "activities" not in value:
        raise SopsInvalidParameterError("the pipeline_tree has no activities", advice=_ADVICE)
    return value
