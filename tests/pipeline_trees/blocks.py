"""What a random flow is made of, before it becomes a web tree.

A flow is a sequence of blocks. Put together in this way, blocks always give a tree that SOPS accepts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Task:
    """A plugin node.

    :param fails: whether it fails each time it runs.
    :param retries: how often the server retries it by itself.
    :param wait_seconds: how long it takes.
    """

    optional: bool = True
    fails: bool = False
    error_ignorable: bool = False
    retries: int = 0
    wait_seconds: int = 0


@dataclass(frozen=True)
class Sub:
    """A subprocess."""

    flow: Flow
    optional: bool = True


@dataclass(frozen=True)
class Parallel:
    """A parallel gateway with its converge gateway; an empty branch is a flow straight from one to the other."""

    branches: tuple[Flow, ...]


@dataclass(frozen=True)
class Conditional:
    """A conditional gateway with its converge gateway.

    :param chosen: for each branch whether its expression is true; at least one is, or there is a default branch.
    :param has_default: whether the last branch is the default one.
    """

    branches: tuple[Flow, ...]
    chosen: tuple[bool, ...]
    has_default: bool = False


@dataclass(frozen=True)
class Exclusive:
    """An exclusive gateway.

    :param chosen: number of the branch whose expression is true.
    :param has_default: whether the last branch is the default one.
    :param converges: whether the branches meet at a converge gateway; else they meet at the node that comes next, which
        may be the end event or the converge gateway of the parallel gateway around.
    :param ends: whether the last branch leads to the end event instead; for sequences outside of any gateway only.
    """

    branches: tuple[Flow, ...]
    chosen: int = 0
    has_default: bool = False
    converges: bool = True
    ends: bool = False


@dataclass(frozen=True)
class Loop:
    """A loop through an exclusive gateway behind its body.

    :param body: what follows the counter; may be empty.
    :param counter: the node that comes first in each round and counts them; it does not fail.
    :param converges: whether a converge gateway follows, which then has one incoming flow.
    :param rounds: how often the body runs.
    """

    body: Flow
    rounds: int = 2
    counter: Task = Task()
    converges: bool = False


Block = Task | Sub | Parallel | Conditional | Exclusive | Loop
Flow = tuple[Block, ...]


def as_branch(flow: Flow, gateways: int, *, last: bool = True) -> Flow:
    """Give the gateways inside a branch converge gateways of their own where SOPS demands it.

    An exclusive gateway without one, as that of a loop, takes the next one that it leads to for its own, which SOPS
    then counts as shared. It allows that for the one that ends the branch, and only if one gateway is around.

    :param gateways: how many are around the branch.
    :param last: whether what follows is the converge gateway of the gateway around.
    """
    blocks = list(flow)
    gateway_places = [place for place, block in enumerate(blocks) if not isinstance(block, Task | Sub)]
    for place in gateway_places[: -1 if last and gateways == 1 else None]:
        block = blocks[place]
        if isinstance(block, Loop | Exclusive):
            blocks[place] = replace(block, converges=True)
    return tuple(blocks)
