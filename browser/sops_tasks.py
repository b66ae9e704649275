"""Tasks on a local_sops, made through its API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from demo.local_sops import LocalSops


class SopsTasks:
    """Runs tasks.

    :param server: the local_sops that is to run them.
    """

    def __init__(self, server: LocalSops) -> None:
        self._server = server
        self.url = server.url

    def run(self, template_id: int, **constants: Any) -> str:
        """Create and start a task; return the address of its page."""
        who = {
            "bk_app_code": self._server.app_code,
            "bk_app_secret": self._server.app_secret,
            "bk_username": "admin",
        }
        response = requests.post(
            f"{self.url}/prod/create_and_start_task/{template_id}/{self._server.bk_biz_id}/",
            json={
                "name": f"template {template_id}",
                "constants": {f"${{{name}}}": value for name, value in constants.items()},
            },
            headers={"X-Bkapi-Authorization": json.dumps(who)},
            timeout=30,
        )
        response.raise_for_status()
        return str(response.json()["data"]["task_url"])
