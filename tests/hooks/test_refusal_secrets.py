"""No password in the words with which SOPS refuses a call, whoever knows it: the task, the template, or the caller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection
from airflow_provider_sops.polling.shared import shared_wait
from airflow_provider_sops.polling.sops_looks import shared_secrets
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.known_passwords import TASK, PasswordMemory, Subject, memory
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_secrets import WITHHELD
from airflow_provider_sops.task_instance.outputs import read_secrets
from airflow_provider_sops.waiting.model import Look
from tests.sops.builders import activity, constant, password, pipeline_tree

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pytest_httpserver import HTTPServer

OWN, GIVEN, INNER = "own-pa55word", "given-pa55word", "inner-pa55word"
WORDS = f"node bob failed: {OWN} {GIVEN} {INNER}"
ENCRYPTED = "rsa_str:::q83vEjRWeJA="


def tree(own: Any = OWN) -> Any:
    inner = pipeline_tree("s2 > b > e2", constants={"${inner}": password("${inner}", INNER)})
    call = {"type": "SubProcess", "name": "call", "pipeline": inner, "optional": True}
    node = activity("a")
    node["component"]["data"] = {"x": {"hook": False, "value": "${pw}"}}
    constants = {
        "${pw}": password("${pw}", own),
        "${given}": password("${given}", ""),
        "${user}": constant("${user}", "bob"),
    }
    return pipeline_tree("s > a > call > e", nodes={"a": node, "call": call}, constants=constants)


@pytest.fixture
def sops(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    extra = {"bk_username": "admin", "bk_biz_id": 2}
    connection = {"conn_type": "sops", "host": httpserver.url_for(""), "login": "app", "password": "app-s3cret"}
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps({**connection, "extra": extra}))
    yield httpserver
    httpserver.clear()


def refuse(sops: HTTPServer, path: str, code: Any = 3599999, status: int = 200) -> None:
    sops.expect_request(f"/prod/{path}/").respond_with_json(
        {"result": False, "code": code, "message": WORDS}, status=status
    )


def answer(sops: HTTPServer, path: str, data: Any) -> None:
    sops.expect_request(f"/prod/{path}/").respond_with_json({"result": True, "code": 0, "data": data})


def error_of(call: Callable[[SopsHook], Any]) -> SopsError:
    with SopsHook() as hook, pytest.raises(SopsError) as caught:
        call(hook)
    return caught.value


def create(hook: SopsHook) -> Any:
    return hook.create_task(24, "n", constants={"${given}": GIVEN, "${user}": "bob"})


class TestCreation:
    def test_the_template_tells_which_of_the_given_values_are_passwords_and_has_its_own(self, sops: HTTPServer) -> None:
        refuse(sops, "create_task/24/2")
        answer(sops, "get_template_info/24/2", {"id": 24, "pipeline_tree": tree()})
        error = error_of(create)
        assert error.server_message == "node bob failed: *** *** ***"
        assert "says: node bob failed: *** *** ***" in str(error)
        assert sops.log[1][0].args["unfold_subprocess"] == "true"

    def test_so_it_does_for_a_tree_of_the_callers_own(self, sops: HTTPServer) -> None:
        refuse(sops, "create_task/24/2")
        answer(sops, "get_template_info/24/2", {"id": 24, "pipeline_tree": pipeline_tree("s > a > e")})
        given = tree()
        given["constants"]["${given}"]["value"] = GIVEN
        error = error_of(lambda hook: hook.create_task(24, "n", pipeline_tree=given))
        assert error.server_message == "node bob failed: *** *** ***"

    @pytest.mark.parametrize("template", [None, {"id": 24, "pipeline_tree": tree(ENCRYPTED)}])
    def test_where_they_cannot_be_told_the_words_are_withheld(self, sops: HTTPServer, template: Any) -> None:
        refuse(sops, "create_task/24/2")
        if template:
            answer(sops, "get_template_info/24/2", template)
        assert error_of(create).server_message == WITHHELD

    def test_a_page_of_a_proxy_may_echo_the_request(self, sops: HTTPServer) -> None:
        sops.expect_request("/prod/create_task/24/2/").respond_with_data(f"bad gateway: {GIVEN}", status=502)
        error = error_of(create)
        assert error.server_message == "bad gateway: ***"
        assert len(sops.log) == 1

    def test_a_flow_without_passwords_is_quoted(self, sops: HTTPServer) -> None:
        refuse(sops, "create_task/24/2")
        answer(sops, "get_template_info/24/2", {"id": 24, "pipeline_tree": pipeline_tree("s > a > e")})
        assert error_of(create).server_message == WORDS

    @pytest.mark.parametrize("code", [3540400, 3540100])
    def test_what_is_not_about_values_costs_no_further_request(self, sops: HTTPServer, code: int) -> None:
        refuse(sops, "create_task/24/2", code)
        error_of(create)
        assert len(sops.log) == 1


ACTIONS: dict[str, Callable[[SopsHook], Any]] = {
    "operate_node/2/25": lambda hook: hook.operate_node(25, "a", "retry", inputs={"x": GIVEN}),
    "operate_task/25/2": lambda hook: hook.operate_task(25, "revoke"),
    "start_task/25/2": lambda hook: hook.start_task(25),
    "get_task_node_detail/25/2": lambda hook: hook.get_task_node_detail(25, "a"),
}


class TestActions:
    @pytest.mark.parametrize(("path", "act"), ACTIONS.items(), ids=ACTIONS)
    @pytest.mark.parametrize(("code", "status"), [(3599999, 200), (3545000, 200), ("50000", 500)])
    def test_the_task_tells_its_passwords(
        self, sops: HTTPServer, path: str, act: Callable[[SopsHook], Any], code: Any, status: int
    ) -> None:
        refuse(sops, path, code, status)
        made = tree()
        made["constants"]["${given}"]["value"] = GIVEN
        answer(sops, "get_task_detail/25/2", {"id": 25, "constants": made["constants"], "pipeline_tree": made})
        error = error_of(act)
        assert error.server_message == "node bob failed: *** *** ***"

    @pytest.mark.parametrize(("path", "act"), ACTIONS.items(), ids=ACTIONS)
    def test_if_it_cannot_be_read_the_words_are_withheld(
        self, sops: HTTPServer, path: str, act: Callable[[SopsHook], Any]
    ) -> None:
        refuse(sops, path)
        refuse(sops, "get_task_detail/25/2")
        assert error_of(act).server_message == WITHHELD

    def test_in_the_seconds_before_a_kill_they_are_too(self, sops: HTTPServer) -> None:
        refuse(sops, "operate_task/25/2")
        assert error_of(lambda hook: hook.revoke_at_once(25)).server_message == WITHHELD
        assert len(sops.log) == 1

    async def test_the_triggerer_does_the_same(self, sops: HTTPServer) -> None:
        refuse(sops, "operate_task/25/2")
        made = tree()
        made["constants"]["${given}"]["value"] = GIVEN
        answer(sops, "get_task_detail/25/2", {"id": 25, "constants": made["constants"], "pipeline_tree": made})
        async with AsyncSopsClient(await aget_sops_connection("sops_default")) as client:
            with pytest.raises(SopsError) as caught:
                await client.operate_task(25, "revoke")
        assert caught.value.server_message == "node bob failed: *** *** ***"


def task_answer() -> dict[str, Any]:
    made = tree()
    made["constants"]["${given}"]["value"] = GIVEN
    return {"id": 25, "constants": made["constants"], "pipeline_tree": made, "project_id": 2}


#: Everything that only reads, by its path.
READS: dict[str, Callable[[SopsHook], Any]] = {
    "get_task_status/25/2": lambda hook: hook.get_task_status(25),
    "get_tasks_status/2": lambda hook: hook.get_tasks_status([25]),
    "get_task_detail/25/2": lambda hook: hook.get_task_detail(25),
    "get_task_effective_time/25/2": lambda hook: hook.get_task_effective_time(25),
    "get_task_operate_record/25/2": lambda hook: hook.get_task_operate_record(25, project_id=2),
    "get_task_node_detail/25/2": lambda hook: hook.get_task_node_detail(25, "a"),
    "get_task_node_data/2/25": lambda hook: hook.get_task_node_data(25, "a"),
    "get_task_node_log/25/2": lambda hook: hook.get_task_node_log(25, "a"),
    "get_task_list/2": lambda hook: hook.get_task_list(),
    "get_template_list/2": lambda hook: hook.get_template_list(),
    "get_template_info/24/2": lambda hook: hook.get_template_info(24),
    "get_template_schemes/2/24": lambda hook: hook.get_template_schemes(24),
}
#: Refusals of every class, each of which quotes the passwords wherever an answer can.
QUOTING = {
    "sops": (200, 3599999, {}),
    "parameter": (200, 3540000, {}),
    "missing": (200, 3540400, {}),
    "auth": (200, 3540100, {}),
    "gateway": (200, 1640301, {}),
    "code": (200, OWN, {}),
    "unavailable": (503, 1, {}),
    "redirect": (302, 1, {"Location": f"/login/{OWN}"}),
}


def quote_in_refusal(sops: HTTPServer, path: str, kind: str) -> None:
    status, code, headers = QUOTING[kind]
    body = {"result": False, "code": code, "message": WORDS, "trace_id": f"trace-{OWN}"}
    sops.clear()
    sops.expect_request(f"/prod/{path}/").respond_with_json(body, status=status, headers=headers)


def shown_by(error: SopsError) -> str:
    seen: set[int] = set()
    shown: list[str] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        shown += [str(each), repr(each), repr(vars(each)), repr(each.args)]
        waiting += [each.__cause__, each.__context__]
    return " ".join(shown)


class TestReads:
    """Once a process knows the passwords, no refusal of any call about the task quotes one."""

    @pytest.mark.parametrize("kind", QUOTING)
    @pytest.mark.parametrize(("path", "read"), READS.items(), ids=READS)
    def test_no_refusal_quotes_what_is_known(
        self, sops: HTTPServer, path: str, read: Callable[[SopsHook], Any], kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
        answer(sops, "get_task_detail/25/2", task_answer())
        answer(sops, "get_template_info/24/2", {"id": 24, "pipeline_tree": task_answer()["pipeline_tree"]})
        with SopsHook() as hook:
            hook.get_task_detail(25)
            hook.get_template_info(24)
            quote_in_refusal(sops, path, kind)
            with pytest.raises(SopsError) as caught:
                read(hook)
        shown = shown_by(caught.value)
        assert not [secret for secret in (OWN, GIVEN, INNER) if secret in shown]
        assert "trace-***" in shown or kind == "redirect"

    @pytest.mark.parametrize("kind", ["sops", "unavailable", "redirect"])
    async def test_nor_does_one_in_the_triggerer(self, sops: HTTPServer, kind: str) -> None:
        answer(sops, "get_task_detail/25/2", task_answer())
        async with AsyncSopsClient(await aget_sops_connection("sops_default"), repeats=False) as client:
            await client.get_task_detail(25)
            calls: dict[str, Callable[[], Awaitable[Any]]] = {
                "get_task_status/25/2": lambda: client.get_task_status(25),
                "get_tasks_status/2": lambda: client.get_tasks_status([7, 25]),
                "get_task_node_log/25/2": lambda: client.get_task_node_log(25, "a"),
                "get_task_list/2": lambda: client.get_task_list(),
            }
            for path, call in calls.items():
                quote_in_refusal(sops, path, kind)
                with pytest.raises(SopsError) as caught:
                    await call()
                shown = shown_by(caught.value)
                assert not [secret for secret in (OWN, GIVEN, INNER) if secret in shown]

    def test_sops_is_asked_for_passwords_that_are_not_known_and_only_once(self, sops: HTTPServer) -> None:
        refuse(sops, "get_task_status/25/2")
        answer(sops, "get_task_detail/25/2", task_answer())
        for _ in range(3):
            assert error_of(READS["get_task_status/25/2"]).server_message == "node bob failed: *** *** ***"
        asked = [request.path for request, _ in sops.log]
        assert asked.count("/prod/get_task_detail/25/2/") == 1

    @pytest.mark.parametrize("path", ["get_task_status/25/2", "get_task_detail/25/2", "get_template_info/24/2"])
    def test_the_words_are_withheld_if_they_cannot_be_known(self, sops: HTTPServer, path: str) -> None:
        refuse(sops, path)
        error = error_of(READS[path])
        assert error.server_message == WITHHELD
        assert error.code == 3599999

    def test_a_batch_is_searched_for_the_passwords_of_all_its_tasks(self, sops: HTTPServer) -> None:
        other = "other-pa55word"
        answer(sops, "get_task_detail/26/2", {"id": 26, "pipeline_tree": tree(other)})
        answer(sops, "get_task_detail/25/2", task_answer())
        with SopsHook() as hook:
            hook.get_task_detail(25)
            hook.get_task_detail(26)
            sops.expect_request("/prod/get_tasks_status/2/").respond_with_json(
                {"result": False, "code": 3540100, "message": f"{OWN} {other}"}
            )
            with pytest.raises(SopsError) as caught:
                hook.get_tasks_status([25, 26])
        assert caught.value.server_message == "*** ***"

    def test_what_was_given_to_a_new_task_is_known(self, sops: HTTPServer) -> None:
        shown = {"task_id": 25, "pipeline_tree": tree()}
        answer(sops, "create_task/24/2", shown)
        with SopsHook() as hook:
            create(hook)
            quote_in_refusal(sops, "get_task_status/25/2", "missing")
            with pytest.raises(SopsError) as caught:
                hook.get_task_status(25)
        assert caught.value.server_message == "node bob failed: *** *** ***"

    def test_the_trace_id_of_an_answer_that_cannot_be_used_is_searched(self, sops: HTTPServer) -> None:
        answer(sops, "get_task_detail/25/2", task_answer())
        with SopsHook() as hook:
            hook.get_task_detail(25)
            body = {"result": True, "data": [], "trace_id": f"trace-{OWN}"}
            sops.expect_request("/prod/get_task_status/25/2/").respond_with_json(body)
            with pytest.raises(SopsError) as caught:
                hook.get_task_status(25)
        assert caught.value.trace_id == "trace-***"

    def test_a_periodic_task_is_not_the_task_with_its_id(self, sops: HTTPServer) -> None:
        answer(sops, "get_task_detail/25/2", {"id": 25, "pipeline_tree": pipeline_tree("s > a > e")})
        refuse(sops, "set_periodic_task_enabled/25/2")
        answer(sops, "get_periodic_task_info/25/2", {"id": 25, "pipeline_tree": task_answer()["pipeline_tree"]})
        with SopsHook() as hook:
            hook.get_task_detail(25)
            with pytest.raises(SopsError) as caught:
                hook.set_periodic_task_enabled(25, True)
        assert caught.value.server_message == "node bob failed: *** *** ***"


class TestInnerTasks:
    """The task of an independent subprocess is given passwords that only the tasks around it tell."""

    def answer_both(self, sops: HTTPServer) -> None:
        answer(sops, "get_task_detail/25/2", task_answer())
        answer(sops, "get_task_detail/26/2", {"id": 26, "pipeline_tree": pipeline_tree("s > a > e")})

    def test_on_a_worker(self, sops: HTTPServer) -> None:
        self.answer_both(sops)
        refuse(sops, "get_task_status/26/2")
        with SopsHook() as hook:
            read_secrets(hook, (25, 26))
            with pytest.raises(SopsError) as caught:
                hook.get_task_status(26)
        assert caught.value.server_message == "node bob failed: *** *** ***"

    async def test_in_the_triggerer(self, sops: HTTPServer) -> None:
        self.answer_both(sops)
        refuse(sops, "get_task_status/26/2")
        look = Look(delay_seconds=0, fresh=True, with_details=True)
        async with shared_wait(Site("sops_default"), 26) as wait:
            await shared_secrets(wait.reader, (25, 26))
            with pytest.raises(SopsError) as caught:
                await wait.look(look)
        assert caught.value.server_message == "node bob failed: *** *** ***"


class TestMemory:
    def test_the_least_recently_used_is_forgotten_first(self) -> None:
        few = PasswordMemory()
        subjects = [Subject("here", TASK, str(number)) for number in range(1_001)]
        for subject in subjects[:1_000]:
            few.add(subject, {"pa55word"}, are_all=True)
        assert few.of(subjects[0])
        few.add(subjects[1_000], {"pa55word"}, are_all=True)
        assert few.of(subjects[0])
        assert few.of(subjects[1]) is None

    def test_all_passwords_together_are_bounded(self) -> None:
        few = PasswordMemory()
        for number in range(500):
            few.add(Subject("here", TASK, str(number)), {f"{number:0>900}"}, are_all=True)
        kept = [number for number in range(500) if few.of(Subject("here", TASK, str(number)))]
        assert kept == list(range(389, 500))

    def test_one_tasks_passwords_are_bounded_and_then_count_as_unknown(self) -> None:
        few = PasswordMemory()
        few.add(Subject("here", TASK, "1"), {"x" * 100_000}, are_all=True)
        known = few.of(Subject("here", TASK, "1"))
        assert known is not None
        assert (known.texts, known.are_all) == (frozenset(), False)

    def test_nothing_shows_them(self) -> None:
        memory.add(Subject("here", TASK, "1"), {"pa55word"}, are_all=True)
        assert "pa55word" not in repr(memory.of(Subject("here", TASK, "1")))
