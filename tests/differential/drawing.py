"""Draws flows from a seed: the shapes of ``tests.pipeline_trees``, small enough to be run many times."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from tests.differential.filling import filled
from tests.pipeline_trees.blocks import Block, Conditional, Exclusive, Flow, Loop, Parallel, Sub, Task, as_branch
from tests.pipeline_trees.web_tree import web_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 3
_LONGEST = 3
_MOST_ROUNDS = 3


@dataclass(frozen=True)
class Drawn:
    """One flow and how it is run.

    :param tree: its web tree.
    :param excluded: ids of the optional nodes that are left out.
    :param pace: of the watching DAG.
    :param flow_is_last: whether, where Airflow runs one task after the other, the mirrors come before ``flow``: then
        they see the flow run, else they see it when it is over.
    """

    seed: int
    number: int
    tree: Any
    excluded: tuple[str, ...]
    pace: Literal["flow", "free"]
    flow_is_last: bool

    @property
    def name(self) -> str:
        """Names it among all seeds."""
        return f"tree_{self.seed}_{self.number}"


def draw(seed: int, number: int, *, most_nodes: int) -> Drawn:
    """Draw one; the same seed and number give the same.

    :param most_nodes: how many plugin nodes and gateways the tree may have, those in subprocesses included.
    """
    random = Random(f"{seed}/{number}")
    while True:
        flow = _Drawing(random).sequence(_DEPTH)
        if random.random() < 0.35:
            # A flow that never ends shows which nodes are skipped only because it has ended.
            flow = (*flow, Task(optional=False, fails=True))
        if 4 <= _size(flow) <= most_nodes and any(not isinstance(block, Task) for block in flow):
            break
    tree = filled(web_tree(flow), random)
    return Drawn(
        seed,
        number,
        tree,
        excluded=tuple(_exclusion(tree, random)),
        pace=random.choice(("flow", "flow", "free")),
        flow_is_last=random.random() < 0.7,
    )


def _exclusion(tree: Any, random: Random) -> Iterator[str]:
    """Choose from the optional nodes, though not all nodes: SOPS refuses a flow without any."""
    if random.random() < 0.5 and tree["activities"]:
        kept = random.choice(list(tree["activities"]))
        for node_id, node in tree["activities"].items():
            if node["optional"] and node_id != kept and random.random() < 0.4:
                yield node_id


def _size(flow: Flow) -> int:
    return sum(_block_size(block) for block in flow)


def _block_size(block: Block) -> int:
    match block:
        case Task():
            return 1
        case Sub():
            return _size(block.flow)
        case Loop():
            return 2 + _size(block.body) + block.converges
        case Exclusive():
            return 1 + sum(map(_size, block.branches)) + block.converges
        case _:
            return 2 + sum(map(_size, block.branches))


class _Drawing:
    def __init__(self, random: Random) -> None:
        self._random = random

    def sequence(self, depth: int, *, fewest: int = 1, gateways: int = 0) -> Flow:
        """Draw a sequence inside as many gateways."""
        return tuple(self._block(depth, gateways) for _ in range(self._random.randint(fewest, _LONGEST)))

    def _block(self, depth: int, gateways: int) -> Block:
        kinds = ["task"] * 3 + ["sub", "parallel", "conditional", "exclusive", "exclusive", "loop"]
        match self._random.choice(kinds) if depth else "task":
            case "sub":
                return Sub(self.sequence(depth - 1), optional=self._chance(0.5))
            case "parallel":
                return Parallel(self._branches(depth, gateways))
            case "conditional":
                return self._conditional(self._branches(depth, gateways))
            case "exclusive":
                return self._exclusive(self._branches(depth, gateways), is_main=gateways == 0)
            case "loop":
                return self._loop(depth, gateways)
            case _:
                return self._task()

    def _task(self) -> Task:
        optional = self._chance(0.5)
        match self._random.choice(["going"] * 10 + ["ignored"] * 2 + ["retried"] * 2 + ["stuck"]):
            case "ignored":
                return Task(optional, fails=True, error_ignorable=True)
            case "retried":
                return Task(optional, fails=True, retries=self._random.randint(1, 2))
            case "stuck":
                return Task(optional, fails=True)
            case _:
                return Task(optional)

    def _branches(self, depth: int, gateways: int) -> tuple[Flow, ...]:
        return tuple(
            as_branch(self.sequence(depth - 1, fewest=0, gateways=gateways + 1), gateways + 1)
            for _ in range(self._random.choice((2, 2, 3)))
        )

    def _conditional(self, branches: tuple[Flow, ...]) -> Conditional:
        # Without any true expression the gateway fails.
        return Conditional(branches, tuple(self._chance(0.5) for _ in branches), has_default=self._chance(0.5))

    def _exclusive(self, branches: tuple[Flow, ...], *, is_main: bool) -> Exclusive:
        return Exclusive(
            branches,
            chosen=self._random.randrange(len(branches)),
            has_default=self._chance(0.4),
            converges=self._chance(0.5),
            ends=is_main and self._chance(0.4),
        )

    def _loop(self, depth: int, gateways: int) -> Loop:
        # The loop's own exclusive gateway is one more gateway behind those of its body.
        body = as_branch(self.sequence(depth - 1, fewest=0, gateways=gateways), gateways + 1, last=False)
        return Loop(
            body,
            rounds=self._random.randint(1, _MOST_ROUNDS),
            # Without the counter the flow would go round for ever.
            counter=Task(optional=False),
            converges=self._chance(0.5),
        )

    def _chance(self, of: float) -> bool:
        return self._random.random() < of
