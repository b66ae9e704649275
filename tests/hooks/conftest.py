"""A server that answers anything, one that misbehaves below HTTP, and both ways to call them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import tenacity

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient, aget_sops_connection
from airflow_provider_sops.service import retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_httpserver import HTTPServer

    from airflow_provider_sops.sops.answer import Answer

APP_SECRET = "s3cret/+&="


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats follow at once."""
    monkeypatch.setattr(retrying, "_growing_pause", tenacity.wait_none())


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy or certificate of the machine's own plays a part."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def set_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the connection ``sops_default``: ``set_connection(host, **extra)``."""

    def set_it(host: str, *, login: str = "airflow", password: str = APP_SECRET, **extra: Any) -> None:
        extra = {"bk_username": "admin", "bk_biz_id": "2", **extra}
        connection = {
            "conn_type": "sops",
            "host": host,
            "login": login,
            "password": password,
            "extra": {key: value for key, value in extra.items() if value is not None},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps(connection))

    return set_it


@pytest.fixture
def hook(httpserver: HTTPServer, set_connection: Callable[..., None]) -> Iterator[SopsHook]:
    """A hook on ``httpserver``."""
    set_connection(httpserver.url_for(""))
    with SopsHook() as hook:
        yield hook


def call_blocking(api: str, **parameters: Any) -> Answer:
    """Call through ``SopsHook``."""
    with SopsHook() as hook:
        return hook.call(api, **parameters)


def call_async(api: str, **parameters: Any) -> Answer:
    """Call through ``AsyncSopsClient``, in an event loop of its own."""

    async def call() -> Answer:
        async with AsyncSopsClient(await aget_sops_connection("sops_default")) as client:
            return await client.call(api, **parameters)

    return asyncio.run(call())


@pytest.fixture(params=[call_blocking, call_async], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Answer]:
    """Call SOPS through the connection ``sops_default``, in both ways."""
    way: Callable[..., Answer] = request.param
    return way
