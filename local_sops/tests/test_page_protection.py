"""Who may see the page and press its buttons."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import requests
from page_reader import Page
from sops_client import BUSINESS, SopsClient, running_server

if TYPE_CHECKING:
    from pathlib import Path

QUICK = 18


class TestProtection:
    @pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1"])
    def test_a_form_of_another_site_is_refused(self, sops: SopsClient, origin: str | None) -> None:
        created = sops.create(QUICK)
        refused = Page.get(created["task_url"]).press("start", origin=origin)
        assert (refused.status, refused.html) == (403, "This form did not come from a page of this server.")
        assert sops.status(created["task_id"])["state"] == "CREATED"

    def test_a_name_that_another_site_may_have_turned_here_is_refused(self, sops: SopsClient) -> None:
        answers = {
            host: requests.get(f"{sops.base_url}/", headers={"Host": host}, timeout=10).status_code
            for host in ("localhost:80", "[::1]:80", "192.0.2.7", "evil.example", "localhost.evil.example", "")
        }
        assert answers == {
            "localhost:80": 200,
            "[::1]:80": 200,
            "192.0.2.7": 200,
            "evil.example": 403,
            "localhost.evil.example": 403,
            "": 403,
        }

    def test_nothing_of_another_site_is_let_in(self, sops: SopsClient) -> None:
        headers = requests.get(f"{sops.base_url}/", timeout=10).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert headers["Referrer-Policy"] == "same-origin"

    def test_a_server_that_runs_scripts_asks_for_the_secret(self, data_folder: Path) -> None:
        with running_server(data_folder, "--allow-scripts", "--app-secret", "s3cret") as server:
            task_id = requests.post(
                f"{server.client.base_url}/prod/create_task/{QUICK}/{BUSINESS}/",
                json={"name": "x"},
                headers={
                    "X-Bkapi-Authorization": '{"bk_app_code": "airflow", "bk_app_secret": "s3cret", "bk_username": "x"}'
                },
                timeout=10,
            ).json()["data"]["task_id"]
            url = f"{server.client.base_url}/taskflow/execute/1/?instance_id={task_id}"
            statuses = [
                requests.get(address, auth=auth, timeout=10).status_code
                for address in (url, f"{server.client.base_url}/")
                for auth in (None, ("me", "wrong"), ("me", "s3cret"))
            ]
            assert statuses == [401, 401, 200] * 2
            own = {"Origin": server.client.base_url}
            asked = {"data": {"do": "start"}, "allow_redirects": False, "timeout": 10}
            assert requests.post(url, headers=own, **asked).status_code == 401
            assert requests.post(url, auth=("me", "s3cret"), **asked).status_code == 403
            assert requests.post(url, auth=("me", "s3cret"), headers=own, **asked).status_code == 303
            while "created by x" not in (shown := requests.get(url, auth=("me", "s3cret"), timeout=10).text):
                time.sleep(0.02)
            while "started by me" not in shown:
                shown = requests.get(url, auth=("me", "s3cret"), timeout=10).text

    def test_style_and_script_need_no_secret_and_nothing_else_is_a_file(self, sops: SopsClient) -> None:
        for name, status in (("style.css", 200), ("page.js", 200), ("..%2Frendering.py", 404), ("task.html", 404)):
            assert requests.get(f"{sops.base_url}/page/{name}", timeout=10).status_code == status
