"""The few calls of Airflow's REST API (v2) that the demonstration needs."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Self

_TIMEOUT_SECONDS = 30


class AirflowApi:
    """A logged-in session with an Airflow whose auth manager is the SimpleAuthManager.

    :param url: the API server's address.
    :raises requests.RequestException: the server does not answer, or refuses; also raised by every call below.
    """

    def __init__(self, url: str, *, user: str, password: str) -> None:
        self.url = url
        self._session = requests.Session()
        # Two programs on this machine need no proxy in between.
        self._session.trust_env = False
        login = {"username": user, "password": password}
        token = self._read(self._session.post(f"{url}/auth/token", json=login, timeout=_TIMEOUT_SECONDS))
        self._session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def add_connection(self, conn_id: str, connection: Mapping[str, Any]) -> None:
        """Store a connection, so that *Admin > Connections* shows it.

        :param connection: its fields, as in the JSON of a variable ``AIRFLOW_CONN_<ID>``.
        """
        body = {**connection, "connection_id": conn_id, "extra": json.dumps(connection.get("extra") or {})}
        self._read(self._session.post(f"{self.url}/api/v2/connections", json=body, timeout=_TIMEOUT_SECONDS))

    def knows_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed and stored."""
        response = self._session.get(f"{self.url}/api/v2/dags/{dag_id}", timeout=_TIMEOUT_SECONDS)
        return response.status_code == HTTPStatus.OK

    def import_errors(self) -> list[str]:
        """Return why DAG files could not be parsed."""
        return [item["stack_trace"] for item in self._get("importErrors")["import_errors"]]

    def unpause(self, dag_id: str) -> None:
        """Unpause a DAG; a paused one never runs, even if it is triggered."""
        url = f"{self.url}/api/v2/dags/{dag_id}"
        self._read(self._session.patch(url, json={"is_paused": False}, timeout=_TIMEOUT_SECONDS))

    def trigger(self, dag_id: str) -> str:
        """Start a run of the DAG with its default params; return the run id."""
        response = self._session.post(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None}, timeout=_TIMEOUT_SECONDS
        )
        return str(self._read(response)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self._get(f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of every task instance by task id; ``none`` if the scheduler has not seen it."""
        answer = self._get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return {item["task_id"]: item["state"] or "none" for item in answer["task_instances"]}

    def task_times(self, dag_id: str, run_id: str) -> dict[str, tuple[str, str]]:
        """Return start and end of every task instance of a run that has ended, by task id."""
        answer = self._get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return {item["task_id"]: (item["start_date"], item["end_date"]) for item in answer["task_instances"]}

    def mark_failed(self, dag_id: str, run_id: str, task_id: str) -> None:
        """End a task instance as marking it failed in the UI does."""
        response = self._session.patch(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}",
            json={"new_state": "failed"},
            timeout=_TIMEOUT_SECONDS,
        )
        self._read(response)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """Return a value that a task pushed, or ``None`` if there is none yet."""
        response = self._session.get(
            f"{self.url}/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}",
            params={"deserialize": "true"},
            timeout=_TIMEOUT_SECONDS,
        )
        return None if response.status_code == HTTPStatus.NOT_FOUND else self._read(response)["value"]

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, *, map_index: int = -1
    ) -> list[str]:
        """Return the lines of a task's log, an exception as its type and text."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        answer = self._get(f"{path}?map_index={map_index}")
        return [line for item in answer["content"] for line in _log_lines(item)]

    def _get(self, path: str) -> dict[str, Any]:
        return self._read(self._session.get(f"{self.url}/api/v2/{path}", timeout=_TIMEOUT_SECONDS))

    @staticmethod
    def _read(response: requests.Response) -> dict[str, Any]:
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


def _log_lines(item: dict[str, Any]) -> Iterator[str]:
    if not item["event"].startswith(("::group::", "::endgroup::")):
        yield item["event"]
    for error in item.get("error_detail") or ():
        yield f"{error['exc_type']}: {error['exc_value']}"
