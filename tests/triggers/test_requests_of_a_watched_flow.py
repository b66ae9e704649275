"""How many requests the mirrors of a watched flow and its ``flow`` cost; for Airflow 3.3, where they need no worker."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import TaskSuccessEvent

from airflow_provider_sops.polling import shared
from airflow_provider_sops.sops.models import TaskStatus
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
from airflow_provider_sops.task_instance.xcom import NODE_PATHS_XCOM_KEY, RETURN_XCOM_KEY
from airflow_provider_sops.triggers import sops as sops_triggers
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from airflow_provider_sops.triggers.sops_mirror import SopsNodeMirrorTrigger
from tests.plain_task_instance import PlainTaskInstance
from tests.sops.builders import node, task_status
from tests.triggers.simulated_sops import SimulatedSops
from tests.triggers.simulated_time import run_in_simulated_time

if TYPE_CHECKING:
    from collections.abc import Sequence

_SOPS_TASK_ID = 7
_BRANCHES, _NODES_OF_A_BRANCH = 4, 50
#: How long Airflow takes from the end of a mirror until the next one asks.
_HOP_SECONDS = 3.3
#: What ``start`` and ``flow`` ask besides on workers: search, template, create, start, task and outputs.
_ON_WORKERS = 10


def _name(branch: int, number: int) -> str:
    return f"n{branch}-{number}"


@dataclass
class _SopsWithNodes(SimulatedSops):
    """Runs one flow of four branches; the first node of each takes its time, the others are quick."""

    first_seconds: float = 30.0
    quick_seconds: float = 0.1

    def _status(self, task_id: int) -> TaskStatus:
        now = asyncio.get_running_loop().time()
        children: dict[str, Any] = {}
        for branch in range(_BRANCHES):
            began = 0.0
            for number in range(_NODES_OF_A_BRANCH):
                ended = began + (self.quick_seconds if number else self.first_seconds)
                if began <= now:
                    state = "FINISHED" if ended <= now else "RUNNING"
                    elapsed = int(min(ended, now) - began)
                    children[_name(branch, number)] = node(state, elapsed_time=elapsed)
                began = ended
        over = len(children) == _BRANCHES * _NODES_OF_A_BRANCH and began <= now
        return TaskStatus.read(task_status("FINISHED" if over else "RUNNING", children, elapsed_time=int(now)))


@dataclass
class _Watched:
    """A flow in SOPS and its triggers, in simulated time."""

    node_details: str | None = None
    sops: _SopsWithNodes = field(default_factory=_SopsWithNodes)
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: PlainTaskInstance().run_id)

    def __post_init__(self) -> None:
        names = [_name(branch, number) for branch in range(_BRANCHES) for number in range(_NODES_OF_A_BRANCH)]
        self.sops.ends[_SOPS_TASK_ID] = 0.0
        self.xcoms |= {
            ("start", "sops_task_id"): _SOPS_TASK_ID,
            ("start", NODE_PATHS_XCOM_KEY): {name: [name] for name in names},
        }

    async def run(self, pace: str) -> list[Any]:
        """Watch the flow to its end at a pace, and return the events of all mirrors."""
        with contextlib.ExitStack() as stack:
            for name, replaced in (("aget_one", self._aget_one), ("aset", self._aset)):
                stack.enter_context(mock.patch.object(XCom, name, autospec=True, side_effect=replaced))
            opened = mock.patch.object(shared, "open_source", autospec=True, side_effect=lambda _: self.sops.open())
            stack.enter_context(opened)
            clock = asyncio.get_running_loop().time
            stack.enter_context(mock.patch.object(sops_triggers, "steady_clock", autospec=True, return_value=clock))
            policy = WaitPolicy(paced=True)
            flow = SopsTaskTrigger(sops_conn_id="c", sops_task_id=_SOPS_TASK_ID, policy=policy, human_nodes={})
            flow._task_instance = PlainTaskInstance(task_id="flow", run_id=self.run_id)
            branches = [[_name(branch, number) for number in range(_NODES_OF_A_BRANCH)] for branch in range(_BRANCHES)]
            lines = branches if pace == "flow" else [[name] for branch in branches for name in branch]
            _, *events = await asyncio.gather(flow.follow(), *map(self._one_after_another, lines))
            return [event for line in events for event in line]

    async def _one_after_another(self, names: Sequence[str]) -> list[Any]:
        events = []
        for number, name in enumerate(names):
            await asyncio.sleep(_HOP_SECONDS if number else 0.0)
            mirrored = MirroredNode(key=(name,), has_data=True, plugin="bk_display")
            trigger = SopsNodeMirrorTrigger(
                sops_conn_id="c", start_task_id="start", node=mirrored, paced=True, node_details=self.node_details
            )
            trigger._task_instance = PlainTaskInstance(task_id=name, run_id=self.run_id)
            events.append(await anext(aiter(trigger.run())))
        return events

    async def _aget_one(self, *, key: str, task_id: str, **_place: Any) -> Any:
        return self.xcoms.get((task_id, key))

    async def _aset(self, key: str, value: Any, *, task_id: str, **_place: Any) -> None:
        self.xcoms[(task_id, key)] = value

    def returned(self) -> int:
        """Return how many mirrors have put outputs into XCom."""
        return sum(key == RETURN_XCOM_KEY for _, key in self.xcoms)


@pytest.mark.parametrize("pace", ["flow", "free"])
def test_two_hundred_nodes_cost_at_most_sixty_requests(pace: str) -> None:
    watched = _Watched()

    events = run_in_simulated_time(watched.run(pace))

    assert [type(event) for event in events] == [TaskSuccessEvent] * _BRANCHES * _NODES_OF_A_BRANCH
    assert len(watched.sops.requests) + _ON_WORKERS <= 60, len(watched.sops.requests)
    assert watched.returned() == 0


def test_with_the_details_of_all_each_node_costs_two_more_at_most_four_at_a_time() -> None:
    watched = _Watched(node_details="all", sops=_SopsWithNodes(latency_seconds=0.05))

    run_in_simulated_time(watched.run("free"))

    nodes = _BRANCHES * _NODES_OF_A_BRANCH
    details = len(watched.sops.asked("get_task_node_detail")) + len(watched.sops.asked("get_task_node_log"))
    assert details == 2 * nodes
    assert watched.sops.most_under_way <= 5  # a request for states may be among them
    assert watched.returned() == nodes
