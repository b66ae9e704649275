"""Triggers and events in Airflow's database while the package is upgraded: old ones are understood, new ones accepted.

``serialised_by_0_1_0`` holds what version 0.1.0 of the package has written: each trigger's ``serialize()``, and the
events that its operators and sensors had to understand. The files are never rewritten; another version that changes
the form gets a folder of its own.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.enos.models import FlowInstance, TaskInstance
from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.enos import EnosTriggerFlowOperator
from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sensors.enos import EnosFlowInstanceSensor, EnosTaskInstanceSensor
from airflow_provider_sops.sensors.sops import SopsNodeSensor, SopsTaskSensor
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import NodeDetail, TaskDetail, TaskState
from airflow_provider_sops.sops.node_result import NodeInTask
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.task_instance.mirrored_node import MirroredNode
from airflow_provider_sops.triggers import enos, sops, sops_mirror, waiting_trigger
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FOLDER = Path(__file__).with_name("serialised_by_0_1_0")


def written(name: str) -> Any:
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


TRIGGERS: dict[str, Any] = written("triggers")
CLASSES: dict[str, Any] = {
    "SopsTaskTrigger": sops.SopsTaskTrigger,
    "SopsNodeTrigger": sops.SopsNodeTrigger,
    "SopsNodeMirrorTrigger": sops_mirror.SopsNodeMirrorTrigger,
    "EnosFlowInstanceTrigger": enos.EnosFlowInstanceTrigger,
    "EnosTaskInstanceTrigger": enos.EnosTaskInstanceTrigger,
    **({"SopsTaskFinishedTrigger": sops.SopsTaskFinishedTrigger} if AIRFLOW_V_3_0_PLUS else {}),
}
#: Of these the triggerer is told by a waiting task; the watcher of an asset has no task.
WAITING = [name for name in CLASSES if name != "SopsTaskFinishedTrigger"]
REQUIRED = {
    "SopsTaskTrigger": ("sops_conn_id", "sops_task_id"),
    "SopsNodeTrigger": ("sops_conn_id", "sops_task_id", "node"),
    "SopsNodeMirrorTrigger": ("sops_conn_id", "start_task_id", "node"),
    "EnosFlowInstanceTrigger": ("enos_conn_id", "instance_id"),
    "EnosTaskInstanceTrigger": ("enos_conn_id", "instance_id"),
    "SopsTaskFinishedTrigger": (),
}


def of_next_version(value: Any) -> Any:
    """Add to every JSON object what a later version might write there."""
    if isinstance(value, list):
        return [of_next_version(each) for each in value]
    if not isinstance(value, dict):
        return value
    # Ids of nodes are no fields.
    fields = {name: each if name == "human_nodes" else of_next_version(each) for name, each in value.items()}
    return {**fields, "invented_later": {"by": "0.9"}}


def as_written_today(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return old arguments with what has another name since: which inputs are secret became whether any secret is."""
    node = dict(arguments.get("node") or {})
    if node.pop("secret_inputs", None):
        return {**arguments, "node": {**node, "has_secrets": True}}
    return arguments


@pytest.fixture(autouse=True)
def nothing_told_yet() -> Iterator[None]:
    with mock.patch.object(waiting_trigger, "_warned_about", set()):
        yield


@pytest.mark.parametrize("name", CLASSES)
class TestTrigger:
    def test_is_made_of_its_old_arguments(self, name: str) -> None:
        path, arguments = CLASSES[name](**TRIGGERS[name]["kwargs"]).serialize()
        assert path == TRIGGERS[name]["classpath"]
        assert json.loads(json.dumps(arguments)) == as_written_today(TRIGGERS[name]["kwargs"])

    def test_ignores_arguments_of_the_next_version(self, name: str) -> None:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            trigger = CLASSES[name](**of_next_version(TRIGGERS[name]["kwargs"]))
        assert trigger.serialize()[1] == CLASSES[name](**TRIGGERS[name]["kwargs"]).serialize()[1]

    def test_needs_no_argument_that_may_be_younger_than_it(self, name: str) -> None:
        arguments = {each: TRIGGERS[name]["kwargs"][each] for each in REQUIRED[name]}
        assert CLASSES[name](**arguments).serialize()[1].keys() == TRIGGERS[name]["kwargs"].keys()


@pytest.mark.parametrize("name", WAITING)
class TestUnknownArguments:
    async def tell(self, name: str, log: mock.Mock, **unknown: Any) -> None:
        trigger = CLASSES[name](**TRIGGERS[name]["kwargs"], **unknown)
        trigger._log = trigger._cached_logger = log
        step = "_live" if name == "SopsNodeMirrorTrigger" else "follow"
        with (
            mock.patch.object(CLASSES[name], step, autospec=True, side_effect=InterruptedError),
            pytest.raises(InterruptedError),
        ):
            await anext(aiter(trigger.run()))

    async def test_are_told_in_one_line_once_it_runs(self, name: str) -> None:
        log = mock.Mock()
        await self.tell(name, log, zeal=1, ardour=2)
        (call,) = log.log.call_args_list
        assert call.args[0] == 30
        assert f"{name} of airflow-provider-sops" in call.args[2]
        assert "ardour, zeal" in call.args[2]

    async def test_are_warned_of_once_in_a_process(self, name: str) -> None:
        log = mock.Mock()
        for _ in range(3):
            await self.tell(name, log, zeal=1)
        assert [call.args[0] for call in log.log.call_args_list] == [30, 20, 20]

    async def test_are_not_told_where_there_are_none(self, name: str) -> None:
        log = mock.Mock()
        await self.tell(name, log)
        assert not log.log.called


@pytest.fixture
def sops_hook() -> mock.Mock:
    """SOPS after the end of task 25."""
    hook: mock.Mock = mock.create_autospec(SopsHook, instance=True)
    hook.configure_mock(sops_conn_id="sops_default", bk_biz_id=None, scope=None)
    hook.get_task_detail.return_value = TaskDetail.read(
        {"id": 25, "finish_time": "2026-11-20 18:35:08 +0800", "outputs": [{"key": "${code}", "value": 7}]}
    )
    hook.get_task_node_detail.return_value = NodeDetail.read(
        {"id": "n2", "state": "FINISHED", "outputs": [{"key": "code", "value": 7, "preset": True}]}
    )
    hook.get_task_node_log.return_value = ""
    hook.get_task_status.return_value.state = TaskState.REVOKED
    return hook


@pytest.fixture
def enos_hook() -> mock.Mock:
    """EnOS after the end of the instances."""
    hook: mock.Mock = mock.create_autospec(EnosHook, instance=True)
    hook.get_flow_instance.return_value = FlowInstance.read({"flowInstanceId": "8435-2021020211", "status": 1})
    hook.get_task_instance.return_value = TaskInstance.read({"taskInstanceId": "118979-2021020211", "status": 1})
    hook.get_task_instance_log.return_value = "boom"
    return hook


def complete(operator: Any, hook: mock.Mock, event: dict[str, Any]) -> Any:
    operator.hook = hook
    return operator.execute_complete(PlainTaskInstance().context, event)


_FAILED = (AirflowException, 'node "deploy": exit code 1; node ExclusiveGateway n2')
RUN_ENDS: dict[str, Any] = {
    "finished": {"code": 7},
    "failed": _FAILED,
    "revoked": (AirflowFailException, "was revoked"),
    "expired": (AirflowException, "is EXPIRED"),
    "person needed": (TaskDeferred, None),
    "timed out": (AirflowException, "after the time allowed"),
    "not started": (AirflowException, "still CREATED"),
    "unreachable": (AirflowException, "no usable answer for 120 s"),
    "unknown task": (AirflowFailException, "not known to SOPS"),
}
TASK_SENSOR_ENDS: dict[str, Any] = {
    **RUN_ENDS,
    "failed": (AirflowFailException, _FAILED[1]),
    "expired": (AirflowFailException, "is EXPIRED"),
    "person needed": (AirflowFailException, _FAILED[1]),
    "timed out": (AirflowSensorTimeout, "after the time allowed"),
}
NODE_SENSOR_ENDS: dict[str, Any] = {
    "finished": {"code": 7},
    "skipped": {"code": 7},
    "error ignored": {"code": 7},
    "failed": (AirflowFailException, "exit code 1"),
    "never runs": (AirflowSkipException, "passed this node by"),
    "task over": (AirflowFailException, "the SOPS task is REVOKED"),
    "timed out": (AirflowSensorTimeout, "after the time allowed"),
    "unreachable": (AirflowException, "cannot be followed"),
    "unknown task": (AirflowFailException, "SOPS does not know the task"),
}
MIRROR_ENDS: dict[str, Any] = {
    **NODE_SENSOR_ENDS,
    "failed": (AirflowException, "exit code 1"),
    "timed out": (AirflowException, "after the time allowed"),
    # They begin the task on a worker, which asks for the run's SOPS task first.
    "arrived": (AirflowFailException, "XCom 'sops_task_id' of task 'start' is missing"),
    "begin": (AirflowFailException, "XCom 'sops_task_id' of task 'start' is missing"),
}
ENOS_ENDS: dict[str, Any] = {
    "ended SUCCESS": "1",
    "ended FAIL": (AirflowException, r"ended as FAIL: task \"load\""),
    "ended CANCEL": (AirflowFailException, "was stopped in EnOS"),
    "timed out RUNNING": (AirflowException, "after the time allowed"),
    "unreachable RUNNING": (AirflowException, "cannot be followed"),
    "unreadable": (AirflowFailException, "cannot be read"),
}
ENOS_SENSOR_ENDS = {
    **ENOS_ENDS,
    "ended FAIL": (AirflowFailException, r"ended as FAIL"),
    "timed out RUNNING": (AirflowSensorTimeout, "after the time allowed"),
}


def run_operator() -> SopsRunTaskOperator:
    return SopsRunTaskOperator(task_id="run", template_id=1, on_failed="wait", on_node_failed=lambda _context: None)


def task_sensor() -> SopsTaskSensor:
    return SopsTaskSensor(task_id="wait", sops_task_id=25)


def node_sensor() -> SopsNodeSensor:
    return SopsNodeSensor(task_id="wait", sops_task_id=25, node_id="n2")


def mirror() -> NodeMirrorOperator:
    node = MirroredNode(("t2",), has_data=True)
    return NodeMirrorOperator(task_id="node", start_task_id="start", node=node, node_details="all")


def enos_operator() -> EnosTriggerFlowOperator:
    return EnosTriggerFlowOperator(task_id="run", flow_id=8435)


def enos_flow_sensor() -> EnosFlowInstanceSensor:
    return EnosFlowInstanceSensor(task_id="wait", enos_flow_instance_id="8435-2021020211")


def enos_task_sensor() -> EnosTaskInstanceSensor:
    return EnosTaskInstanceSensor(task_id="wait", enos_task_instance_id="118979-2021020211")


def cases(file: str, make: Callable[[], Any], ends: dict[str, Any]) -> Iterator[Any]:
    for name, end in ends.items():
        yield pytest.param(make, written(file)[name], end, id=f"{make.__name__}-{name}")


SOPS_CASES = [
    *cases("sops_task_events", run_operator, RUN_ENDS),
    *cases("sops_task_events", task_sensor, TASK_SENSOR_ENDS),
    *cases("sops_node_events", node_sensor, NODE_SENSOR_ENDS),
    *cases("sops_node_events", mirror, MIRROR_ENDS),
]
ENOS_CASES = [
    *cases("enos_flow_events", enos_operator, ENOS_ENDS),
    *cases("enos_flow_events", enos_flow_sensor, ENOS_SENSOR_ENDS),
    *cases("enos_task_events", enos_task_sensor, ENOS_SENSOR_ENDS),
]


def assert_ends(operator: Any, hook: mock.Mock, event: dict[str, Any], end: Any) -> None:
    if isinstance(end, tuple):
        expected, words = end
        with pytest.raises(expected, match=words) as raised:
            complete(operator, hook, event)
        assert type(raised.value) is expected
    elif isinstance(end, str):
        assert str(complete(operator, hook, event)["status"]) == end
    else:
        assert complete(operator, hook, event) == end


@pytest.mark.parametrize("by_next_version", [False, True])
class TestEvent:
    @pytest.mark.parametrize(("make", "event", "end"), SOPS_CASES)
    def test_of_sops_is_understood(
        self, sops_hook: mock.Mock, make: Callable[[], Any], event: dict[str, Any], end: Any, by_next_version: bool
    ) -> None:
        assert_ends(make(), sops_hook, of_next_version(event) if by_next_version else event, end)

    @pytest.mark.parametrize(("make", "event", "end"), ENOS_CASES)
    def test_of_enos_is_understood(
        self, enos_hook: mock.Mock, make: Callable[[], Any], event: dict[str, Any], end: Any, by_next_version: bool
    ) -> None:
        assert_ends(make(), enos_hook, of_next_version(event) if by_next_version else event, end)


@pytest.mark.parametrize(
    ("make", "file", "name"),
    [
        (run_operator, "sops_task_events", "failed"),
        (task_sensor, "sops_task_events", "failed"),
        (node_sensor, "sops_node_events", "failed"),
        (mirror, "sops_node_events", "failed"),
        (enos_operator, "enos_flow_events", "ended FAIL"),
        (enos_task_sensor, "enos_task_events", "ended FAIL"),
    ],
)
class TestOutcomeOfTheNextVersion:
    def test_can_be_retried_once_the_workers_are_upgraded(
        self,
        sops_hook: mock.Mock,
        make: Callable[[], Any],
        file: str,
        name: str,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        event = {**written(file)[name], "outcome": "put off"}
        with pytest.raises(AirflowException, match=r"'put off'.*newer one than this worker") as raised:
            complete(make(), sops_hook, event)
        assert not isinstance(raised.value, AirflowFailException)
        assert "Upgrade" in f"{raised.value}{caplog.text}{capsys.readouterr().out}"


class TestJsonForms:
    """What every trigger and event is made of, with the fields that a version may not have had yet."""

    def test_a_policy_of_nothing_is_the_default_one(self) -> None:
        assert WaitPolicy.from_json({}) == WaitPolicy()

    def test_a_node_needs_its_path_alone(self) -> None:
        assert NodeInTask.from_json({"path": ["n1"]}) == NodeInTask(("n1",))

    def test_a_mirrored_node_needs_its_key_alone(self) -> None:
        assert MirroredNode.from_json({"key": ["t1"]}) == MirroredNode(("t1",))

    def test_a_mirrored_node_without_a_key_is_refused(self) -> None:
        with pytest.raises(SopsInvalidParameterError, match="task has no node"):
            MirroredNode.from_json({})
