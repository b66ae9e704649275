"""No password in the words with which SOPS refuses a call, whoever knows it: the task, the template, or the caller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.task_secrets import WITHHELD
from tests.sops.builders import activity, constant, password, pipeline_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
