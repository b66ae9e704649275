"""Random flows of SOPS, all of them accepted by its engine.

:func:`flows` draws every construct: parallel, conditional and exclusive gateways, empty branches, exclusive gateways
without a converge gateway and with branches straight to the end, loops through exclusive gateways, nested subprocesses,
nodes that are optional, that fail, whose errors are ignored or that the server retries.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.pipeline_trees.blocks import Block, Conditional, Exclusive, Flow, Loop, Parallel, Sub, Task, as_branch

MOST_ROUNDS = 3


def tasks(*, failing: bool = True) -> st.SearchStrategy[Task]:
    """Plugin nodes; of the failing ones most have their error ignored, so that most flows go on."""
    going = st.builds(Task, optional=st.booleans())
    if not failing:
        return going
    ignored = st.builds(Task, optional=st.booleans(), fails=st.just(True), error_ignorable=st.just(True))
    stuck = st.builds(Task, fails=st.just(True), retries=st.integers(0, 2))
    return st.one_of(going, going, going, going, going, ignored, ignored, stuck)


def flows(*, failing: bool = True, depth: int = 3, longest: int = 3) -> st.SearchStrategy[Flow]:
    """Whole flows; ``web_tree`` makes a tree of one.

    :param failing: whether nodes may fail.
    :param depth: how deep gateways, loops and subprocesses may be nested.
    :param longest: most blocks in one sequence.
    """
    return _Flows(failing=failing, longest=longest).sequences(depth, fewest=1)


@dataclass(frozen=True)
class _Flows:
    failing: bool
    longest: int

    def sequences(self, depth: int, *, fewest: int = 0, gateways: int = 0) -> st.SearchStrategy[Flow]:
        """Sequences inside as many gateways."""
        return st.lists(self._blocks(depth, gateways), min_size=fewest, max_size=self.longest).map(tuple)

    def _blocks(self, depth: int, gateways: int) -> st.SearchStrategy[Block]:
        plain = tasks(failing=self.failing)
        if depth == 0:
            return plain
        inside = self.sequences(depth - 1, gateways=gateways + 1).map(lambda flow: as_branch(flow, gateways + 1))
        branches = st.lists(inside, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            plain,
            plain,
            st.builds(Sub, self.sequences(depth - 1, fewest=1), optional=st.booleans()),
            st.builds(Parallel, branches),
            branches.flatmap(_conditionals),
            branches.flatmap(lambda drawn: _exclusives(drawn, main=gateways == 0)),
            st.builds(
                Loop,
                # The loop's own exclusive gateway is one more gateway behind those of its body.
                self.sequences(depth - 1, gateways=gateways).map(
                    lambda flow: as_branch(flow, gateways + 1, last=False)
                ),
                rounds=st.integers(1, MOST_ROUNDS),
                converges=st.booleans(),
            ),
        )


def _conditionals(branches: tuple[Flow, ...]) -> st.SearchStrategy[Conditional]:
    chosen = st.lists(st.booleans(), min_size=len(branches), max_size=len(branches)).map(tuple)
    drawn = st.builds(Conditional, st.just(branches), chosen, has_default=st.booleans())
    return drawn.filter(lambda block: any(block.chosen[: len(branches) - block.has_default]) or block.has_default)


def _exclusives(branches: tuple[Flow, ...], *, main: bool) -> st.SearchStrategy[Exclusive]:
    return st.builds(
        Exclusive,
        st.just(branches),
        chosen=st.integers(0, len(branches) - 1),
        has_default=st.booleans(),
        converges=st.booleans(),
        ends=st.booleans() if main else st.just(False),
    )
