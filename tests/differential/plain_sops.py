"""SOPS as whoever reads its documents would ask it: plain requests, no code of the provider."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from demo.local_sops import LocalSops

_TIMEOUT_SECONDS = 30
#: Above those of local_sops itself.
_FIRST_TEMPLATE = 5000
_LONGEST_RUN_SECONDS = 120
#: A flow has come to rest if nothing has changed for so long and nothing runs.
_REST_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.1
_OVER = ("FINISHED", "REVOKED")


class RefusedError(Exception):
    """SOPS says that it will not do it."""


class PlainSops:
    """A session with a local_sops. A context manager, which ends the session.

    :param templates: its folder of templates: a SOPS before 3.32 has no call that creates one from a tree.
    :raises RefusedError: from every call that SOPS refuses.
    """

    def __init__(self, sops: LocalSops, templates: Path) -> None:
        self._templates = templates
        self._numbers = itertools.count(_FIRST_TEMPLATE)
        self._root = f"{sops.url}/prod"
        self._project = sops.bk_biz_id
        self._session = requests.Session()
        self._session.trust_env = False
        who = {"bk_app_code": sops.app_code, "bk_app_secret": sops.app_secret, "bk_username": "admin"}
        self._session.headers["X-Bkapi-Authorization"] = json.dumps(who)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def create_template(self, name: str, tree: Any) -> int:
        """Store a tree; return the template's id."""
        number = next(self._numbers)
        content = json.dumps({"id": number, "name": name, "pipeline_tree": tree})
        unfinished = self._templates / f"{number}.unfinished"
        unfinished.write_text(content, encoding="utf-8")
        unfinished.rename(unfinished.with_suffix(".json"))
        return number

    def template_tree(self, template_id: int) -> Any:
        """Return the tree of a template as SOPS tells it."""
        return self._get(f"get_template_info/{template_id}/{self._project}")["pipeline_tree"]

    def create_task(self, template_id: int, name: str, excluded: Sequence[str]) -> int:
        """Make a task of a template; return its id."""
        body = {"name": name, "exclude_task_nodes_id": list(excluded)}
        return int(self._post(f"create_task/{template_id}/{self._project}", body)["task_id"])

    def start_task(self, task_id: int) -> None:
        """Start a task."""
        self._post(f"start_task/{task_id}/{self._project}", {})

    def detail(self, task_id: int) -> Any:
        """Return get_task_detail."""
        return self._get(f"get_task_detail/{task_id}/{self._project}")

    def node_detail(self, task_id: int, node_id: str, stack: Sequence[str]) -> Any:
        """Return get_task_node_detail.

        :param stack: the subprocesses around the node.
        """
        query = {"node_id": node_id, "subprocess_stack": json.dumps(list(stack))}
        return self._get(f"get_task_node_detail/{task_id}/{self._project}", **query)

    def final_status(self, task_id: int) -> Any:
        """Wait until a task is over, or rests in a failure, and return get_task_status.

        :raises TimeoutError: neither comes.
        """
        begun = time.monotonic()
        before, since = None, begun
        while (now := time.monotonic()) - begun < _LONGEST_RUN_SECONDS:
            status = self._get(
                f"get_task_status/{task_id}/{self._project}", with_ex_data="1", with_auto_retry_status="1"
            )
            if status["state"] in _OVER:
                return status
            if (seen := _marks(status)) != before:
                before, since = seen, now
            if status["state"] == "FAILED" and now - since > _REST_SECONDS and not _goes_on(status):
                return status
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise TimeoutError(f"SOPS task {task_id} is {before} after {_LONGEST_RUN_SECONDS} s")

    def _post(self, path: str, body: Any) -> Any:
        return self._read(self._session.post(f"{self._root}/{path}/", json=body, timeout=_TIMEOUT_SECONDS))

    def _get(self, path: str, **query: str) -> Any:
        return self._read(self._session.get(f"{self._root}/{path}/", params=query, timeout=_TIMEOUT_SECONDS))

    @staticmethod
    def _read(response: requests.Response) -> Any:
        answer = response.json()
        if not answer.get("result"):
            raise RefusedError(f"{response.request.url} was refused: {answer.get('message')}")
        return answer["data"]


def _marks(status: Any) -> list[tuple[Any, ...]]:
    return [(row["id"], row["state"], row["loop"], row["retry"]) for row in _rows(status)]


def _goes_on(status: Any) -> bool:
    running = any(row["state"] in ("RUNNING", "READY") for row in _rows(status) if not row["children"])
    # An older SOPS does not tell; the drawn flows are retried without a pause.
    retries = status.get("auto_retry_status") or {}
    return running or bool(retries.get("exist_auto_retry_nodes"))


def _rows(status: Any) -> Iterator[Any]:
    for row in status["children"].values():
        yield row
        yield from _rows(row)
