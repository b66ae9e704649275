"""The gateway hands everything on until an outage, and during one brings no usable answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.cluster.gateway import Gateway
from tests.cluster.plan import Outage, OutageKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_httpserver import HTTPServer


@pytest.fixture
def gateway(httpserver: HTTPServer) -> Iterator[Gateway]:
    httpserver.expect_request("/prod/start_task/7/2/", method="POST").respond_with_json({"result": True})
    with Gateway(httpserver.url_for("").rstrip("/")) as gateway:
        yield gateway


def start(gateway: Gateway) -> requests.Response:
    return requests.post(f"{gateway.url}/prod/start_task/7/2/", json={}, timeout=5)


@pytest.mark.parametrize(("kind", "reaches_sops"), [(OutageKind.NO_ANSWERS, False), (OutageKind.LOST_ANSWERS, True)])
def test_a_connection_is_closed_before_or_after_sops_has_acted(
    gateway: Gateway, httpserver: HTTPServer, kind: OutageKind, reaches_sops: bool
) -> None:
    gateway.outage = Outage(kind, 0, 1)
    with pytest.raises(requests.ConnectionError):
        start(gateway)
    assert bool(httpserver.log) == reaches_sops


def test_a_page_stands_in_place_of_an_answer(gateway: Gateway, httpserver: HTTPServer) -> None:
    gateway.outage = Outage(OutageKind.PAGES, 0, 1)
    answer = start(gateway)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (503, "text/html")
    assert not httpserver.log


def test_after_the_outage_it_hands_on_and_counts(gateway: Gateway) -> None:
    gateway.outage = Outage(OutageKind.PAGES, 0, 1)
    start(gateway)
    gateway.outage = None
    assert start(gateway).json() == {"result": True}
    assert gateway.requests == {"during an outage": 1, "start_task": 1}
