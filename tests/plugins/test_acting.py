"""Acting in SOPS from the tab: done as asked, written down with the person's name, and only where it is possible."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.models import TaskState
from tests.plugins.test_application import node_named, view_of, wait_for_look
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.plugins.conftest import As, StartedTask

    Start = Callable[..., StartedTask]

pytestmark = pytest.mark.integration


def audit_of(started: StartedTask) -> list[tuple[str, str, dict[str, Any]]]:
    """Return event, person and details of the run's lines in Airflow's audit log."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(
            select(Log).where(Log.dag_id == started.dag_id, Log.event.like("sops_%")).order_by(Log.id)
        )
        return [(row.event, str(row.owner), json.loads(str(row.extra))) for row in rows]


@pytest.fixture
def failed(started: Start) -> StartedTask:
    return started("fail", until=TaskState.FAILED)


@pytest.fixture
def paused(started: Start) -> StartedTask:
    return started("pause", until=TaskState.RUNNING)


class TestDoing:
    def test_skips_a_failed_node_and_writes_down_who_did(
        self, as_role: As, failed: StartedTask, hook: SopsHook
    ) -> None:
        (node,) = [row for row in view_of(as_role, failed)["nodes"] if row["look"] == "FAILED"]
        answer = as_role("user").post(failed.path("act"), json=failed.order("skip", node_id=node["id"]))

        assert answer.json() == {"refusal": None}
        assert hook.get_task_status(failed.sops_task_id, fresh=True).state != TaskState.FAILED
        ((event, person, about),) = audit_of(failed)
        assert (event, person) == ("sops_skip", "user-person")
        assert (about["outcome"], about["sops_task_id"], about["node"]) == ("done", failed.sops_task_id, node["name"])

    def test_retries_with_new_inputs_whose_values_are_not_written_down(
        self, as_role: As, failed: StartedTask, hook: SopsHook
    ) -> None:
        (node,) = [row for row in view_of(as_role, failed)["nodes"] if row["look"] == "FAILED"]
        inputs = {"bk_http_request_url": "a secret of mine"}
        order = failed.order("retry", node_id=node["id"], inputs=inputs)
        answer = as_role("op").post(failed.path("act"), json=order)

        assert answer.json() == {"refusal": None}
        row = hook.get_task_status(failed.sops_task_id, fresh=True).nodes[node["id"]]
        assert row.retry == 1
        ((_, _, about),) = audit_of(failed)
        assert about["inputs"] == ["bk_http_request_url"]
        assert "a secret of mine" not in json.dumps(about)

    @pytest.mark.parametrize(("approve", "look"), [(True, "FINISHED"), (False, "FAILED")])
    def test_answers_an_approval(self, as_role: As, started: Start, approve: bool, look: str) -> None:
        approval = started("approval", until=TaskState.RUNNING)
        wait_for_look(as_role, approval, "approve", "WAITING")
        node = node_named(view_of(as_role, approval), "approve")
        order = approval.order("answer", node_id=node["id"], approve=approve)
        answer = as_role("user").post(approval.path("answer"), json=order)

        assert answer.json() == {"refusal": None}
        wait_for_look(as_role, approval, "approve", look)
        ((event, person, about),) = audit_of(approval)
        assert (event, person, about["approve"]) == ("sops_answer", "user-person", approve)

    def test_pauses_resumes_and_revokes(self, as_role: As, started: Start, hook: SopsHook) -> None:
        long = started("long", until=TaskState.RUNNING, constants={"${seconds}": 60})
        client = as_role("admin")
        for action, state in (("pause", "SUSPENDED"), ("resume", "RUNNING"), ("revoke", "REVOKED")):
            view_of(as_role, long)
            answer = client.post(long.path("act"), json=long.order(action))
            assert answer.json() == {"refusal": None}, action
            wait_for_state(hook, long.sops_task_id, state)

    def test_the_next_look_shows_what_was_done(self, as_role: As, paused: StartedTask) -> None:
        view_of(as_role, paused)
        as_role("user").post(paused.path("act"), json=paused.order("revoke"))

        assert view_of(as_role, paused)["state"] == "REVOKED"

    def test_what_sops_refuses_is_told_and_written_down(self, as_role: As, paused: StartedTask, hook: SopsHook) -> None:
        view_of(as_role, paused)
        hook.operate_task(paused.sops_task_id, "revoke")
        # The tab does not know that yet.
        answer = as_role("user").post(paused.path("act"), json=paused.order("pause"))

        assert "operate_task" in answer.json()["refusal"]
        ((_, _, about),) = audit_of(paused)
        assert about["outcome"] == "refused"
        assert "operate_task" in about["reason"]


class TestRefusing:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Content-Type": "text/plain"}, 415),
            ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "http://airflow.example"}, 200),
            ({"Origin": "http://airflow.example"}, 200),
        ],
    )
    def test_what_another_website_lets_a_browser_send(
        self, as_role: As, paused: StartedTask, headers: dict[str, str], status: int
    ) -> None:
        body = json.dumps(paused.order("pause"))
        answer = as_role("admin").post(
            paused.path("act"), content=body, headers={"Content-Type": "application/json", **headers}
        )

        assert answer.status_code == status

    def test_everything_where_the_installation_says_so(
        self, as_role: As, paused: StartedTask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__SOPS__UI_ACTIONS", "False")
        answer = as_role("admin").post(paused.path("act"), json=paused.order("revoke"))

        assert answer.status_code == 403
        assert "ui_actions" in answer.json()["detail"]
        assert view_of(as_role, paused, "admin")["may_act"] is False
        assert audit_of(paused) == []

    @pytest.mark.parametrize(
        ("order", "status"),
        [
            ({"action": "forced_fail"}, 422),
            ({"action": "resume"}, 409),
            ({"action": "skip", "node_id": "no-such-node"}, 404),
            ({"action": "pause", "inputs": {}}, 422),
            ({"action": "pause", "sops_task_id": 1}, 422),
            ({"action": "pause", "task_id": "other"}, 404),
            ({"action": "answer", "node_id": "n0", "approve": True}, 400),
        ],
    )
    def test_what_is_not_possible(self, as_role: As, paused: StartedTask, order: dict[str, Any], status: int) -> None:
        answer = as_role("admin").post(paused.path("act"), json={**paused.place, **order})

        assert answer.status_code == status
        assert audit_of(paused) == []

    def test_an_approval_without_an_answer(self, as_role: As, paused: StartedTask) -> None:
        order = paused.order("answer", node_id="n0")

        assert as_role("admin").post(paused.path("answer"), json=order).status_code == 422
