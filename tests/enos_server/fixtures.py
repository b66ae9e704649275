"""Fixtures around an ``EnosServer``; a module has them by ``pytest_plugins = ("tests.enos_server.fixtures",)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tenacity

from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.service import retrying
from tests.enos_server import EnosServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.hooks.enos import EnosHook


@pytest.fixture
def enos_server(request: pytest.FixtureRequest) -> Iterator[EnosServer]:
    """An EnOS of its own for a test; with ``indirect`` parameters, of another version than v2.1."""
    with EnosServer(version=getattr(request, "param", "v2.1")) as server:
        yield server


@pytest.fixture
def enos_default(enos_server: EnosServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[EnosServer]:
    """``enos_server`` behind the connection id ``enos_default``, in a process that has no token yet; no long pauses."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(retrying, "_growing_pause", tenacity.wait_none())
    monkeypatch.setenv("AIRFLOW_CONN_ENOS_DEFAULT", enos_server.connection_json())
    enos_tokens.forget_tokens()
    yield enos_server
    enos_tokens.forget_tokens()


@pytest.fixture
def enos_hook(enos_default: EnosServer) -> Iterator[EnosHook]:
    """A hook on ``enos_server``."""
    from airflow_provider_sops.hooks.enos import EnosHook

    with EnosHook() as hook:
        yield hook
