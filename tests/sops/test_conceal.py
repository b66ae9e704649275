"""No secret of a connection in an error, wherever in an answer a server or a proxy echoes it, and however encoded."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from airflow_provider_sops.service.http import HttpResponse
from airflow_provider_sops.service.settings import Limits, TransportSettings
from airflow_provider_sops.sops.connection import SopsConnection
from airflow_provider_sops.sops.errors import TRANSPORT_ERRORS, SopsError
from airflow_provider_sops.sops.gateway import ApiGateway, Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = {"app secret": "s3cr/t+of=the&app", "token": "t0ken-of-a-user", "proxy password": "pr0xy-pass"}
CONNECTION = SopsConnection(
    gateway=ApiGateway("https://bkapi.example.com"),
    credentials=Credentials("app", SECRETS["app secret"], bk_token=SECRETS["token"]),
    transport=TransportSettings(
        "https://bkapi.example.com", TRANSPORT_ERRORS, proxy=f"http://bob:{SECRETS['proxy password']}@proxy:3128"
    ),
    limits=Limits(),
    bk_biz_id="2",
)
ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL": lambda text: quote(text, safe=""),
    "URL in URL": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[1:-1],
    "Base64": lambda text: base64.b64encode(f"app:{text}".encode()).decode(),
}
PLACES: dict[str, Callable[[str], HttpResponse]] = {
    "message": lambda echo: answered({"message": f"refused: {echo}"}),
    "message that is no text": lambda echo: answered({"message": {"field": [echo]}}),
    "code": lambda echo: answered({"code": echo}),
    "trace id": lambda echo: answered({"trace_id": echo}),
    "request id": lambda echo: answered({"request_id": echo}),
    "redirect": lambda echo: HttpResponse(302, {"Location": f"/login/{echo}/?c_url={echo}"}, b""),
    "header": lambda echo: HttpResponse(502, {"X-Bkapi-Error-Message": echo, "X-Bkapi-Request-Id": echo}, b""),
    "content type": lambda echo: HttpResponse(200, {"Content-Type": f"text/{echo}"}, b"x"),
    "page": lambda echo: HttpResponse(502, {}, f"<p>{'x' * 460} GET /?secret={echo}</p>".encode()),
}


def answered(body: dict[str, object]) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps({"result": False, **body}).encode())


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_hidden(secret: str, echo: Callable[[str], str], place: Callable[[str], HttpResponse]) -> None:
    request = CONNECTION.request("get_task_status", {"task_id": 25})
    with pytest.raises(SopsError) as caught:
        CONNECTION.read(request, place(echo(secret)))
    error = caught.value
    shown = f"{error} {error.code} {error.trace_id} {error.server_message} {error.reason}"
    assert not any(each(secret)[:12] in shown for each in ECHOES.values())
    assert "***" in shown
