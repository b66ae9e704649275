"""Which converge gateway belongs to which parallel gateway, and which nodes run side by side.

A parallel or conditional gateway forks; its branches meet again at one converge gateway, which waits for them. Between
the two, every node lies in exactly one branch. A tree may have a ``converge_gateway_id``, but SOPS computes it again
each time, so it is not read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.pipeline_tree.graph import post_dominators
from airflow_provider_sops.sops.pipeline_tree.nodes import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.pipeline_tree.levels import Level


class Flaw(Enum):
    """How branches fail to come together as SOPS demands."""

    NO_CONVERGE = "its branches do not all meet at one converge gateway"
    SHARED_CONVERGE = "two parallel gateways meet at it"
    MIXED_BRANCHES = "it is reached from different branches of a parallel gateway, or from within and without"


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One branch of a fork.

    :param around: the branch in which the fork itself lies; ``None`` if it lies in none.
    :param number: the branch's position among the fork's outgoing sequence flows.

    Each branch is one object, compared by identity.
    """

    around: Branch | None
    fork_id: str
    number: int


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of one level.

    :param converge_of: converge gateway by fork, for the forks that have one.
    :param branch_of: the innermost branch of each node that the start event reaches; ``None`` if it lies in none.
    :param flaws: what is wrong, by the node where it shows.
    :param meeting_of: where each fork's branches meet, which in a broken tree need not be a converge gateway.
    """

    converge_of: Mapping[str, str]
    branch_of: Mapping[str, Branch | None]
    flaws: tuple[tuple[str, Flaw], ...]
    meeting_of: Mapping[str, str]


def find_branches(level: Level) -> Branches:
    """Find the branches of one level; of a broken one, as many as can be told apart."""
    nearest = post_dominators(level.end_id, level.targets) if level.end_id in level.nodes else {}
    forks = [node for node in level.nodes.values() if isinstance(node, Gateway) and node.forks]
    meetings = {fork.id: _meeting(fork, level, nearest) for fork in forks}
    flaws: list[tuple[str, Flaw]] = []
    converge_of: dict[str, str] = {}
    for fork_id, meeting in meetings.items():
        if not _is_converge(level, meeting):
            flaws.append((fork_id, Flaw.NO_CONVERGE))
        elif meeting in converge_of.values():
            flaws.append((meeting, Flaw.SHARED_CONVERGE))
        else:
            converge_of[fork_id] = meeting
    branch_of, mixed = _follow(level, converge_of)
    if not flaws:
        # Otherwise these are only consequences of those.
        flaws += [(node_id, Flaw.MIXED_BRANCHES) for node_id in mixed]
    return Branches(converge_of, branch_of, tuple(flaws), meetings)


def _is_converge(level: Level, node_id: str) -> bool:
    node = level.nodes.get(node_id)
    return isinstance(node, Gateway) and node.converges


def _meeting(fork: Gateway, level: Level, nearest: Mapping[str, str]) -> str:
    """Return where a fork's branches meet first; empty if nowhere."""
    if len(set(fork.targets)) > 1:
        return nearest.get(fork.id, "")
    # A single branch, as excluding nodes leaves it, meets itself everywhere: step over the pairs inside it.
    unmatched = 0
    node_id = nearest.get(fork.id, "")
    while node_id and node_id != level.end_id:
        node = level.nodes[node_id]
        if isinstance(node, Gateway) and len(set(node.targets)) > 1:
            node_id = nearest.get(node_id, "")
            if _is_converge(level, node_id):
                node_id = nearest.get(node_id, "")
            continue
        if isinstance(node, Gateway) and node.forks:
            unmatched += 1
        elif isinstance(node, Gateway) and node.converges:
            if not unmatched:
                return node_id
            unmatched -= 1
        node_id = nearest.get(node_id, "")
    return node_id


def _follow(level: Level, converge_of: Mapping[str, str]) -> tuple[dict[str, Branch | None], list[str]]:
    """Walk from the start event; return each node's branch, and the nodes where different branches meet."""
    branches: dict[tuple[int, str, int], Branch] = {}
    branch_of: dict[str, Branch | None] = {level.start_id: None} if level.start_id in level.nodes else {}
    mixed: dict[str, None] = {}
    waiting = list(branch_of)
    for node_id in waiting:
        node, around = level.nodes[node_id], branch_of[node_id]
        forks = isinstance(node, Gateway) and node.forks
        for number, target in enumerate(node.targets):
            branch = around
            if forks:
                branch = branches.setdefault((id(around), node_id, number), Branch(around, node_id, number))
            if branch and converge_of.get(branch.fork_id) == target:
                branch = branch.around
            if target not in branch_of:
                branch_of[target] = branch
                waiting.append(target)
            elif branch_of[target] is not branch:
                mixed[target] = None
    return branch_of, list(mixed)
