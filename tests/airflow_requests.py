"""Airflow's requests to people (*Required Actions*) as a worker and a trigger see them, without an Airflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class AirflowRequests:
    """The one request of a task instance.

    :param first: what was asked before and is kept; ``None``: nothing.
    :param refusal: what each call raises instead.
    :param answer: the option that was chosen; empty: none.
    :param asked: what workers have asked.
    :param closed: with which words triggers have closed it.
    """

    first: Any = None
    refusal: Exception | None = None
    answer: str = ""
    person: str = "ann"
    asked: list[Any] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def send(self, message: Any) -> Any:
        """Take a worker's request and return the one that is shown."""
        from airflow.api_fastapi.execution_api.datamodels.hitl import HITLDetailRequest

        self._refuse()
        # What Airflow's API would refuse is refused.
        HITLDetailRequest.model_validate(message.model_dump(exclude={"type"}))
        self.asked.append(message)
        return self.first or message

    def read(self, *, ti_id: Any) -> Any:
        """Return the answer to a trigger."""
        self._refuse()
        data = {"chosen_options": [self.answer], "responded_by_user": {"id": "7", "name": self.person}}
        return SimpleNamespace(response_received=bool(self.answer), model_dump=lambda mode: data)

    def close(self, *, ti_id: Any, chosen_options: list[str], params_input: dict[str, Any]) -> None:
        """Take a trigger's own answer."""
        self._refuse()
        self.closed += chosen_options

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal


def airflow_requests() -> Iterator[AirflowRequests]:
    """Put one in the place of Airflow's, for a fixture."""
    from airflow.sdk.execution_time import hitl, task_runner

    requests = AirflowRequests()
    with (
        mock.patch.object(task_runner, "SUPERVISOR_COMMS", requests, create=True),
        mock.patch.object(hitl, "get_hitl_detail_content_detail", requests.read),
        mock.patch.object(hitl, "update_hitl_detail_response", requests.close),
    ):
        yield requests
