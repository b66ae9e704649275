"""SOPS's own automatic retries are waited for by everything that waits, whatever the server says of them."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.operators.sops.earlier_tasks import EarlierTasks, StartedTask
from airflow_provider_sops.polling.task_ends_poll import TaskEndsPoll
from airflow_provider_sops.sensors.sops import SopsNodeSensor, SopsTaskSensor
from airflow_provider_sops.sops.pipeline_tree import PipelineTree, TreeIndex
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_ends import END_STATES, FAILING, FINISHED, Selection
from airflow_provider_sops.sops.task_failure import CONFIRMATION_SECONDS
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.task_instance.mirrored_node import FlowTask, MirroredNode
from airflow_provider_sops.task_instance.xcom import NODE_PATHS_XCOM_KEY
from airflow_provider_sops.triggers import waiting_trigger
from airflow_provider_sops.triggers.sops import SopsNodeTrigger, SopsTaskTrigger
from tests.aged_sops import FailingAddress
from tests.differential.plain_sops import PlainSops
from tests.differential.probing_sops import ProbingSops, run_probing_sops
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow.providers.common.compat.sdk import BaseSensorOperator


pytestmark = pytest.mark.integration

#: Longer than a failure is confirmed for.
INTERVAL_SECONDS = int(CONFIRMATION_SECONDS) + 2
FAILURES = 2
LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class Flow:
    """A flow of which the node "fails" does so twice, and is retried by SOPS; "after" is behind it.

    :param template_id: the template's id.
    :param tree: the template's tree.
    """

    hook: SopsHook
    template_id: int
    tree: PipelineTree

    def key(self, name: str) -> tuple[str, ...]:
        """Return the key of the node of a name."""
        return next(key for key, node in self.tree.nodes.items() if node.name == name)


@pytest.fixture(scope="module", params=["3.25", "3.32", "3.34"])
def probing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbingSops]:
    """A SOPS that tells of its retries by the root, by the node, or not at all."""
    with run_probing_sops(tmp_path_factory.mktemp(f"sops_{request.param}"), request.param) as probing:
        yield probing


@pytest.fixture
def flow(probing: ProbingSops, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", probing.sops.connection_json())
    monkeypatch.setattr(waiting_trigger, "WORKER_EXIT_SECONDS", 0.0)
    with SopsHook() as hook, PlainSops(probing.sops, probing.templates) as plain, FailingAddress() as failing:
        ids = {item.name: item.id for item in hook.get_template_list()}
        tree = hook.get_template_info(ids["fail"] or 0).raw["pipeline_tree"]
        (call,) = hook.get_template_info(ids["http_request"] or 0).raw["pipeline_tree"]["activities"].values()
        call["component"]["data"]["bk_http_request_url"]["value"] = failing.url(uuid.uuid4().hex, FAILURES)
        (fails,) = (node for node in tree["activities"].values() if node["name"] == "fails")
        fails["component"] = call["component"]
        fails["auto_retry"] = {"enable": True, "interval": INTERVAL_SECONDS, "times": FAILURES}
        yield Flow(hook, plain.create_template("retried", tree), PipelineTree(tree))


@dataclass
class MirrorTaskInstance(PlainTaskInstance):
    """The task instance of a mirror, in a run whose ``start`` has pushed its part."""

    task: FlowTask | None = None

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int = -1) -> Any:
        """Return what ``start`` has pushed."""
        assert self.task is not None
        assert map_indexes == self.map_index
        pushed = {"sops_task_id": self.task.sops_task_id, NODE_PATHS_XCOM_KEY: self.task.paths}
        return pushed.get(key)


def run(flow: Flow, ti: PlainTaskInstance, **arguments: Any) -> int:
    """Run the flow on a worker, by a task whose retry would start a new SOPS task; return the SOPS task's id."""
    operator = SopsRunTaskOperator(
        task_id="run",
        template_id=flow.template_id,
        name="retried",
        retry_mode="new",
        deferrable=False,
        poll_interval_seconds=0.2,
        **arguments,
    )
    operator.execute(ti.context)
    return int(ti.xcoms["sops_task_id"])


def sense(make: Callable[[], BaseSensorOperator]) -> bool:
    """Poke until the sensor is done.

    :param make: returns the sensor for the next poke.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    while not make().poke(PlainTaskInstance().context):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return True


def begin_mirror(flow: Flow, sops_task_id: int, *, try_number: int) -> SopsNodeTrigger:
    """Begin a mirror of the node that fails, and return what it hands over to."""
    tree = PipelineTree(flow.hook.get_task_detail(sops_task_id).pipeline_tree)
    task = FlowTask.of(sops_task_id, "", flow.tree.map_to_task(tree))
    operator = NodeMirrorOperator(
        task_id="fails", start_task_id="start", node=MirroredNode(flow.key("fails")), poll_interval_seconds=0.2
    )
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(MirrorTaskInstance(try_number=try_number, task=task).context)
    trigger = deferred.value.trigger
    assert isinstance(trigger, SopsNodeTrigger)
    return trigger


async def end_of(trigger: SopsTaskTrigger | SopsNodeTrigger) -> Any:
    event = await anext(aiter(trigger.run()))
    return event.payload["outcome"]


class Everything(Selection):
    """Covers the tasks of operators too, which are none of a watcher's."""

    def covers(self, item: object) -> bool:
        return True


async def end_for_watchers(sops_task_id: int) -> str:
    """Return the first end of a task that asset watchers hear of."""
    everything = frozenset({Everything(states=END_STATES)})
    poll = TaskEndsPoll(Site("sops_default"), lambda: everything, interval_seconds=0.2, follow_days=30)
    async with asyncio.timeout(LONGEST_SECONDS), aclosing(poll.pictures()) as pictures:
        async for picture in pictures:
            end = picture.tasks[sops_task_id].end if sops_task_id in picture.tasks else ""
            if end not in ("", FAILING):
                return end
    raise AssertionError("pictures never end")


async def ends_of_all_waits(sops_task_id: int, nodes: Mapping[str, str], mirror: SopsNodeTrigger) -> list[Any]:
    """Wait for a task and its nodes in every way but the run operator's, and return the ends and errors."""
    waiting: dict[str, Any] = {
        "sops_conn_id": "sops_default",
        "sops_task_id": sops_task_id,
        "policy": WaitPolicy(poll_interval_seconds=0.2),
    }
    sensing: dict[str, Any] = {"task_id": "wait", "sops_task_id": sops_task_id, "deferrable": False}
    of_task = SopsTaskSensor(**sensing)
    of_node, of_next = (SopsNodeSensor(**sensing, node_id=nodes[name]) for name in ("fails", "after"))
    return await asyncio.gather(
        end_of(mirror),
        end_of(SopsTaskTrigger(**waiting)),
        end_of(SopsNodeTrigger(**waiting, node={"path": [nodes["fails"]]})),
        end_of(SopsNodeTrigger(**waiting, node={"path": [nodes["after"]]})),
        asyncio.to_thread(sense, lambda: of_task),
        asyncio.to_thread(sense, lambda: of_node),
        asyncio.to_thread(sense, lambda: of_next),
        # As mode="reschedule" does, which forgets everything in between.
        asyncio.to_thread(sense, lambda: SopsTaskSensor(**sensing)),
        end_for_watchers(sops_task_id),
        return_exceptions=True,
    )


def test_nothing_ends_before_the_last_retry(flow: Flow) -> None:
    ti = PlainTaskInstance()
    sops_task_id = run(flow, ti, wait_for_completion=False)
    wait_for_node(flow.hook, sops_task_id, "fails", "FAILED")
    nodes = {node.name: node.id for node in TreeIndex(flow.hook.get_task_detail(sops_task_id).pipeline_tree)}
    mirror = begin_mirror(flow, sops_task_id, try_number=1)

    with ThreadPoolExecutor(1) as beside:
        waits = beside.submit(asyncio.run, ends_of_all_waits(sops_task_id, nodes, mirror))
        joined = run(flow, ti)

    assert joined == sops_task_id
    assert ti.xcoms["sops_task_state"] == "FINISHED"
    assert waits.result() == [*["finished"] * 4, *[True] * 4, FINISHED]
    assert flow.hook.get_task_status(sops_task_id, fresh=True).nodes[nodes["fails"]].retry == FAILURES


def test_nobody_else_retries_a_node_that_sops_is_going_to_retry(flow: Flow) -> None:
    sops_task_id = flow.hook.create_task(flow.template_id, "retried").task_id
    flow.hook.start_task(sops_task_id)
    failed = wait_for_node(flow.hook, sops_task_id, "fails", "FAILED")
    mirror = begin_mirror(flow, sops_task_id, try_number=2)
    earlier = EarlierTasks(flow.hook, logging.getLogger(__name__))

    assert earlier.retry_failed_nodes(StartedTask(sops_task_id, failed)) == ()
    assert mirror.policy.overcome == ()

    flow.hook.operate_task(sops_task_id, "revoke")
