"""Only SOPS tasks that the task instance has made are joined, started and revoked; the key in a name proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops import SopsCreateTaskOperator
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.task_key import TaskKey
from tests.plain_task_instance import PlainTaskInstance
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.operators.sops import SopsRunTaskOperator
    from demo.local_sops import LocalSops

    MakeOperator = Callable[..., SopsRunTaskOperator]

pytestmark = pytest.mark.integration

DOUBT = "this task may not have made it"


@pytest.fixture
def eve(local_sops: LocalSops, sops_default: LocalSops, monkeypatch: pytest.MonkeyPatch) -> SopsHook:
    """Somebody else who may create tasks in the business."""
    monkeypatch.setenv("AIRFLOW_CONN_EVE", local_sops.connection_json(bk_username="eve"))
    return SopsHook("eve")


def keyed(ti: PlainTaskInstance) -> str:
    key = TaskKey.of(
        dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index, max_tries=ti.max_tries
    )
    return key.add_to("deploy")


def forge(hook: SopsHook, ti: PlainTaskInstance, template_id: int, **constants: Any) -> int:
    """Create and start a task under the name that a task instance's own would have."""
    task_id = hook.create_task(template_id, keyed(ti), constants={f"${{{key}}}": v for key, v in constants.items()})
    hook.start_task(task_id.task_id)
    return task_id.task_id


class TestForgery:
    def test_another_template_of_another_user_is_named_and_left_alone(
        self,
        eve: SopsHook,
        templates: dict[str, int],
        run_operator: MakeOperator,
        logged: Callable[[], str],
    ) -> None:
        ti = PlainTaskInstance()
        forged = forge(eve, ti, templates["pause"])
        wait_for_state(eve, forged, TaskState.RUNNING)

        outputs = run_operator("linear", constants={"${who}": "Ann", "${seconds}": 0}).execute(ti.context)

        assert outputs is not None
        assert outputs["who"] == "Ann"
        assert ti.xcoms["sops_task_id"] != forged
        assert eve.get_task_status(forged, fresh=True).state == TaskState.RUNNING
        assert f"SOPS task {forged} (" in (shown := logged())
        assert 'creator "eve"' in shown

    def test_a_clear_does_not_revoke_it(
        self, eve: SopsHook, templates: dict[str, int], run_operator: MakeOperator
    ) -> None:
        ti = PlainTaskInstance()
        forged = forge(eve, ti, templates["pause"])
        wait_for_state(eve, forged, TaskState.RUNNING)
        run_operator("quick", on_clear="new").execute(ti.cleared().context)
        assert eve.get_task_status(forged, fresh=True).state == TaskState.RUNNING

    def test_another_template_of_our_own_user_is_not_joined_by_a_first_try(
        self, hook: SopsHook, templates: dict[str, int], run_operator: MakeOperator
    ) -> None:
        ti = PlainTaskInstance()
        forged = forge(hook, ti, templates["quick"])
        run_operator("linear", constants={"${who}": "Ann", "${seconds}": 0}).execute(ti.context)
        assert ti.xcoms["sops_task_id"] != forged


class TestDoubt:
    def test_the_same_template_of_another_user_ends_the_try_before_anything_is_created(
        self, eve: SopsHook, hook: SopsHook, templates: dict[str, int], run_operator: MakeOperator
    ) -> None:
        ti = PlainTaskInstance()
        forged = forge(eve, ti, templates["pause"])
        with pytest.raises(AirflowException, match=rf'SOPS task {forged} .*{DOUBT}: its creator is "eve"'):
            run_operator("pause").execute(ti.context)
        assert [task.id for task in hook.get_task_list(keyword=keyed(ti))] == [forged]

    def test_so_it_does_for_a_task_that_is_only_created(
        self, eve: SopsHook, hook: SopsHook, templates: dict[str, int], sops_default: LocalSops
    ) -> None:
        ti = PlainTaskInstance()
        eve.create_task(templates["quick"], keyed(ti))
        operator = SopsCreateTaskOperator(task_id="create", template_id=templates["quick"], name="deploy")
        with pytest.raises(AirflowException, match=DOUBT):
            operator.execute(ti.context)
        assert len(hook.get_task_list(keyword=keyed(ti))) == 1

    def test_a_retry_with_another_template_does_not_run_beside_the_first(
        self, hook: SopsHook, run_operator: MakeOperator
    ) -> None:
        ti = PlainTaskInstance()
        run_operator("pause", name="deploy", wait_for_completion=False).execute(ti.context)
        with pytest.raises(AirflowException, match=rf"{DOUBT}: it was made from project template"):
            run_operator("quick", name="deploy").execute(ti.retried().context)
        assert len(hook.get_task_list(keyword=keyed(ti))) == 1

    @pytest.mark.parametrize("ends", ["revoked", "revoked and cleared"])
    def test_it_goes_on_once_a_person_has_revoked_the_task(
        self, eve: SopsHook, templates: dict[str, int], run_operator: MakeOperator, ends: str
    ) -> None:
        ti = PlainTaskInstance()
        forged = forge(eve, ti, templates["pause"])
        wait_for_state(eve, forged, TaskState.RUNNING)
        eve.operate_task(forged, "revoke")
        again = ti.retried() if ends == "revoked" else ti.cleared()
        run_operator("pause", wait_for_completion=False).execute(again.context)
        assert again.xcoms["sops_task_id"] != forged

    def test_a_clear_waits_for_a_person_where_an_earlier_one_may_still_run(
        self, eve: SopsHook, templates: dict[str, int], run_operator: MakeOperator
    ) -> None:
        ti = PlainTaskInstance()
        forged = forge(eve, ti, templates["pause"])
        wait_for_state(eve, forged, TaskState.RUNNING)
        with pytest.raises(AirflowException, match=rf"from before it was cleared, but {DOUBT}"):
            run_operator("pause").execute(ti.cleared().context)
        assert eve.get_task_status(forged, fresh=True).state == TaskState.RUNNING

    def test_one_that_is_over_is_nothing_to_a_clear(
        self, eve: SopsHook, templates: dict[str, int], run_operator: MakeOperator
    ) -> None:
        ti = PlainTaskInstance()
        forged = forge(eve, ti, templates["quick"])
        wait_for_state(eve, forged, TaskState.FINISHED)
        cleared = ti.cleared()
        run_operator("quick").execute(cleared.context)
        assert cleared.xcoms["sops_task_id"] != forged


class _Store(dict[str, Any]):
    """Airflow's state store of a task instance."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self[key] = value


class TestChangedUser:
    def test_a_retry_joins_what_airflow_remembers(self, eve: SopsHook, run_operator: MakeOperator) -> None:
        ti = PlainTaskInstance(task_state_store=_Store())
        run_operator("pause", wait_for_completion=False, sops_conn_id="eve").execute(ti.context)
        again = ti.retried()
        run_operator("pause", wait_for_completion=False).execute(again.context)
        assert again.xcoms["sops_task_id"] == ti.xcoms["sops_task_id"]

    def test_without_that_it_says_what_to_check_and_joins_once_the_user_is_the_old_one(
        self, eve: SopsHook, run_operator: MakeOperator
    ) -> None:
        ti = PlainTaskInstance()
        run_operator("pause", wait_for_completion=False, sops_conn_id="eve").execute(ti.context)
        with pytest.raises(AirflowException) as raised:
            run_operator("pause").execute(ti.retried().context)
        assert "give the connection that user" in str(raised.value.__context__)
        again = ti.retried()
        run_operator("pause", wait_for_completion=False, sops_conn_id="eve").execute(again.context)
        assert again.xcoms["sops_task_id"] == ti.xcoms["sops_task_id"]

    def test_a_user_whom_the_gateway_calls_otherwise_is_known_by_the_task_just_created(
        self, eve: SopsHook, run_operator: MakeOperator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SopsHook, "user", "another name")
        ti = PlainTaskInstance()
        run_operator("quick").execute(ti.context)
        assert ti.xcoms["sops_task_state"] == "FINISHED"


@pytest.mark.parametrize("source", ["business", "common"])
def test_a_retry_finds_its_task_of_either_kind_of_template(
    hook: SopsHook, templates: dict[str, int], source: Literal["business", "common"]
) -> None:
    common = hook.get_common_template_list()[0].id
    ti = PlainTaskInstance()
    operator = SopsCreateTaskOperator(
        task_id="create",
        template_id=str(common if source == "common" else templates["quick"]),
        name="deploy",
        template_source=source,
        check_constants=False,
    )
    assert operator.execute(ti.context) == operator.execute(ti.retried().context)
