"""Which node of a task is which node of its template.

SOPS gives every node of a new task a new id. Activities keep their id from the template as ``template_node_id``,
separately on each level: a template that is used twice has equal ones in both places, which their keys tell apart.
Gateways and events keep nothing and are found by their place between those nodes. In tasks of old servers activities
keep nothing either and are found by their place, name and plugin.

Excluded nodes are missing in the task, as are parallel gateways of which nothing was left.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Gateway, Node, SubProcess
from airflow_provider_sops.sops.pipeline_tree.pruning import LevelGraph, whole, without_activities

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from airflow_provider_sops.sops.pipeline_tree.levels import Level, SequenceFlow
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey


@dataclass(frozen=True, slots=True)
class TaskMapping:
    """How the nodes of a template and of one of its tasks correspond.

    :param ids: the id in the task by the key in the template.
    :param absent: keys of the template's nodes that the task does not have, including all nodes inside them.
    :param elsewhere: keys of the template's nodes inside subprocesses that run as tasks of their own. Their ids are in
        those tasks: map the subprocess's ``subtree`` to them.
    :param unknown: ids of the task's nodes that the template does not have; empty unless the template changed.
    """

    ids: Mapping[NodeKey, str]
    absent: frozenset[NodeKey]
    elsewhere: frozenset[NodeKey]
    unknown: tuple[str, ...]


def map_levels(template: Mapping[NodeKey, Level], task: Mapping[NodeKey, Level]) -> TaskMapping:
    """Map all levels of a template to those of a task, by their paths.

    The inner nodes of a subprocess that only the task unfolds are left out.
    """
    ids: dict[NodeKey, str] = {}
    unknown: list[str] = []
    elsewhere: set[NodeKey] = set()
    waiting: deque[tuple[NodeKey, NodeKey]] = deque([((), ())])
    while waiting:
        template_path, task_path = waiting.popleft()
        level, task_level = template[template_path], task[task_path]
        found = _map_level(level, task_level)
        unknown += (node_id for node_id in task_level.nodes if node_id not in set(found.values()))
        for node_id, task_id in found.items():
            node, task_node = level.nodes[node_id], task_level.nodes[task_id]
            ids[node.key] = task_id
            if node.key not in template:
                continue
            if isinstance(task_node, SubProcess) and task_node.independent:
                elsewhere.update(_inside(template, node.key))
            elif task_node.key in task:
                waiting.append((node.key, task_node.key))
    everything = {node.key for level in template.values() for node in level.nodes.values()}
    return TaskMapping(ids, frozenset(everything - set(ids) - elsewhere), frozenset(elsewhere), tuple(unknown))


def _inside(levels: Mapping[NodeKey, Level], key: NodeKey) -> Iterator[NodeKey]:
    for path, level in levels.items():
        if path[: len(key)] == key:
            yield from (node.key for node in level.nodes.values())


def _map_level(template: Level, task: Level) -> dict[str, str]:
    """Return the task's id for each of the template's nodes on one level."""
    known = dict(_same_origins(template, task))
    task_graph = whole(task)
    if not any(node.template_node_id for node in task.nodes.values()):
        return _Matching(whole(template), task_graph, known).found
    excluded = [node.id for node in template.nodes.values() if isinstance(node, Activity) and node.id not in known]
    pruned = without_activities(template, excluded)
    if _gateway_types(pruned) != _gateway_types(task_graph):
        unpruned = without_activities(template, excluded, empty_branches=False)
        if _gateway_types(unpruned) == _gateway_types(task_graph):
            pruned = unpruned
    return _Matching(pruned, task_graph, known).found


def _same_origins(template: Level, task: Level) -> Iterator[tuple[str, str]]:
    yield from ((old, new) for old, new in ((template.start_id, task.start_id), (template.end_id, task.end_id)))
    origins = {node.key[-1]: node.id for node in task.nodes.values() if isinstance(node, Activity)}
    for node in template.nodes.values():
        if isinstance(node, Activity) and node.key[-1] in origins:
            yield node.id, origins[node.key[-1]]


def _gateway_types(graph: LevelGraph) -> Counter[str]:
    return Counter(node.type for node in graph.nodes.values() if isinstance(node, Gateway))


class _Matching:
    """Spreads from known pairs to their neighbours: unambiguous ones first, then those that look alike, by order."""

    def __init__(self, template: LevelGraph, task: LevelGraph, known: Mapping[str, str]) -> None:
        self._template = template
        self._task = task
        self.found = {old: new for old, new in known.items() if old in template.nodes and new in task.nodes}
        self._taken = set(self.found.values())
        self._waiting = deque(self.found.items())
        self._alike: deque[tuple[str, str, bool]] = deque()
        self._spread()

    def _spread(self) -> None:
        while self._waiting or self._alike:
            if self._waiting:
                old, new = self._waiting.popleft()
                for forward in (True, False):
                    if self._match_neighbours(old, new, forward, guess=False):
                        self._alike.append((old, new, forward))
            else:
                old, new, forward = self._alike.popleft()
                # Others may have been found since, and a guess may leave the rest unambiguous.
                if self._match_neighbours(old, new, forward, guess=True):
                    self._alike.append((old, new, forward))

    def _match_neighbours(self, old: str, new: str, forward: bool, *, guess: bool) -> bool:
        """Match neighbours of a pair; return whether some are left that only a guess would match."""
        olds = self._unmatched(self._template, old, forward, self.found)
        news = self._unmatched(self._task, new, forward, self._taken)
        left = False
        for signature, candidates in olds.items():
            others = news.get(signature, [])
            if not others:
                continue
            if len(candidates) == len(others) == 1 or guess:
                self._match(candidates[0], others[0])
                guess = False
                left = left or (len(candidates) > 1 and len(others) > 1)
            else:
                left = True
        return left

    def _match(self, old: str, new: str) -> None:
        self.found[old] = new
        self._taken.add(new)
        self._waiting.append((old, new))

    @staticmethod
    def _unmatched(
        graph: LevelGraph, node_id: str, forward: bool, matched: Mapping[str, str] | set[str]
    ) -> dict[Hashable, list[str]]:
        found: defaultdict[Hashable, dict[str, None]] = defaultdict(dict)
        for sequence_flow in (graph.outgoing if forward else graph.incoming)[node_id]:
            other = sequence_flow.target if forward else sequence_flow.source
            if other not in matched:
                found[_signature(graph.nodes[other], sequence_flow)][other] = None
        return {signature: list(nodes) for signature, nodes in found.items()}


def _signature(node: Node, sequence_flow: SequenceFlow) -> Hashable:
    """Return what a node and the sequence flow to or from it keep when a task is created."""
    own: Hashable = ()
    if isinstance(node, Gateway):
        own = tuple(sorted((each.name, each.evaluate, each.is_default) for each in node.conditions.values()))
    elif node.component:
        own = (node.component.code, node.component.version)
    return (node.type, node.name, own, sequence_flow.label, sequence_flow.evaluate, sequence_flow.is_default)
