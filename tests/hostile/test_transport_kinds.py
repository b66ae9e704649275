"""Whatever comes over the wire: one named error, in time and in little memory, in every way to call."""

from __future__ import annotations

import asyncio
import math
import resource
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.enos.errors import EnosError
from airflow_provider_sops.enos.tokens import AccessToken
from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.enos_async import AsyncEnosClient, aget_enos_connection
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection
from airflow_provider_sops.service.errors import ConnectionFailedError
from airflow_provider_sops.sops.errors import SopsError
from tests.hostile.conftest import TOTAL_SECONDS
from tests.hostile.repertoire import ENDLESS, TRANSPORT
from tests.hostile.server import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.enos.connection import EnosConnection
    from tests.hostile.repertoire import Kind
    from tests.hostile.server import Exchange, HostileServer

#: What a call may take on top of its total time on a busy machine.
MARGIN_SECONDS = 2.0
#: What a call may add to the process, whose answers may have a mebibyte.
MOST_KILOBYTES = 60 * 1024

_TOKEN = b'{"status":0,"msg":"SUCCESS","data":{"accessToken":"t0ken","expire":7200}}'


def blocking_sops() -> None:
    with SopsHook() as hook:
        hook.get_task_status(7)


def async_sops() -> None:
    async def call() -> None:
        async with AsyncSopsClient(await aget_sops_connection("sops_default"), repeats=False) as client:
            await client.get_task_status(7)

    asyncio.run(call())


def revoke_at_once() -> None:
    with SopsHook() as hook:
        hook.revoke_at_once(7)


def keep_token(connection: EnosConnection) -> None:
    """Have a token already: how the token service is asked is another test's."""
    enos_tokens.keep_token(enos_tokens.TokenKey.of(connection), AccessToken("t0ken", math.inf))


def blocking_enos() -> None:
    with EnosHook() as hook:
        keep_token(hook.connection)
        hook.get_flow_instance("7-1")


def async_enos() -> None:
    async def call() -> None:
        connection = await aget_enos_connection("enos_default")
        keep_token(connection)
        async with AsyncEnosClient(connection) as client:
            await client.get_flow_instance("7-1")

    asyncio.run(call())


WAYS: dict[str, tuple[Callable[[], None], type[Exception]]] = {
    "hook": (blocking_sops, SopsError),
    "client": (async_sops, SopsError),
    "revoke at once": (revoke_at_once, SopsError),
    "EnOS hook": (blocking_enos, EnosError),
    "EnOS client": (async_enos, EnosError),
}


def knows_tokens(kind: Kind) -> Callable[[Exchange], None]:
    """Return a server's behaviour: the token service works."""

    def behave(exchange: Exchange) -> None:
        (answer(_TOKEN) if b"apim-token-service" in exchange.request.head else kind.answer)(exchange)

    return behave


@pytest.mark.parametrize(
    ("kind", "way"), [pytest.param(kind, way, id=f"{kind.name} | {way}") for kind in TRANSPORT for way in WAYS]
)
def test_every_kind_ends_as_a_named_error(server: HostileServer, kind: Kind, way: str) -> None:
    server.behave = knows_tokens(kind)
    call, errors = WAYS[way]
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()

    with pytest.raises(errors) as caught:
        call()

    assert time.monotonic() - began < TOTAL_SECONDS + MARGIN_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KILOBYTES
    error: Any = caught.value
    assert error.api in ("get_task_status", "operate_task", "get_flow_instance")
    assert "app-secret" not in str(error)
    assert len(server.requests) <= 6, "a redirect or an error was followed"


@pytest.mark.parametrize(
    ("kind", "way"),
    [pytest.param(kind, way, id=f"{kind.name} | {way}") for kind in ENDLESS for way in ("EnOS hook", "EnOS client")],
)
def test_the_token_service_does_not_hold_anybody_up(
    server: HostileServer, kind: Kind, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.hostile.test_transport_kinds.keep_token", lambda connection: None)
    server.behave = kind.answer
    call, errors = WAYS[way]
    began = time.monotonic()

    with pytest.raises(errors) as caught:
        call()

    assert time.monotonic() - began < TOTAL_SECONDS + MARGIN_SECONDS
    assert isinstance(caught.value, ConnectionFailedError)
