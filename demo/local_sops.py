"""local_sops as a child process, and the Airflow connection that reaches it."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.child_process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_READY_LINE = re.compile(r"^local_sops listening on (http://[0-9.]+:[0-9]+)", re.MULTILINE)
_READY_SECONDS = 60


@dataclass(frozen=True)
class LocalSops:
    """A running local_sops.

    :param url: its address, which is the gateway's root.
    :param process: the program; ``check()`` raises if it has ended.
    """

    url: str
    app_code: str
    app_secret: str = field(repr=False)
    bk_biz_id: int
    process: ChildProcess = field(repr=False)

    def connection_json(self, **extra: object) -> str:
        """Return the value of ``AIRFLOW_CONN_<ID>`` for a connection of type ``sops`` to this server.

        :param extra: fields that replace or join the connection's own extra fields.
        """
        return json.dumps(
            {
                "conn_type": "sops",
                "host": self.url,
                "login": self.app_code,
                "password": self.app_secret,
                "extra": {"bk_username": "admin", "bk_biz_id": self.bk_biz_id, **extra},
            }
        )


def start_local_sops(
    command: str,
    *,
    data_folder: Path,
    log_path: Path,
    environment: Mapping[str, str],
    port: int = 0,
    options: Sequence[str] = (),
) -> LocalSops:
    """Start local_sops with a new app secret and wait until it listens.

    The caller stops it with ``process.stop()``.

    :param command: path of the program ``local-sops``.
    :param port: 0 takes any free one.
    :param options: more of the command's own options.
    :raises ChildFailedError: it did not come up.
    """
    app_code, app_secret, bk_biz_id = "airflow", secrets.token_urlsafe(24), 2
    process = ChildProcess(
        "local_sops",
        [command, "--port", str(port), "--data", str(data_folder), "--app-code", app_code, *options],
        log_path=log_path,
        environment={**environment, "LOCAL_SOPS_APP_SECRET": app_secret},
    )
    process.start()
    try:
        ready = process.wait_for_line(_READY_LINE, _READY_SECONDS)
    except BaseException:
        process.stop()
        raise
    return LocalSops(ready[1], app_code, app_secret, bk_biz_id, process)
