from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from sops_client import BUSINESS, CREDENTIALS, running_server

from local_sops.config import RateLimit
from local_sops.gateways.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from pathlib import Path


def test_a_window_lets_so_many_requests_through_and_the_next_begins_anew() -> None:
    now = 100.0
    limiter = RateLimiter(RateLimit(2, 10), lambda: now)
    assert [limiter.seconds_to_wait() for _ in range(3)] == [0, 0, 10]
    now = 109.5
    assert limiter.seconds_to_wait() == 1
    now = 110.0
    assert [limiter.seconds_to_wait() for _ in range(3)] == [0, 0, 10]


def test_without_a_limit_everything_passes() -> None:
    limiter = RateLimiter(None)
    assert not any(limiter.seconds_to_wait() for _ in range(100))


def test_both_gateways_refuse_what_is_too_much_in_their_own_words(data_folder: Path) -> None:
    with running_server(data_folder, "--rate-limit", "2/60") as server:
        sops = server.client
        assert [sops.raw("GET", f"get_task_list/{BUSINESS}").status_code for _ in range(2)] == [200, 200]
        refused = sops.raw("GET", f"get_task_list/{BUSINESS}")
        esb = requests.get(
            f"{sops.base_url}/api/c/compapi/v2/sops/get_task_list/",
            params={**CREDENTIALS, "bk_biz_id": str(BUSINESS)},
            timeout=10,
        )
    assert refused.status_code == 429
    assert refused.json() == {
        "code": 1642902,
        "code_name": "RATE_LIMIT_RESTRICTION",
        "message": "API rate limit exceeded by stage strategy",
        "data": None,
        "result": False,
    }
    headers = {name: refused.headers[f"X-Bkapi-RateLimit-{name}"] for name in ("Limit", "Remaining", "Plugin")}
    assert headers == {"Limit": "2", "Remaining": "0", "Plugin": "bk-stage-rate-limit"}
    assert 0 < int(refused.headers["X-Bkapi-RateLimit-Reset"]) <= 60
    assert refused.headers["X-Bkapi-Error-Code"] == "1642902"
    assert esb.status_code == 200
    assert (esb.json()["result"], esb.json()["code"]) == (False, 1306429)
