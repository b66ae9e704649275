"""The flow that all sides show: blocks with parallel and exclusive branches, one behind another."""

from __future__ import annotations

from dataclasses import dataclass, field

#: How many nodes each block has; a flow has a multiple of that.
BLOCK = 20
ACTIVITY = "ServiceActivity"
PARALLEL = "ParallelGateway"
EXCLUSIVE = "ExclusiveGateway"
CONVERGE = "ConvergeGateway"
#: Gateways and how many branches of two activities each has.
_FORKS = ((PARALLEL, 4), (EXCLUSIVE, 2))


@dataclass(frozen=True)
class FlowGraph:
    """Nodes by number, of which the first one begins and the last one ends the flow.

    :param kinds: what each node is, in SOPS's words.
    :param edges: pairs of numbers.
    """

    kinds: list[str] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, nodes: int) -> FlowGraph:
        """Make the flow of so many nodes, which is rounded up to whole blocks."""
        made = cls()
        for _ in range(-(-nodes // BLOCK)):
            made._add_block()
        return made

    @classmethod
    def of_branches(cls, branches: int, length: int) -> FlowGraph:
        """Make a flow of parallel branches, each of so many activities in a row."""
        made = cls()
        fork = made._add(PARALLEL, [])
        ends = []
        for _ in range(branches):
            last = fork
            for _ in range(length):
                last = made._add(ACTIVITY, [last])
            ends.append(last)
        made._add(CONVERGE, ends)
        return made

    def name(self, number: int) -> str:
        """Return what people call a node."""
        return f"node {number}"

    def label(self, source: int, target: int) -> str:
        """Return what is written beside an edge; empty for most."""
        return f"case {target}" if self.kinds[source] == EXCLUSIVE else ""

    def _add_block(self) -> None:
        last = [len(self.kinds) - 1] if self.kinds else []
        for kind, branches in _FORKS:
            before = self._add(ACTIVITY, last)
            fork = self._add(kind, [before])
            ends = [self._add(ACTIVITY, [self._add(ACTIVITY, [fork])]) for _ in range(branches)]
            last = [self._add(CONVERGE, ends)]
        self._add(ACTIVITY, [self._add(ACTIVITY, last)])

    def _add(self, kind: str, sources: list[int]) -> int:
        number = len(self.kinds)
        self.kinds.append(kind)
        self.edges.extend((source, number) for source in sources)
        return number
