"""A node that waits for a person, as one of Airflow's *Required Actions*.

A worker opens the request and defers the task; an answer in Airflow ends the deferral. Where the node was answered in
SOPS, the trigger closes the request: a worker may not, and a trigger may not open one. Earlier Airflows than 3.3 do not
end a deferral with an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.service.text import quoted

if TYPE_CHECKING:
    from airflow_provider_sops.sops.person_request import PersonRequest
    from airflow_provider_sops.task_instance.log import TaskLog

_APPROVE, _REJECT, _CONTINUE = "Approve", "Reject", "Continue"
_APPROVAL_PLUGIN = "bk_approve"
#: What a request shows as its answer that was not answered in Airflow.
_CLOSED = "Closed: see SOPS"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+.!|~&-])")
_LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person has answered in Airflow.

    :param person: the name of the Airflow user; empty if it is not known.
    """

    option: str
    person: str

    @classmethod
    def from_event(cls, event: Any) -> Answer | None:
        """Return the answer with which Airflow ended a deferral; ``None`` if a trigger ended it."""
        data = read_mapping(event)
        chosen = read_list(data.get("chosen_options"))
        if not chosen:
            return None
        user = read_mapping(data.get("responded_by_user"))
        return cls(read_text(chosen[0]), read_text(user.get("name")) or read_text(user.get("id")))

    def to_event(self) -> dict[str, Any]:
        """Return the answer as such an event, of plain JSON data."""
        return {"chosen_options": [self.option], "responded_by_user": {"name": self.person}}

    @property
    def who(self) -> str:
        """The person, for a text."""
        return quoted(self.person) if self.person else "somebody"

    @property
    def callback_data(self) -> dict[str, Any]:
        """What to send to the node."""
        return {} if self.option == _CONTINUE else {"approve_result": self.option == _APPROVE}


def open_request(ti: Any, name: str, plugin: str, request: PersonRequest, task_url: str, log: TaskLog) -> bool:
    """Ask in Airflow what a node asks in SOPS, on a worker; whether that worked.

    :param ti: the running task instance.
    :param name: the node's.
    :param plugin: its plugin's code, which decides about the possible answers.
    :param task_url: the SOPS task's page, or empty.
    """
    from airflow.sdk.execution_time.hitl import upsert_hitl_detail

    lines = [*map(_as_text, request.lines()), *filter(None, [task_url])]
    try:
        upsert_hitl_detail(
            ti_id=ti.id,
            options=[_APPROVE, _REJECT] if plugin == _APPROVAL_PLUGIN else [_CONTINUE],
            subject=(request.title or name)[:_LONGEST_SUBJECT],
            body="\n\n".join(lines),
            # Airflow refuses what its own default is here.
            params={},
        )
    except Exception as error:  # noqa: BLE001 - the node can be answered in SOPS, and the wait goes on
        log.warning("The node is not among Airflow's Required Actions: %s", error)
        return False
    log.info("It can be answered in Airflow too: see the tab Required Actions.")
    return True


async def close_request(ti: Any, log: TaskLog) -> None:
    """Close a request that nobody has answered in Airflow, in a trigger."""
    from airflow.sdk.execution_time.hitl import update_hitl_detail_response
    from asgiref.sync import sync_to_async

    try:
        await sync_to_async(update_hitl_detail_response)(ti_id=ti.id, chosen_options=[_CLOSED], params_input={})
    except Exception as error:  # noqa: BLE001 - somebody may answer at this moment; the node has ended all the same
        log.debug("Airflow's request could not be closed: %s", error)


def _as_text(line: str) -> str:
    """Return a text of SOPS so that Airflow, which reads Markdown there, shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", line)
