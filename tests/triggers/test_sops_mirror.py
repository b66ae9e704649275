"""SopsNodeMirrorTrigger: the whole life of a node's task in the triggerer of Airflow 3.3."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airflow_provider_sops.polling.task_reader import TaskReader
from airflow_provider_sops.sops.errors import SopsGatewayError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.task_instance.mirrored_node import FlowTask, MirroredNode
from airflow_provider_sops.task_instance.xcom import INDEPENDENT_XCOM_KEY, NODE_PATHS_XCOM_KEY, NODE_XCOM_KEY
from airflow_provider_sops.triggers.sops import SopsNodeTrigger
from airflow_provider_sops.triggers.sops_mirror import BEGIN_EVENT, SopsNodeMirrorTrigger
from airflow_provider_sops.waiting import patience
from tests.password_flow import PasswordFlow, echo_service
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = pytest.mark.integration


@dataclass
class Flow:
    """A SOPS task, as the ``start`` task of an Airflow run would have left it, and the mirrors' XComs."""

    hook: SopsHook
    sops_task_id: int
    tree: PipelineTree
    run_id: str = field(default_factory=lambda: PlainTaskInstance().run_id)
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    refused_key: str = ""

    def push_start(self) -> None:
        """Push what ``start`` pushes."""
        detail = self.hook.get_task_detail(self.sops_task_id)
        task = FlowTask.of(
            self.sops_task_id, detail.task_url, self.tree.map_to_task(PipelineTree(detail.pipeline_tree))
        )
        self.xcoms |= {
            ("start", "sops_task_id"): task.sops_task_id,
            ("start", "sops_task_url"): task.task_url,
            ("start", NODE_PATHS_XCOM_KEY): task.paths,
            ("start", INDEPENDENT_XCOM_KEY): task.independent,
        }

    def key(self, name: str) -> tuple[str, ...]:
        """Return the key of the node of a name."""
        return next(key for key, node in self.tree.nodes.items() if node.name == name)

    async def fire(
        self, name: str, *, try_number: int = 1, node_details: str | None = "all", **arguments: Any
    ) -> TriggerEvent:
        """Run the trigger of a node's task."""
        node = self.tree.nodes[self.key(name)]
        mirrored = MirroredNode(
            key=node.key,
            never_after=tuple(self.tree.certainty.never_runs(node.key)),
            has_data=isinstance(node, Activity),
            plugin=node.plugin if isinstance(node, Activity) else "",
            **arguments,
        )
        made = SopsNodeMirrorTrigger(
            sops_conn_id="sops_default",
            start_task_id="start",
            node=mirrored,
            poll_interval_seconds=0.2,
            node_details=node_details,
        )
        # Airflow creates it again from its JSON form.
        trigger = SopsNodeMirrorTrigger(**json.loads(json.dumps(made.serialize()[1])))
        ti: Any = PlainTaskInstance(task_id=name, run_id=self.run_id, try_number=try_number)
        trigger._task_instance = ti
        return await anext(aiter(trigger.run()))

    async def aget_one(self, *, key: str, task_id: str, **_place: Any) -> Any:
        """Read an XCom, as Airflow would."""
        self.reads.append(key)
        return self.xcoms.get((task_id, key))

    async def aset(self, key: str, value: Any, *, task_id: str, **_place: Any) -> None:
        """Store an XCom, as Airflow would."""
        if key == self.refused_key:
            raise ConnectionError("the API server does not answer")
        self.xcoms[(task_id, key)] = json.loads(json.dumps(value))


@contextlib.contextmanager
def in_flow(hook: SopsHook, template_id: int, constants: dict[str, str] | None = None) -> Iterator[Flow]:
    """Start a SOPS task, and answer for Airflow's XComs."""
    tree = PipelineTree.from_dict(hook.get_template_info(template_id, unfold_subprocess=True).raw)
    made = Flow(hook, hook.create_task(template_id, "mirrored", constants=constants).task_id, tree)
    made.push_start()
    hook.start_task(made.sops_task_id)
    with (
        mock.patch.object(XCom, "aget_one", autospec=True, side_effect=made.aget_one),
        mock.patch.object(XCom, "aset", autospec=True, side_effect=made.aset),
    ):
        yield made


@pytest.fixture
def flow(request: pytest.FixtureRequest, hook: SopsHook, templates: dict[str, int]) -> Iterator[Flow]:
    with in_flow(hook, templates[request.param]) as made:
        yield made


def of(template: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("flow", [template], indirect=True)


@of("linear")
async def test_a_node_that_ran_well_ends_its_task_with_outputs_state_and_link(flow: Flow) -> None:
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity))
    event = await flow.fire(name)
    assert isinstance(event, TaskSuccessEvent)
    assert flow.xcoms[(name, "return_value")]["_result"] is True
    assert flow.xcoms[(name, NODE_XCOM_KEY)]["state"] == "FINISHED"
    assert flow.xcoms[(name, NODE_XCOM_KEY)]["sops_task_id"] == flow.sops_task_id
    assert flow.xcoms[(name, "_link_SopsTaskLink")] == flow.xcoms[("start", "sops_task_url")]


@of("linear")
async def test_by_default_a_node_that_ran_well_is_not_read(
    flow: Flow, logged: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="airflow_provider_sops")
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity))
    assert isinstance(await flow.fire(name, node_details=None), TaskSuccessEvent)
    assert (name, "return_value") not in flow.xcoms
    assert flow.xcoms[(name, NODE_XCOM_KEY)]["state"] == "FINISHED"
    assert 'were not read (node_details="failed")' in logged()
    assert "/get_task_node_detail/" not in caplog.text


@of("exclusive")
async def test_a_node_that_the_flow_passed_by_is_skipped(flow: Flow) -> None:
    assert isinstance(await flow.fire("deploy to production"), TaskSkippedEvent)
    assert isinstance(await flow.fire("deploy to test"), TaskSuccessEvent)


@of("optional")
async def test_a_node_that_was_excluded_is_skipped(flow: Flow) -> None:
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity) and node.optional)
    del flow.xcoms[("start", NODE_PATHS_XCOM_KEY)]["/".join(flow.key(name))]
    assert isinstance(await flow.fire(name), TaskSkippedEvent)


@of("fail")
async def test_a_failure_goes_to_a_worker_with_all_that_is_known(flow: Flow) -> None:
    event = await flow.fire("fails")
    assert type(event) is TriggerEvent
    assert event.payload["outcome"] == "failed"
    assert event.payload["error"]
    assert SopsNodeTrigger.from_event(event.payload).sops_task_id == flow.sops_task_id


@of("linear")
async def test_a_later_try_begins_on_a_worker(flow: Flow) -> None:
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity))
    assert (await flow.fire(name, try_number=2)).payload == BEGIN_EVENT


@of("independent")
async def test_so_does_a_node_in_an_independent_subprocess(flow: Flow) -> None:
    assert (await flow.fire("leaf says")).payload == BEGIN_EVENT


@of("linear")
async def test_so_does_one_whose_start_task_has_pushed_nothing(flow: Flow) -> None:
    flow.xcoms.clear()
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity))
    assert (await flow.fire(name)).payload == BEGIN_EVENT


@of("linear")
async def test_so_does_one_whose_start_task_has_pushed_something_else(flow: Flow) -> None:
    flow.xcoms[("start", NODE_PATHS_XCOM_KEY)] = [flow.xcoms[("start", NODE_PATHS_XCOM_KEY)]]
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity))
    assert (await flow.fire(name)).payload == BEGIN_EVENT


@of("linear")
async def test_a_worker_takes_over_where_the_end_cannot_be_written(flow: Flow) -> None:
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity))
    flow.refused_key = NODE_XCOM_KEY
    event = await flow.fire(name)
    assert type(event) is TriggerEvent
    assert event.payload["outcome"] == "finished"


@pytest.mark.parametrize("end", ["echo", "fail"])
async def test_a_password_is_in_no_log_no_xcom_and_no_event(
    hook: SopsHook, templates: dict[str, int], logged: Callable[[], str], end: str
) -> None:
    with echo_service() as address:
        password_flow = PasswordFlow.read(hook, templates, address)
        with in_flow(hook, password_flow.template_id, password_flow.constants(end)) as flow:
            nodes = [node.name for node in flow.tree.nodes.values() if isinstance(node, Activity)]
            events = {name: await flow.fire(name, has_secrets=True) for name in nodes}

    lines = logged()
    shown = [value for (task, _), value in flow.xcoms.items() if task != "start"]
    password_flow.check_hidden(lines, shown, [getattr(event, "payload", "") for event in events.values()])
    assert flow.xcoms[("log in", "return_value")]["_result"] is True
    assert "Bearer ***" in str(flow.xcoms[("log in", "return_value")])
    assert "SOPS: input \"bk_display_message\" = '***'" in lines
    assert ("请求失败" in str(events["end"].payload)) is (end == "fail")


@of("linear")
async def test_an_outage_while_the_report_is_read_costs_no_outputs(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str]
) -> None:
    monkeypatch.setattr(patience, "_FIRST_PAUSE_SECONDS", 0.01)
    node_data, failures = TaskReader.node_data, [SopsGatewayError("a page", http_status=200)] * 6

    async def after_an_outage(reader: TaskReader, *arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await node_data(reader, *arguments)

    monkeypatch.setattr(TaskReader, "node_data", after_an_outage)
    name = next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity))
    assert isinstance(await flow.fire(name), TaskSuccessEvent)
    assert (name, "return_value") in flow.xcoms
    assert "SOPS answers again after" in logged()


@of("quick")
async def test_of_a_flow_without_passwords_nothing_is_asked(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="airflow_provider_sops")
    await flow.fire(next(node.name for node in flow.tree.nodes.values() if isinstance(node, Activity)))
    assert "/get_task_node_detail/" in caplog.text
    assert not [line for line in caplog.text.splitlines() if "/get_task_detail/" in line and "sops_async" in line]


@of("parallel")
async def test_what_the_start_task_pushed_is_read_once_for_all_mirrors_of_a_run(flow: Flow) -> None:
    for name in ("compile", "test"):
        await flow.fire(name)
    assert flow.reads.count(NODE_PATHS_XCOM_KEY) == 1
    # A clear of the start task makes another SOPS task, of which nothing is known yet.
    assert flow.reads.count("sops_task_id") == 2
