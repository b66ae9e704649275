"""The size of the measurements."""

from __future__ import annotations

from dataclasses import dataclass

#: How many waits Airflow gives to one triggerer, unless told otherwise.
WAITS_PER_TRIGGERER = 1000


@dataclass(frozen=True)
class Scope:
    """How many, how often and how long.

    :param waits: the numbers of waits that are compared.
    :param crowd: how many waits are more than one triggerer takes.
    :param repeats: how often whatever a median is taken of is measured.
    :param slow_repeats: how often what takes many minutes is measured.
    :param interval_seconds: how often each wait asks.
    :param intervals: over how many intervals costs are counted.
    :param outage_seconds: how long SOPS is away.
    :param growth_intervals: over how many intervals memory is watched.
    :param branch_nodes: how many nodes each of the four branches of a watched flow has.
    :param first_node_seconds: how long the first node of each branch takes, so that there is something to wait for.
    :param real_waits: how many tasks run in local_sops.
    :param airflow: the kind of Airflow in which the operator is tried, one of ``KINDS``.
    :param flow_seconds: how long the flows run that a whole Airflow waits for.
    :param nodes: the numbers of nodes of flows that DAGs are built of, multiples of 20.
    :param peer_nodes: the one of them at which other generators are measured too.
    :param growing_nodes: the numbers of nodes of flows of extreme shapes, each twice the one before it.
    """

    waits: tuple[int, ...] = (1, 100, 1000)
    crowd: int = 3000
    repeats: int = 3
    slow_repeats: int = 1
    interval_seconds: float = 10.0
    intervals: int = 3
    outage_seconds: float = 60.0
    growth_intervals: int = 60
    branch_nodes: int = 50
    first_node_seconds: int = 30
    real_waits: int = 50
    airflow: str = "sqlite"
    flow_seconds: tuple[int, ...] = (1, 3, 10, 60, 600)
    nodes: tuple[int, ...] = (100, 1000, 5000)
    peer_nodes: int = 1000
    growing_nodes: tuple[int, ...] = (5000, 10_000, 20_000)

    @property
    def many(self) -> int:
        """How many waits there are where only one number is tried: as many as fill one triggerer."""
        return max((waits for waits in self.waits if waits <= WAITS_PER_TRIGGERER), default=min(self.waits))


FULL = Scope()
QUICK = Scope(
    waits=(1, 100),
    crowd=1100,
    repeats=1,
    interval_seconds=5.0,
    outage_seconds=20.0,
    growth_intervals=20,
    branch_nodes=5,
    first_node_seconds=10,
    real_waits=10,
    flow_seconds=(1, 3, 10),
    nodes=(100, 1000),
    growing_nodes=(1000, 2000),
)
