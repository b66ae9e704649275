"""EnosHook and AsyncEnosClient against a server that checks tokens and signatures by itself."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
import time_machine

from airflow_provider_sops.enos.errors import (
    EnosAuthError,
    EnosConnectionError,
    EnosError,
    EnosGatewayError,
    EnosInvalidOperationError,
    EnosInvalidParameterError,
    EnosNoLogError,
    EnosNotFoundError,
    EnosRateLimitError,
    EnosServerError,
    EnosTokenRefusedError,
    EnosTriggerRefusedError,
)
from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.enos_async import AsyncEnosClient, aget_enos_connection
from tests.enos_server import EnosServer, Fault, Play, TaskPlay
from tests.enos_server.server import SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("tests.enos_server.fixtures",)

TIME = pendulum.datetime(2021, 2, 2, 11, 35, 0)
BOTH_VERSIONS = pytest.mark.parametrize("enos_server", ["v2.1", "v2.0"], indirect=True)


def call_blocking(api: str, **parameters: Any) -> Any:
    with EnosHook() as hook:
        return hook.call(api, **parameters).data


def call_async(api: str, **parameters: Any) -> Any:
    async def call() -> Any:
        async with AsyncEnosClient(await aget_enos_connection("enos_default")) as client:
            return (await client.call(api, **parameters)).data

    return asyncio.run(call())


@pytest.fixture(params=[call_blocking, call_async], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest, enos_default: EnosServer) -> Callable[..., Any]:
    """Call EnOS through the connection ``enos_default``, in both ways."""
    way: Callable[..., Any] = request.param
    return way


class TestCalls:
    @BOTH_VERSIONS
    def test_a_flow_is_triggered_and_its_instance_read(self, enos_default: EnosServer, enos_hook: EnosHook) -> None:
        enos_default.add_flow(8435, Play((2, 1), {"extract": TaskPlay((2, 1)), "载入": TaskPlay((0, 1))}))
        instance_id = enos_hook.trigger_flow(8435, TIME)
        instance = enos_hook.get_flow_instance(instance_id)

        assert instance_id == "8435-20210202113500"
        assert (instance.instance_id, instance.flow_id, instance.status) == (instance_id, 8435, "RUNNING")
        assert [(node.name, node.status.value) for node in instance.nodes] == [("extract", "RUNNING"), ("载入", "INIT")]
        assert enos_hook.get_flow_instance(instance_id).status == "SUCCESS"

    def test_a_flow_is_triggered_from_a_task(self, enos_default: EnosServer, enos_hook: EnosHook) -> None:
        flow = enos_default.add_flow(8, Play(tasks={"a": TaskPlay(), "b": TaskPlay()}))
        enos_hook.trigger_flow_from_task(8, flow.task_id("b"), TIME)
        assert enos_default.instances[0].from_task_id == flow.task_id("b")

    def test_parameters_are_those_of_the_instance(self, enos_default: EnosServer, enos_hook: EnosHook) -> None:
        enos_default.add_flow(8)
        instance_id = enos_hook.update_and_trigger_flow(8, TIME, {"site": "浙江 & co", "n": 3})
        assert enos_hook.get_flow_instance(instance_id).parameters == {"site": "浙江 & co", "n": 3}

    @pytest.mark.parametrize("as_list", [False, True])
    def test_a_task_instance_is_read_as_object_or_list(
        self, enos_default: EnosServer, enos_hook: EnosHook, as_list: bool
    ) -> None:
        enos_default.service.lists_single = as_list
        enos_default.add_flow(8, Play(tasks={"extract": TaskPlay((2,), recalls=(1,), recall_limit=3)}))
        flow_instance_id = enos_hook.trigger_flow(8, TIME)
        task = enos_hook.get_task_instance("800-20210202113500")

        assert (task.name, task.status, task.flow_instance_id) == ("extract", "RUNNING", flow_instance_id)
        assert (task.recall_num, task.recall_limit, task.has_reruns_left) == (1, 3, True)
        assert task.run_mode is not None
        assert task.run_mode.cpu == 0.5

    def test_a_log_is_read_and_a_missing_one_named(self, enos_default: EnosServer, enos_hook: EnosHook) -> None:
        enos_default.add_flow(8, Play(tasks={"a": TaskPlay(log="first\nsecond"), "b": TaskPlay(log=None)}))
        enos_hook.trigger_flow(8, TIME)

        assert enos_hook.get_task_instance_log("800-20210202113500") == "first\nsecond"
        assert enos_hook.get_task_instance_log("800-20210202113500", max_length=5) == "first"
        with pytest.raises(EnosNoLogError):
            enos_hook.get_task_instance_log("801-20210202113500")

    @BOTH_VERSIONS
    @pytest.mark.parametrize("ignores_pages", [False, True])
    def test_all_pages_are_read_and_the_reading_ends(
        self, enos_default: EnosServer, enos_hook: EnosHook, ignores_pages: bool
    ) -> None:
        flow = enos_default.add_flow(8)
        for minute in range(7):
            enos_default.service.add_instance(flow, int(TIME.add(minutes=minute).timestamp() * 1000))
        enos_default.service.ignores_pages = ignores_pages

        found = enos_hook.find_flow_instances(
            0, from_trigger_time=TIME, to_trigger_time=TIME.add(minutes=6), page_size=3
        )

        assert len(found) == len({instance.instance_id for instance in found}) == (3 if ignores_pages else 6)
        assert enos_default.sent("search")[0].content["fromTriggerTime"] == 1612265700000

    def test_what_has_no_method_is_called_by_its_name(self, enos_default: EnosServer, call: Callable[..., Any]) -> None:
        flow_id = call("save_flow", name="报表 a+b&c", cycle="D")["flowId"]

        assert call("get_flow", flowId=flow_id)["name"] == "报表 a+b&c"
        assert [flow["flowId"] for flow in call("get_my_flow", expression="报表 a+b&c")] == [flow_id]
        assert call("get_time_zone") == {"timezone": "GMT+8"}

    def test_what_v20_lacks_is_refused_before_it_is_sent(
        self, monkeypatch: pytest.MonkeyPatch, enos_default: EnosServer, enos_hook: EnosHook
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", enos_default.connection_json(api_version="v2.0"))
        with pytest.raises(EnosInvalidParameterError, match=r"v2\.0 .* lacks this call"):
            enos_hook.get_task_instance("1-2")
        assert enos_default.requests == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("act", "error"),
        [
            (lambda hook: hook.get_task_instance("1-2"), EnosNotFoundError),
            (lambda hook: hook.get_flow_instance("1-2"), EnosNotFoundError),
            (lambda hook: hook.trigger_flow(77, TIME), EnosTriggerRefusedError),
            (lambda hook: hook.trigger_flow(9, TIME), EnosInvalidOperationError),
            (lambda hook: hook.trigger_flow(10, TIME), EnosAuthError),
            (lambda hook: hook.trigger_flow("x", TIME), EnosInvalidParameterError),
            (lambda hook: hook.trigger_flow(8, datetime.datetime(2021, 2, 2)), EnosInvalidParameterError),  # noqa: DTZ001
            (lambda hook: hook.update_and_trigger_flow(8, TIME, ["a"]), EnosInvalidParameterError),
            (lambda hook: hook.get_flow_instance(" "), EnosInvalidParameterError),
            (lambda hook: hook.call("get_my_flow", expression="\ud800"), EnosInvalidParameterError),
            (lambda hook: hook.call("triger_flow"), EnosInvalidParameterError),
        ],
    )
    def test_have_their_own_class(
        self, enos_default: EnosServer, enos_hook: EnosHook, act: Callable[[EnosHook], Any], error: type[EnosError]
    ) -> None:
        enos_default.add_flow(8)
        enos_default.add_flow(9, Play(tasks={}))
        enos_default.add_flow(10, owner="somebody else")
        with pytest.raises(error) as raised:
            act(enos_hook)
        assert type(raised.value) is error

    def test_the_second_trigger_in_a_minute_is_refused(self, enos_default: EnosServer, enos_hook: EnosHook) -> None:
        enos_default.add_flow(8)
        enos_hook.trigger_flow(8, TIME)
        with pytest.raises(EnosTriggerRefusedError, match=r"flowId 8.*62102"):
            enos_hook.trigger_flow(8, TIME.add(minutes=5))

    def test_user_and_organisation_are_needed(
        self, enos_default: EnosServer, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", enos_default.connection_json(org_id=None))
        with pytest.raises(EnosInvalidParameterError, match="orgId is missing"):
            call("get_my_flow")
        assert call("get_time_zone") == {"timezone": "GMT+8"}

    def test_user_and_organisation_of_the_caller_come_first(self, enos_default: EnosServer) -> None:
        with EnosHook(user_id="stranger") as hook, pytest.raises(EnosAuthError, match="62101"):
            hook.call("get_my_flow")


class TestTokens:
    def test_one_token_serves_the_whole_process(self, enos_default: EnosServer) -> None:
        for way in (call_blocking, call_async, call_blocking):
            way("get_my_flow")
        assert enos_default.gatekeeper.token_requests == ["get"]

    def test_a_token_is_refreshed_before_it_expires(
        self, enos_default: EnosServer, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        began = enos_tokens.now()
        call("get_my_flow")
        monkeypatch.setattr(enos_tokens, "now", lambda: began + 6500)
        call("get_my_flow")
        monkeypatch.setattr(enos_tokens, "now", lambda: began + 6700)
        call("get_my_flow")
        assert enos_default.gatekeeper.token_requests == ["get", "refresh"]
        assert enos_default.gatekeeper.violations == []

    def test_a_token_that_cannot_be_refreshed_is_got_anew(
        self, enos_default: EnosServer, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call("get_my_flow")
        enos_default.gatekeeper.revoke_tokens()
        monkeypatch.setattr(enos_tokens, "now", lambda: 1e12)
        call("get_my_flow")
        assert enos_default.gatekeeper.token_requests == ["get", "refresh", "get"]

    @pytest.mark.parametrize("by_code", [False, True], ids=["401", "1203"])
    def test_a_refused_token_is_replaced_and_the_call_repeated(
        self, enos_default: EnosServer, call: Callable[..., Any], by_code: bool
    ) -> None:
        enos_default.gatekeeper.refuses_by_code = by_code
        enos_default.add_flow(8)
        call("get_my_flow")
        enos_default.gatekeeper.revoke_tokens()
        call("trigger_flow", flowId=8, triggerTime=0)
        assert enos_default.gatekeeper.token_requests == ["get", "get"]
        assert len(enos_default.instances) == 1

    def test_a_refused_token_that_the_service_still_gives_is_refreshed(
        self, enos_default: EnosServer, call: Callable[..., Any]
    ) -> None:
        call("get_my_flow")
        enos_default.gatekeeper.distrust_tokens()
        call("get_my_flow")
        assert enos_default.gatekeeper.token_requests == ["get", "get", "refresh"]

    def test_the_repeat_is_the_only_one(self, enos_default: EnosServer, call: Callable[..., Any]) -> None:
        enos_default.spoil("getMyFlow", *[Fault.TOKEN_REFUSED] * 3)
        with pytest.raises(EnosTokenRefusedError):
            call("get_my_flow")
        assert len(enos_default.sent("getMyFlow")) == 2

    def test_no_two_token_requests_are_the_same(self, enos_default: EnosServer, call: Callable[..., Any]) -> None:
        enos_default.spoil("token/get", Fault.BAD_GATEWAY_AFTER, Fault.RESET_AFTER)
        with time_machine.travel(pendulum.now("UTC"), tick=False):
            call("get_my_flow")
        assert enos_default.gatekeeper.token_requests == ["get", "get", "get"]
        assert enos_default.gatekeeper.violations == []

    def test_triggers_of_one_loop_share_the_first_token(self, enos_default: EnosServer) -> None:
        async def ask() -> None:
            connection = await aget_enos_connection("enos_default")
            async with AsyncEnosClient(connection) as one, AsyncEnosClient(connection) as another:
                await asyncio.gather(*(client.call("get_my_flow") for client in (one, another, one, another)))

        asyncio.run(ask())
        assert enos_default.gatekeeper.token_requests == ["get"]

    def test_another_secret_key_gets_a_token_of_its_own(
        self, enos_default: EnosServer, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call("get_my_flow")
        connection = json.loads(enos_default.connection_json())
        monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", json.dumps({**connection, "password": "wrong"}))
        with pytest.raises(EnosAuthError, match="1003"):
            call("get_my_flow")


class TestRepeats:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault.RESET_BEFORE,
            Fault.RESET_AFTER,
            Fault.CUT_JSON,
            Fault.BAD_GATEWAY_BEFORE,
            Fault.RATE_LIMITED,
            Fault.SERVER_ERROR,
        ],
    )
    def test_a_reading_call_is_sent_again_and_signed_anew(
        self, enos_default: EnosServer, call: Callable[..., Any], fault: Fault
    ) -> None:
        enos_default.spoil("getMyFlow", fault, fault)
        assert call("get_my_flow") == []
        assert len(enos_default.sent("getMyFlow")) == 3
        assert enos_default.gatekeeper.violations == []

    @pytest.mark.parametrize(
        ("fault", "error", "made"),
        [
            (Fault.RESET_BEFORE, EnosConnectionError, 0),
            (Fault.RESET_AFTER, EnosConnectionError, 1),
            (Fault.CUT_JSON, EnosGatewayError, 1),
            (Fault.BAD_GATEWAY_AFTER, EnosGatewayError, 1),
            (Fault.WEB_PAGE, EnosGatewayError, 0),
            (Fault.SERVER_ERROR, EnosServerError, 0),
        ],
    )
    def test_a_trigger_is_never_sent_again_unless_it_was_surely_not_executed(
        self, enos_default: EnosServer, call: Callable[..., Any], fault: Fault, error: type[EnosError], made: int
    ) -> None:
        enos_default.add_flow(8)
        enos_default.spoil("trigger", fault)
        with pytest.raises(error) as raised:
            call("trigger_flow", flowId=8, triggerTime=0)
        assert raised.value.outcome_unknown
        assert len(enos_default.sent("trigger")) == 1
        assert len(enos_default.instances) == made

    def test_a_trigger_that_a_rate_limit_refused_is_sent_again(
        self, enos_default: EnosServer, call: Callable[..., Any]
    ) -> None:
        enos_default.add_flow(8)
        enos_default.spoil("trigger", Fault.RATE_LIMITED)
        call("trigger_flow", flowId=8, triggerTime=0)
        assert len(enos_default.instances) == 1

    def test_a_lasting_rate_limit_is_an_error(self, enos_default: EnosServer, call: Callable[..., Any]) -> None:
        enos_default.spoil("getMyFlow", *[Fault.RATE_LIMITED] * 9)
        with pytest.raises(EnosRateLimitError):
            call("get_my_flow")

    def test_a_server_that_is_not_there_is_named(
        self, enos_default: EnosServer, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = json.loads(enos_default.connection_json())
        monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", json.dumps({**connection, "host": "http://127.0.0.1:9"}))
        with pytest.raises(EnosConnectionError, match="connection was refused") as raised:
            call("get_my_flow")
        assert not raised.value.outcome_unknown


class TestSecrets:
    def test_are_in_no_error_log_or_repr(
        self, enos_default: EnosServer, call: Callable[..., Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        enos_default.spoil("getMyFlow", Fault.WEB_PAGE)
        with pytest.raises(EnosGatewayError) as raised:
            call("get_my_flow")
        hook = EnosHook()
        token = enos_tokens.kept_token(enos_tokens.TokenKey.of(hook.connection))
        assert token is not None
        shown = f"{raised.value!s} {raised.value.__dict__} {caplog.text} {hook.connection!r} {token!r}"
        assert "apim-signature" in shown.lower()
        assert SECRET_KEY not in shown
        assert token.value not in shown

    def test_a_call_in_haste_uses_the_token_at_hand(self, enos_default: EnosServer, enos_hook: EnosHook) -> None:
        enos_hook.call_at_once("get_my_flow")
        enos_hook.call("get_my_flow")
        enos_hook.call_at_once("get_my_flow")
        assert enos_default.gatekeeper.token_requests == ["get", "get"]


class TestConnectionTest:
    @pytest.mark.parametrize(
        ("change", "worked", "words"),
        [
            ({}, True, "for user u1 of o1"),
            ({"extra": {}}, True, "user_id or org_id is not set"),
            ({"password": "wrong"}, False, "Access was denied"),
            ({"login": "nobody"}, False, "rejected the app"),
            ({"extra": {"user_id": "u2", "org_id": "o1"}}, False, "does not belong to the organisation"),
            ({"extra": {"user_id": "u1", "org_id": "o1", "api_version": "v2.0"}}, False, "is not a gateway to EnOS"),
            ({"host": "http://127.0.0.1:9"}, False, "connection was refused"),
            ({"login": ""}, False, "login (AccessKey) is empty"),
            ({"extra": {"api_version": "v3"}}, False, "'api_version' is 'v3'"),
            ({"extra": {"verify": "/no/such/file"}, "host": "https://127.0.0.1:9"}, False, "verify"),
        ],
    )
    def test_says_in_one_sentence_what_is_wrong(
        self,
        enos_default: EnosServer,
        monkeypatch: pytest.MonkeyPatch,
        change: dict[str, Any],
        worked: bool,
        words: str,
    ) -> None:
        connection = {**json.loads(enos_default.connection_json()), **change}
        monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", json.dumps(connection))
        with EnosHook() as hook:
            result = hook.test_connection()
        assert result[0] is worked
        assert words in result[1]
        assert SECRET_KEY not in result[1]


async def test_the_client_works_only_as_a_context_manager(enos_default: EnosServer) -> None:
    client = AsyncEnosClient(await aget_enos_connection("enos_default"))
    with pytest.raises(RuntimeError, match="async with"):
        await client.get_flow_instance("8-1")
