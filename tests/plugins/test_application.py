"""The tab's routes: who may ask them, what they answer, and that a request cannot choose a SOPS task."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.plugins import live_tasks
from airflow_provider_sops.plugins.run_tasks import RunTask
from airflow_provider_sops.plugins.task_view import _editable
from airflow_provider_sops.service.secrets import HIDDEN
from airflow_provider_sops.sops.errors import SopsConnectionError
from airflow_provider_sops.sops.models import TaskState
from tests.plugins.conftest import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugins.conftest import As, StartedTask

    Start = Callable[..., StartedTask]

pytestmark = pytest.mark.integration

READING = ("page", "tasks", "states", "task", "node", "native")
ACTING = ("act", "answer")
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'


def view_of(as_role: As, started: StartedTask, role: str = "viewer") -> dict[str, Any]:
    answer = as_role(role).get(started.path("task"), params=started.place)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def node_named(view: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [node for node in view["nodes"] if node["name"] == name]
    row: dict[str, Any] = found
    return row


_finished: list[StartedTask] = []


@pytest.fixture
def quick(started: Start) -> StartedTask:
    """A finished flow, which no test may change."""
    if not _finished:
        _finished.append(started("quick", until=TaskState.FINISHED))
    return _finished[0]


class TestPermissions:
    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("route", READING)
    def test_everybody_who_may_see_the_dag_may_look(
        self, as_role: As, quick: StartedTask, route: str, role: str
    ) -> None:
        params = {**quick.place, "node_id": "n0"}
        answer = as_role(role).get(quick.path(route), params=params)

        # There is no such node, and no native flow, but that is not told to just anybody.
        expected = 404 if route in ("node", "native") else 200
        assert answer.status_code == (401 if role == "anonymous" else expected)

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("route", ACTING)
    def test_only_who_may_edit_the_run_may_act(self, as_role: As, quick: StartedTask, route: str, role: str) -> None:
        order = quick.order(
            "pause" if route == "act" else "answer",
            node_id="" if route == "act" else "n0",
            **({} if route == "act" else {"approve": True}),
        )
        answer = as_role(role).post(quick.path(route), json=order)

        # The task is over, so that there is nothing to pause, and no such node to answer.
        expected = 409 if route == "act" else 404
        assert answer.status_code == {"anonymous": 401, "viewer": 403}.get(role, expected)

    @pytest.mark.parametrize("role", ROLES)
    def test_the_files_of_the_page_are_for_people_who_are_logged_in(self, as_role: As, role: str) -> None:
        answer = as_role(role).get("/static/page.js")

        assert answer.status_code == (401 if role == "anonymous" else 200)

    @pytest.mark.parametrize("name", ["page.html", "../application.py", "%2e%2e%2fapplication.py", "nothing.js"])
    def test_nothing_else_is_handed_out_as_a_file(self, as_role: As, name: str) -> None:
        assert as_role("admin").get(f"/static/{name}").status_code == 404

    @pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc"])
    def test_the_application_does_not_describe_itself(self, as_role: As, path: str) -> None:
        assert as_role("admin").get(path).status_code == 404

    @pytest.mark.parametrize(("role", "may_act"), [("viewer", False), ("user", True), ("admin", True)])
    def test_the_page_offers_acting_only_to_who_may(
        self, as_role: As, quick: StartedTask, role: str, may_act: bool
    ) -> None:
        assert view_of(as_role, quick, role)["may_act"] is may_act

    def test_a_dag_that_is_not_the_runs_shows_nothing_of_it(self, as_role: As, quick: StartedTask) -> None:
        assert as_role("admin").get("/dags/another/task", params=quick.place).status_code == 404
        assert as_role("admin").get("/dags/~/task", params=quick.place).status_code == 404


class TestPage:
    def test_a_browser_may_run_and_load_only_what_the_tab_brings(self, as_role: As, quick: StartedTask) -> None:
        answer = as_role("viewer").get(quick.path("page"), params=quick.place)
        policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))

        assert policy["default-src"] == "'none'"
        assert {policy[kind] for kind in ("script-src", "style-src", "connect-src")} == {"'self'"}
        assert "<script>" not in answer.text
        assert answer.text.count("<script") == answer.text.count('<script type="module" src="../../static/')
        assert " style=" not in answer.text

    def test_nothing_of_the_address_gets_into_the_page(self, as_role: As, quick: StartedTask) -> None:
        answer = as_role("viewer").get(quick.path("page"), params={"run_id": HOSTILE, "task_id": HOSTILE})

        assert "alert" not in answer.text


class TestTasks:
    def test_lists_the_sops_tasks_of_a_run(self, as_role: As, quick: StartedTask) -> None:
        answer = as_role("viewer").get(quick.path("tasks"), params={"run_id": quick.place["run_id"]}).json()

        assert [(each["task_id"], each["sops_task_id"]) for each in answer["tasks"]] == [("run", quick.sops_task_id)]

    @pytest.mark.parametrize("map_index", ["-1", "{MAP_INDEX}", ""])
    def test_knows_a_task_also_where_airflow_fills_in_no_map_index(
        self, as_role: As, quick: StartedTask, map_index: str
    ) -> None:
        params = {**quick.place, "map_index": map_index}
        answer = as_role("viewer").get(quick.path("tasks"), params=params).json()

        assert [each["sops_task_id"] for each in answer["tasks"]] == [quick.sops_task_id]

    def test_a_run_that_does_not_exist_is_not_found(self, as_role: As, quick: StartedTask) -> None:
        assert as_role("viewer").get(quick.path("tasks"), params={"run_id": "no"}).status_code == 404


class TestStates:
    @pytest.mark.parametrize(
        ("template", "until", "state", "look"),
        [
            ("quick", TaskState.FINISHED, "FINISHED", "FINISHED"),
            ("pause", TaskState.RUNNING, "RUNNING", "WAITING"),
        ],
    )
    def test_tell_how_each_sops_task_stands_and_whether_it_waits_for_a_person(
        self, as_role: As, started: Start, template: str, until: TaskState, state: str, look: str
    ) -> None:
        task = started(template, until=until)
        place = {"run_id": task.place["run_id"]}
        (listed,) = as_role("viewer").get(task.path("tasks"), params=place).json()["tasks"]

        def ask() -> Any:
            return as_role("viewer").get(task.path("states"), params=place).json()

        deadline = time.monotonic() + 30
        while (found := ask())["states"].get(listed["key"], {}).get("look") != look and time.monotonic() < deadline:
            time.sleep(0.5)
        assert found == {
            "states": {listed["key"]: {"state": state, "look": look}},
            "goes_on": look == "WAITING",
            "problem": "",
        }

    def test_a_sops_task_that_is_not_the_runs_has_none(
        self, as_role: As, quick: StartedTask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(RunTask, "is_ours", lambda _self, _name: False)

        found = as_role("viewer").get(quick.path("states"), params={"run_id": quick.place["run_id"]}).json()
        assert found["states"] == {}

    def test_a_sops_that_is_away_is_a_sentence(
        self, as_role: As, quick: StartedTask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", '{"conn_type": "sops", "host": "http://127.0.0.1:9"}')

        found = as_role("viewer").get(quick.path("states"), params={"run_id": quick.place["run_id"]}).json()
        assert found["problem"]
        assert found["states"] == {}


class TestTask:
    def test_a_finished_flow_shows_its_nodes_and_outputs(self, as_role: As, started: Start) -> None:
        view = view_of(as_role, started("linear", until=TaskState.FINISHED, constants={"${seconds}": 1}))

        assert (view["state"], view["goes_on"], view["actions"]) == ("FINISHED", False, [])
        assert {node["look"] for node in view["nodes"]} == {"FINISHED"}
        assert {each["key"] for each in view["outputs"]} >= {"who"}
        assert view["end"] is not None
        assert "#" not in view["name"]

    def test_the_picture_is_sent_once(self, as_role: As, quick: StartedTask) -> None:
        drawing = view_of(as_role, quick)["drawing"]
        params = {**quick.place, "drawing": drawing["id"]}

        assert "drawing" not in as_role("viewer").get(quick.path("task"), params=params).json()

    def test_a_failed_node_shows_its_error_and_what_can_be_done(self, as_role: As, started: Start) -> None:
        view = view_of(as_role, started("fail", until=TaskState.FAILED))
        (failed,) = [node for node in view["nodes"] if node["look"] == "FAILED"]

        assert (view["state"], view["rests"]) == ("FAILED", True)
        assert failed["error"]
        assert failed["actions"] == ["retry", "skip"]

    def test_a_node_that_waits_for_a_person_says_for_whom(self, as_role: As, started: Start, hook: SopsHook) -> None:
        approval = started("approval", until=TaskState.RUNNING)
        wait_for_look(as_role, approval, "approve", "WAITING")
        view = view_of(as_role, approval)
        node = node_named(view, "approve")

        assert (view["look"], view["state"]) == ("WAITING", "RUNNING")
        assert node["asked"]["who"] == "admin"
        assert "may it go on?" in node["asked"]["what"]
        assert node["actions"] == ["answer"]

    def test_a_revoked_flow_takes_nothing_more(self, as_role: As, started: Start, hook: SopsHook) -> None:
        pause = started("pause", until=TaskState.RUNNING)
        hook.operate_task(pause.sops_task_id, "revoke")
        view = view_of(as_role, pause)

        assert (view["state"], view["actions"], view["goes_on"]) == ("REVOKED", [], False)

    def test_levels_inside_subprocesses_are_drawn_too(self, as_role: As, started: Start) -> None:
        view = view_of(as_role, started("nested", until=TaskState.FINISHED))

        assert sorted(len(level["path"]) for level in view["drawing"]["levels"]) == [0, 1, 1, 2]

    def test_sops_away_is_a_sentence_beside_what_was_last_known(
        self, as_role: As, started: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pause = started("pause", until=TaskState.RUNNING)
        client = as_role("viewer")
        live: Any = client.app
        before = client.get(pause.path("task"), params=pause.place).json()
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", unreachable_connection())
        live.state.live._tasks.expire(next(iter(live.state.live._tasks._entries)))
        after = client.get(pause.path("task"), params=pause.place).json()

        assert "refused" in after["problem"]
        assert after["nodes"] == before["nodes"]

    def test_an_id_that_somebody_wrote_into_xcom_is_refused(
        self, as_role: As, started: Start, quick: StartedTask
    ) -> None:
        from airflow.models.xcom import XComModel

        edited = started("quick", until=TaskState.FINISHED)
        XComModel.set(
            "sops_task_id", quick.sops_task_id, dag_id=edited.dag_id, task_id="run", run_id=edited.place["run_id"]
        )
        answer = as_role("admin").get(edited.path("task"), params=edited.place)

        assert answer.status_code == 403
        assert "not made by this DAG run" in answer.json()["detail"]


class TestNode:
    def test_shows_inputs_outputs_and_log(self, as_role: As, started: Start) -> None:
        linear = started("linear", until=TaskState.FINISHED, constants={"${seconds}": 1})
        view = view_of(as_role, linear)
        (node, *_) = [row for row in view["nodes"] if row["kind"] == "bk_display"]
        told = as_role("viewer").get(linear.path("node"), params={**linear.place, "node_id": node["id"]}).json()

        assert told["inputs"]
        assert told["inner"] is None
        assert "_loop" not in json.dumps(told)

    @pytest.mark.parametrize("tells", [True, False])
    def test_an_independent_subprocess_shows_the_task_that_it_runs_as(
        self, as_role: As, started: Start, hook: SopsHook, monkeypatch: pytest.MonkeyPatch, *, tells: bool
    ) -> None:
        task = started("independent", until=TaskState.FINISHED)
        node = node_named(view_of(as_role, task), "call leaf")
        ask = SopsHook.get_task_status

        def get_task_status(asking: SopsHook, sops_task_id: int, **more: Any) -> Any:
            if sops_task_id != task.sops_task_id and not tells:
                raise SopsConnectionError("SOPS tells of this task nothing")
            return ask(asking, sops_task_id, **more)

        monkeypatch.setattr(SopsHook, "get_task_status", get_task_status)
        told = as_role("viewer").get(task.path("node"), params={**task.place, "node_id": node["id"]}).json()
        inner = told["inner"]

        assert hook.get_task_detail(inner["sops_task_id"]).task_url == inner["url"]
        assert (inner["look"], inner["state"]) == (("FINISHED", "FINISHED") if tells else ("", ""))
        assert told["problem"] == ""

    def test_a_node_that_was_not_reached_costs_no_question(self, as_role: As, started: Start) -> None:
        pause = started("pause", until=TaskState.RUNNING)
        last = view_of(as_role, pause)["nodes"][-1]
        told = as_role("viewer").get(pause.path("node"), params={**pause.place, "node_id": last["id"]}).json()

        assert told["has_data"] is False


class TestSecrets:
    def test_a_password_is_nowhere(self, as_role: As, started: Start, hook: SopsHook) -> None:
        secret = "geheim-4711-xyzzy"
        task = started("password", until=TaskState.FINISHED, constants={"${password}": secret})
        client = as_role("admin")
        view = view_of(as_role, task, "admin")
        asked = [{**task.place, "node_id": node["id"]} for node in view["nodes"]]
        texts = [
            json.dumps(view, ensure_ascii=False),
            *(client.get(task.path("node"), params=each).text for each in asked),
        ]

        assert secret not in "".join(texts)
        assert "***" in texts[0]

    def test_inputs_with_a_hidden_password_are_not_offered_for_a_retry(self) -> None:
        assert _editable({"user": "root", "password": {"value": HIDDEN}}) is None
        assert _editable({"user": "root", "_loop": 1}) == {"user": "root"}


class TestHostileTexts:
    def test_texts_of_sops_are_data(self, as_role: As, started: Start) -> None:
        task = started("linear", until=TaskState.FINISHED, constants={"${who}": f"{HOSTILE}\u202e", "${seconds}": 1})
        answer = as_role("viewer").get(task.path("task"), params=task.place)

        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        (shown,) = [each["value"] for each in answer.json()["constants"] if each["key"] == "${who}"]
        assert shown == f"{HOSTILE}\\u202e"

    def test_an_answer_that_cannot_be_shown_is_told_and_not_asked_for_again_at_once(
        self, as_role: As, quick: StartedTask
    ) -> None:
        with mock.patch.object(live_tasks, "task_view", autospec=True, side_effect=KeyError("odd")) as shown:
            views = [view_of(as_role, quick) for _ in range(3)]

        assert {view["problem"] for view in views} == {"what SOPS has sent cannot be shown (KeyError)"}
        assert shown.call_count == 1

    def test_the_page_never_reads_a_text_as_html(self) -> None:
        from airflow_provider_sops.plugins.application import _STATIC

        for path in _STATIC.glob("*.js"):
            text = path.read_text(encoding="utf-8")
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
                assert word not in text, (path.name, word)


def wait_for_look(as_role: As, started: StartedTask, name: str, look: str) -> None:
    """Ask until a node looks like that, past the three seconds for which an answer holds."""
    import time

    deadline = time.monotonic() + 20
    while node_named(view_of(as_role, started), name)["look"] != look:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def unreachable_connection() -> str:
    return json.dumps(
        {
            "conn_type": "sops",
            "host": "http://127.0.0.1:9",
            "login": "airflow",
            "password": "none",
            "extra": {"bk_username": "admin", "bk_biz_id": 2, "timeout_seconds": 1},
        }
    )
