"""SopsTaskNotifier: one SOPS task for each thing to tell, and never a failure of its own."""

from __future__ import annotations

import asyncio
import logging
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, BaseOperator

from airflow_provider_sops.notifications.sops import SopsTaskNotifier
from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS
from tests.dag_run import run_dag
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from demo.local_sops import LocalSops

pytestmark = pytest.mark.integration


class Fails(BaseOperator):
    """A task that fails.

    :param what: something to map over.
    """

    def __init__(self, *, what: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.what = what

    def execute(self, context: Any) -> None:
        """Fail."""
        raise ValueError("the disk is full")


@pytest.fixture
def word() -> str:
    """A word that finds the notifications of this test."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def make(templates: dict[str, int], word: str) -> Callable[..., SopsTaskNotifier]:
    """Make a notifier whose tasks can be found."""

    def make(**arguments: Any) -> SopsTaskNotifier:
        defaults: dict[str, Any] = {
            "template_id": templates["notify"],
            "name": f"{{{{ ti.task_id }}}} {word}",
            "constants": {"${text}": "{{ ti.task_id }}: {{ exception | default('unknown') }}"},
        }
        return SopsTaskNotifier(**{**defaults, **arguments})

    return make


@pytest.fixture(autouse=True)
def _plain_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the notifier write to a log that ``caplog`` sees; that of Airflow 3 is another."""
    monkeypatch.setattr(SopsTaskNotifier, "log", logging.getLogger("tests.notifier"))


@pytest.fixture
def told(hook: SopsHook, word: str) -> Callable[[], list[str]]:
    """Return the texts of the notifications of this test, oldest first; all have run to their end."""

    def told() -> list[str]:
        texts = []
        for item in reversed(hook.get_task_list(keyword=word, limit=200)):
            wait_for_state(hook, item.id, TaskState.FINISHED)
            texts.append(hook.get_task_detail(item.id, fresh=True).constants["${text}"]["value"])
        return texts

    return told


def context_of(ti: PlainTaskInstance, *, state: str | None = "failed", **more: Any) -> Any:
    """Return a callback's context; without a state it is that of the DAG processor of Airflow 3."""
    known: Any = SimpleNamespace(**vars(ti), state=state, xcom_push=ti.xcom_push)
    with DAG(dag_id=ti.dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        return {"dag": dag, "ti": known, "task_instance": known, "run_id": ti.run_id, **more}


def make_dag(name: str, **arguments: Any) -> DAG:
    return DAG(
        dag_id=f"notifier_{name}", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), **arguments
    )


@pytest.mark.usefixtures("airflow_db")
class TestInDagRuns:
    def test_tells_about_a_failed_task(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]
    ) -> None:
        with make_dag("failure") as dag:
            Fails(task_id="load", on_failure_callback=make())
        assert run_dag(dag).state_of("load") == "failed"
        assert told() == ["load: the disk is full"]

    def test_one_notifier_serves_all_tasks_of_a_dag(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]
    ) -> None:
        with make_dag("many", default_args={"on_failure_callback": make()}) as dag:
            for task_id in ("one", "two"):
                Fails(task_id=task_id)
        run_dag(dag)
        assert sorted(told()) == ["one: the disk is full", "two: the disk is full"]

    def test_each_instance_of_a_mapped_task_is_told_about(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]
    ) -> None:
        notifier = make(constants={"${text}": "{{ ti.map_index }}"})
        with make_dag("mapped") as dag:
            Fails.partial(task_id="load", on_failure_callback=notifier).expand(what=["a", "b"])
        run_dag(dag)
        assert sorted(told()) == ["0", "1"]

    def test_tells_about_success(self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]) -> None:
        with make_dag("success") as dag:
            SopsRunTaskOperator(
                task_id="run",
                template_id=18,
                poll_interval_seconds=0.2,
                deferrable=False,
                on_success_callback=make(constants={"${text}": "well done"}),
            )
        assert run_dag(dag).state == "success"
        assert told() == ["well done"]

    def test_a_notifier_that_does_not_work_leaves_the_task_its_own_error(
        self, make: Callable[..., SopsTaskNotifier], caplog: pytest.LogCaptureFixture
    ) -> None:
        with make_dag("broken") as dag:
            Fails(task_id="load", on_failure_callback=make(template_id=999999, constants=None))
        assert run_dag(dag).state_of("load") == "failed"
        assert "Notification about DAG notifier_broken" in caplog.text


def test_a_callback_that_comes_twice_tells_once(
    make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]
) -> None:
    """The second one comes from the DAG processor: no state, no exception."""
    ti = PlainTaskInstance(task_id="load")
    make()(context_of(ti, exception=ValueError("the disk is full")))
    make()(context_of(ti, state=None))
    assert told() == ["load: the disk is full"]


@pytest.mark.parametrize("state", ["failed", "up_for_retry", None])
def test_a_callback_that_comes_twice_tells_once_if_the_first_one_broke_off(
    make: Callable[..., SopsTaskNotifier],
    told: Callable[[], list[str]],
    hook: SopsHook,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
) -> None:
    """A task that was created and not started is the one that is started."""
    ti = PlainTaskInstance(task_id="load")
    with monkeypatch.context() as patched:
        patched.setattr("airflow_provider_sops.notifications.sops.start_task", lambda *_: None)
        make()(context_of(ti, state=state))
    (created,) = hook.get_task_list(keyword=word)
    assert not created.is_started
    make()(context_of(ti, state=None))
    assert told() == ["load: unknown"]


def test_a_task_with_its_key_that_another_user_has_made_does_not_keep_a_notification_back(
    make: Callable[..., SopsTaskNotifier],
    told: Callable[[], list[str]],
    local_sops: LocalSops,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ti = PlainTaskInstance(task_id="load")
    with monkeypatch.context() as patched:
        patched.setenv("AIRFLOW_CONN_SOPS_DEFAULT", local_sops.connection_json(bk_username="eve"))
        make()(context_of(ti))
    for _ in range(2):
        make()(context_of(ti))
    assert len(told()) == 2
    assert 'creator "eve"' in caplog.text


def test_every_try_is_told_about(make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]) -> None:
    ti = PlainTaskInstance(task_id="load")
    make()(context_of(ti, state="up_for_retry"))
    make()(context_of(ti.retried()))
    assert len(told()) == 2


def test_the_end_is_told_beside_the_start(make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]) -> None:
    ti = PlainTaskInstance(task_id="load")
    for state in ("running", "success"):
        make(constants={"${text}": "{{ ti.state }}"})(context_of(ti, state=state))
    assert told() == ["running", "success"]


def test_each_failure_of_a_node_is_told_once(
    make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]
) -> None:
    """A second failure of the same node has the same text, but another mark."""
    ti = PlainTaskInstance(task_id="load")
    for marks in (("n1:FAILED:1:0",), ("n1:FAILED:1:0",), ("n1:FAILED:1:1",)):
        make()(context_of(ti, state="running", exception="node failed", sops_failure_marks=marks))
    make()(context_of(ti, exception="the end", sops_failure_marks=("n1:FAILED:1:1",)))
    assert told() == ["load: node failed", "load: node failed", "load: the end"]


def test_people_are_called_to_a_failed_node_while_the_flow_waits_for_them(
    make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], templates: dict[str, int]
) -> None:
    operator = SopsRunTaskOperator(
        task_id="load",
        template_id=templates["fail"],
        on_failed="wait",
        on_node_failed=make(constants={"${text}": "{{ exception.failed_nodes | join }}"}),
        poll_interval_seconds=0.2,
        timeout_seconds=6,
        deferrable=False,
    )
    with pytest.raises(AirflowException):
        operator.execute(context_of(PlainTaskInstance(task_id="load"), state="running"))
    assert told() == ['"fails"']


def test_notifiers_that_are_written_differently_tell_each(
    make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]]
) -> None:
    context = context_of(PlainTaskInstance(task_id="load"))
    for text in ("to the team", "to the boss"):
        make(constants={"${text}": text})(context)
    assert told() == ["to the team", "to the boss"]


def test_the_run_operators_own_task_is_not_taken_for_a_notification(
    make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], hook: SopsHook, word: str
) -> None:
    ti = PlainTaskInstance(task_id="load", max_tries=1, try_number=1)
    make()(context_of(ti))
    (item,) = hook.get_task_list(keyword=word)
    key = TaskKey.in_name(item.name)
    own = TaskKey.of(dag_id=ti.dag_id, run_id=ti.run_id, task_id="load", map_index=-1, max_tries=1)
    assert key is not None
    assert key.digest != own.digest


class TestAboutDagRuns:
    @pytest.mark.parametrize("has_ti", [True, False])
    def test_one_dag_run_is_told_about_once_whatever_task_instance_airflow_names(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], word: str, has_ti: bool
    ) -> None:
        notifier = make(name=f"{{{{ dag.dag_id }}}} {word}", constants={"${text}": "{{ reason }}"})
        for task_id in ("one", "two"):
            context = context_of(PlainTaskInstance(task_id=task_id, run_id=word), reason="task_failure")
            notifier(context if has_ti else {name: context[name] for name in ("dag", "run_id", "reason")})
        assert told() == ["task_failure"]

    def test_a_run_that_was_cleared_and_failed_again_is_told_about_again(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], word: str
    ) -> None:
        notifier = make(name=word, constants={"${text}": "{{ dag_run.clear_number }}"})
        for cleared in (0, 1):
            run = SimpleNamespace(clear_number=cleared)
            notifier(context_of(PlainTaskInstance(run_id=word), reason="task_failure", dag_run=run))
        assert told() == ["0", "1"]

    def test_the_default_name_is_that_of_the_dag(self, templates: dict[str, int], hook: SopsHook, word: str) -> None:
        context = context_of(PlainTaskInstance(dag_id=word), reason="task_failure")
        SopsTaskNotifier(template_id=templates["quick"])(context)
        (item,) = hook.get_task_list(keyword=word)
        assert item.name.startswith(f"{word} #")


def test_a_long_name_is_cut(make: Callable[..., SopsTaskNotifier], hook: SopsHook, word: str) -> None:
    make(name=word + "x" * 200)(context_of(PlainTaskInstance()))
    (item,) = hook.get_task_list(keyword=word)
    assert "x… #" in item.name


class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"template_id": 999999, "constants": None}, "create_task"),
            ({"name": "{{ 1 / 0 }}"}, "division by zero"),
            ({"constants": "{{ ti.task_id }}"}, "constants must be a dict"),
            ({"sops_conn_id": "missing_connection"}, "missing_connection"),
        ],
    )
    def test_is_logged_with_ids_and_raised_nowhere(
        self,
        make: Callable[..., SopsTaskNotifier],
        caplog: pytest.LogCaptureFixture,
        arguments: dict[str, Any],
        reason: str,
    ) -> None:
        ti = PlainTaskInstance(dag_id="nightly", task_id="load", run_id="manual__1", map_index=3, try_number=2)
        with caplog.at_level(logging.ERROR):
            make(**arguments)(context_of(ti))
        assert "DAG nightly, run manual__1, task load [3], try 2" in caplog.text
        assert reason in caplog.text

    def test_constants_that_the_template_lacks_are_warned_about(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
    ) -> None:
        make(constants={"${text}": "x", "${txet}": "y"})(context_of(PlainTaskInstance()))
        assert told() == ["x"]
        assert "has no constants '${txet}'" in caplog.text

    def test_a_context_without_a_dag_run_is_refused(
        self, make: Callable[..., SopsTaskNotifier], caplog: pytest.LogCaptureFixture, hook: SopsHook, word: str
    ) -> None:
        make(name=word, constants=None)({"dag": None, "deadline": {}})
        assert "has no DAG run" in caplog.text
        assert hook.get_task_list(keyword=word) == []


#: What Airflow gives to the callback of a missed deadline.
DEADLINE: Any = {
    "dag_run": {"dag_id": "late", "dag_run_id": "manual__1"},
    "deadline": {"id": "7c1d", "deadline_time": "2026-01-01T00:00:00Z"},
}
DEADLINE_TEXT = {"${text}": "{{ dag.dag_id }} {{ run_id }} {{ dag_run.dag_id }} {{ reason }}"}


class TestMissedDeadline:
    def test_it_notifies_in_the_triggerer_and_once(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], word: str
    ) -> None:
        async def miss(**deadline: str) -> None:
            context = {**DEADLINE, "deadline": {**DEADLINE["deadline"], **deadline}}
            await make(constants=DEADLINE_TEXT, name=f"late {word}", context=context)

        # Airflow starts the callback again if the triggerer dies meanwhile.
        asyncio.run(miss())
        asyncio.run(miss())
        assert told() == ["late manual__1 late deadline 7c1d missed"]
        asyncio.run(miss(id="8"))
        assert len(told()) == 2

    def test_an_executor_may_run_it_too(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], word: str
    ) -> None:
        make(constants=DEADLINE_TEXT, name=f"late {word}")(DEADLINE)
        assert told() == ["late manual__1 late deadline 7c1d missed"]

    @pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="there are no deadlines before Airflow 3.1")
    def test_airflow_accepts_it_for_a_deadline_and_calls_it_in_a_trigger(
        self, make: Callable[..., SopsTaskNotifier], told: Callable[[], list[str]], word: str
    ) -> None:
        from airflow.sdk.definitions.callback import AsyncCallback
        from airflow.triggers.callback import CallbackTrigger

        arguments = {"template_id": make().template_id, "name": f"late {word}", "constants": DEADLINE_TEXT}
        callback = AsyncCallback(SopsTaskNotifier, kwargs=arguments)

        async def called() -> list[Any]:
            trigger = CallbackTrigger(callback.path, {**callback.kwargs, "context": DEADLINE})
            return [event.payload async for event in trigger.run()]

        events = asyncio.run(called())
        assert events[-1]["state"] == "success"
        assert told() == ["late manual__1 late deadline 7c1d missed"]
