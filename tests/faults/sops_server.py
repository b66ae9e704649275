"""A local_sops that can be killed with -9 and comes back on the same data and port."""

from __future__ import annotations

import re
import secrets
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import requests

from tests.aged_sops import DEFAULT_AGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_READY_LINE = re.compile(r"^local_sops listening on (http://[0-9.]+:([0-9]+))", re.MULTILINE)
_READY_SECONDS = 60
APP_CODE, BK_USERNAME, BK_BIZ_ID = "airflow", "admin", 2


class KillableSops:
    """local_sops as a child process. A context manager, which ends the process on the way out.

    :param command: path of the program ``local-sops``.
    :param folder: gets its data and its log.
    :param environment: of the program, without the secret.
    :param age: of the SOPS that it plays.
    """

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str], *, age: str = DEFAULT_AGE) -> None:
        # Characters that need escaping in a URL, and letters that no other text holds by chance.
        self.app_secret = f"s3cret+/&={secrets.token_urlsafe(18)}"
        self.url = ""
        self.kills = 0
        self._command = command
        self._age = age
        self._data = folder / "data"
        self._log_path = folder / "local_sops.log"
        self._environment = {**environment, "LOCAL_SOPS_APP_SECRET": self.app_secret, "PYTHONUNBUFFERED": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._restarting = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def database(self) -> Path:
        """Its SQLite file."""
        return self._data / "local_sops.sqlite3"

    def __enter__(self) -> KillableSops:
        self._start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def kill_and_restart(self, pause_seconds: float) -> None:
        """Kill it with -9, leave it dead for a while, and start it again."""
        with self._restarting:
            assert self._process is not None
            self._process.kill()
            self._process.wait()
            self.kills += 1
            time.sleep(pause_seconds)
            self._start()

    def task_outputs(self, task_id: int) -> dict[str, Any]:
        """Return what get_task_detail says of a task's outputs, by name, asked without the provider's code."""
        with self._restarting:
            answer = requests.get(
                f"{self.url}/api/c/compapi/v2/sops/get_task_detail/",
                params={
                    "bk_app_code": APP_CODE,
                    "bk_app_secret": self.app_secret,
                    "bk_username": BK_USERNAME,
                    "bk_biz_id": str(BK_BIZ_ID),
                    "task_id": str(task_id),
                    "asked_anew": str(time.time_ns()),
                },
                timeout=30,
            ).json()
        return {output["key"][2:-1]: output["value"] for output in answer["data"]["outputs"]}

    def _start(self) -> None:
        begun_at = self._log_path.stat().st_size if self._log_path.exists() else 0
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._command,
                    *("--port", str(self._port)),
                    *("--data", str(self._data)),
                    *("--app-code", APP_CODE),
                    *("--server", self._age),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            text = self._log_path.read_bytes()[begun_at:].decode(errors="replace")
            if match := _READY_LINE.search(text):
                self.url, self._port = match[1], int(match[2])
                return
            if self._process.poll() is not None:
                raise RuntimeError(f"local_sops ended at once:\n{text}")
            time.sleep(0.05)
        raise RuntimeError(f"local_sops was not ready after {_READY_SECONDS} s, see {self._log_path}")
