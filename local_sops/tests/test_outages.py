from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import requests
from sops_client import CREDENTIALS, running_server

from local_sops.gateways.outages import FAULTS, Outages

if TYPE_CHECKING:
    from pathlib import Path

HEADERS = {"X-Bkapi-Authorization": json.dumps(CREDENTIALS)}


def test_without_a_share_nothing_fails() -> None:
    outages = Outages(0.0)
    assert not any(outages.draw() for _ in range(1000))


def test_the_share_is_kept_and_every_fault_comes() -> None:
    outages = Outages(0.3)
    drawn = Counter(outages.draw() for _ in range(3000))
    assert 800 < sum(drawn[fault] for fault in FAULTS) < 1000
    assert all(drawn[fault] > 200 for fault in FAULTS)


def test_the_same_seed_draws_the_same_faults() -> None:
    first, second = Outages(0.5, seed=3), Outages(0.5, seed=3)
    assert [first.draw() for _ in range(50)] == [second.draw() for _ in range(50)]


def test_the_gateway_answers_with_its_own_errors_and_acts_before_a_timeout(data_folder: Path) -> None:
    with running_server(data_folder, "--gateway-faults", "1") as server:
        url = f"{server.client.base_url}/prod/create_task/18/2/"
        answers = [requests.post(url, headers=HEADERS, json={"name": "x"}, timeout=10) for _ in range(20)]
        esb = requests.get(
            f"{server.client.base_url}/api/c/compapi/v2/sops/get_user_project_list/", params=CREDENTIALS, timeout=10
        )
    assert {answer.status_code for answer in answers} == {403, 502, 504}
    for answer in answers:
        assert answer.headers["X-Bkapi-Error-Code"] == str(answer.json()["code"])
    assert esb.json()["code"] == 1306201
    with running_server(data_folder) as server:
        listed = requests.get(f"{server.client.base_url}/prod/get_task_list/2/", headers=HEADERS, timeout=10).json()
    assert listed["count"] == sum(answer.status_code == 504 for answer in answers)
