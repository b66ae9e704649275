"""A node that waits for a person, as one of Airflow's *Required Actions*.

A worker opens the request and defers the task. From Airflow 3.3 on an answer in Airflow ends the deferral; before, the
trigger looks for it. Where the node was answered in SOPS, the trigger closes the request: a worker may not, and a
trigger may not open one.

Airflow keeps one request for a task instance, over all its tries, with the words of the first. Where these are not
what a node asks now, nobody must be shown them: the trigger closes that request at once.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidOperationError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.node_result import NodePath
    from airflow_provider_sops.sops.person_request import PersonRequest
    from airflow_provider_sops.task_instance.log import TaskLog

_APPROVE, _REJECT, _CONTINUE = "Approve", "Reject", "Continue"
_APPROVAL_PLUGIN = "bk_approve"
#: What a request shows as its answer that was not answered in Airflow.
_CLOSED = "Closed: see SOPS"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+=.!|~&-])")
_LONGEST_SUBJECT = 200
#: How often a trigger looks for an answer, before Airflow 3.3.
_LOOK_SECONDS = 3.0

_Result = TypeVar("_Result")


class RequestState(StrEnum):
    """What a worker has made of a node's request; part of a trigger."""

    OPEN = "open"
    #: It shows what was asked before; the trigger closes it at once.
    STALE = "stale"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person has answered in Airflow.

    :param person: the name of the Airflow user; empty if it is not known.
    """

    option: str
    person: str

    @classmethod
    def from_event(cls, event: Any) -> Answer | None:
        """Return the answer that an event brings, by Airflow or by a trigger; ``None`` if it brings something else."""
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


@dataclass(frozen=True, slots=True)
class Asked:
    """A node of a run's SOPS task about which somebody was asked in Airflow; part of a trigger.

    :param path: its id in the task, behind those of the subprocesses around it.
    :param plugin: its plugin's code.
    :param state: what has become of the request.
    """

    path: NodePath
    plugin: str
    state: RequestState = RequestState.OPEN

    @property
    def node_id(self) -> str:
        """The node's own id."""
        return self.path[-1]

    @property
    def is_open(self) -> bool:
        """Whether the request has still to be closed."""
        return self.state != RequestState.CLOSED

    @property
    def is_stale(self) -> bool:
        """Whether it shows what was asked before."""
        return self.state == RequestState.STALE

    @property
    def closed(self) -> Asked:
        """The same, with a closed request."""
        return replace(self, state=RequestState.CLOSED)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {"path": list(self.path), "plugin": self.plugin, "state": self.state.value}

    @classmethod
    def from_json(cls, data: Any) -> Asked | None:
        """Read back what ``to_json`` gave; ``None`` if it is not that."""
        data = read_mapping(data)
        path = tuple(map(read_text, read_list(data.get("path"))))
        if not path:
            return None
        try:
            state = RequestState(read_text(data.get("state")))
        except ValueError:
            # A word of another version: what cannot be told must not be answered.
            state = RequestState.STALE
        return cls(path, read_text(data.get("plugin")), state)


def _options(plugin: str) -> list[str]:
    return [_APPROVE, _REJECT] if plugin == _APPROVAL_PLUGIN else [_CONTINUE]


def open_request(ti: Any, name: str, plugin: str, request: PersonRequest, log: TaskLog) -> RequestState:
    """Ask in Airflow what a node asks in SOPS, on a worker.

    :param ti: the running task instance.
    :param name: the node's.
    :param plugin: its plugin's code, which decides about the possible answers.
    """
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

    subject = (request.title or name)[:_LONGEST_SUBJECT]
    asked = CreateHITLDetailPayload(
        ti_id=ti.id,
        options=_options(plugin),
        subject=subject,
        body=_body(request, subject),
        # Airflow refuses what its own defaults are here.
        params={},
        assigned_users=[],
    )
    try:
        # Airflow's own function for it does not return which words it shows.
        shown: Any = task_runner.SUPERVISOR_COMMS.send(asked)
        is_shown = (shown.options, shown.subject, shown.body) == (asked.options, asked.subject, asked.body)
    except Exception as error:  # noqa: BLE001 - the node can be answered in SOPS, and the wait goes on
        log.warning("The node is not among Airflow's Required Actions: %s", error)
        return RequestState.CLOSED
    if not is_shown:
        log.warning(
            "The node is not among Airflow's Required Actions: Airflow would show what was asked first for this task, "
            "%s. Answer in SOPS.",
            quoted(str(shown.subject)),
        )
        return RequestState.STALE
    log.info("It can be answered in Airflow too: on this task's tab Required Action, or in Browse > Required Actions.")
    return RequestState.OPEN


def give_answer(hook: SopsHook, sops_task_id: int, path: NodePath, plugin: str, answer: Answer, log: TaskLog) -> None:
    """Send SOPS what a person has answered in Airflow, if the node still waits for that.

    Calls get_task_status and node_callback.

    :param path: the node's id in the task, behind those of the subprocesses around it.
    :param plugin: its plugin's code.
    :raises SopsError: SOPS could not be reached for some time; the node still waits.
    """
    row = hook.get_task_status(sops_task_id, fresh=True).at(path)
    if row is None or row.state != TaskState.RUNNING:
        log.warning("%s has answered too late: the node waits no more.", answer.who)
        return
    if answer.option not in _options(plugin):
        log.warning("%s has answered %s, which the node does not ask.", answer.who, quoted(answer.option))
        return
    user = hook.user
    log.info(
        "%s has answered %s in Airflow; SOPS is told so in the name of %s.",
        answer.who,
        quoted(answer.option),
        quoted(user) if user else "the connection's app",
    )

    def tell_sops() -> None:
        hook.node_callback(sops_task_id, path[-1], answer.callback_data, version=row.version or None)

    try:
        hook.bear("node_callback", tell_sops)
    except SopsInvalidOperationError as error:
        log.warning("SOPS does not take the answer; the node's state will tell: %s", error)


async def answered_or(wait: Coroutine[Any, Any, _Result], ti: Any, log: TaskLog) -> _Result | Answer:
    """Return how a wait ends, or the answer that somebody gives in Airflow before, in a trigger.

    :param ti: the waiting task instance.
    """
    waiting, asking = asyncio.create_task(wait), asyncio.create_task(_answer(ti, log))
    try:
        await asyncio.wait((waiting, asking), return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else asking.result()
    finally:
        waiting.cancel()
        asking.cancel()
        await asyncio.gather(waiting, asking, return_exceptions=True)


async def close_request(ti: Any, log: TaskLog) -> None:
    """Close a request that nobody has answered in Airflow, in a trigger."""
    from airflow.sdk.execution_time.hitl import update_hitl_detail_response
    from asgiref.sync import sync_to_async

    try:
        await sync_to_async(update_hitl_detail_response)(ti_id=ti.id, chosen_options=[_CLOSED], params_input={})
    except Exception as error:  # noqa: BLE001 - somebody may answer at this moment; the node has ended all the same
        log.debug("Airflow's request could not be closed: %s", error)


async def _answer(ti: Any, log: TaskLog) -> Answer:
    """Return the answer once there is one.

    From Airflow 3.3 on an answer to a deferred task ends its deferral, and with it the trigger; only one that was given
    before the deferral has to be looked for, once.
    """
    from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail
    from asgiref.sync import sync_to_async

    while True:
        try:
            found: Any = await sync_to_async(get_hitl_detail_content_detail)(ti_id=ti.id)
            answer = Answer.from_event(found.model_dump(mode="json")) if found.response_received else None
        except Exception as error:  # noqa: BLE001 - the node can be answered in SOPS, and the wait goes on
            log.debug("Airflow does not say whether its request was answered: %s", error)
            answer = None
        if answer is not None and answer.option != _CLOSED:
            return answer
        if AIRFLOW_V_3_3_PLUS:
            await asyncio.Event().wait()
        await asyncio.sleep(_LOOK_SECONDS)


def _body(request: PersonRequest, subject: str) -> str:
    """Return what a request says below its subject.

    The address of the SOPS task is not part of it: Airflow keeps the first words, and a clear may make another task.
    The tab *SOPS* beside the request has it.
    """
    verifiers = f"Verifiers: {request.verifiers}" if request.verifiers else ""
    parts = (request.title if request.title != subject else "", request.text, verifiers)
    return "\n\n".join(_as_text(each) for each in parts if each)


def _as_text(text: str) -> str:
    """Return a text of SOPS so that Airflow, which reads Markdown there, shows it as it is, line by line."""
    return "  \n".join(_MARKDOWN.sub(r"\\\1", line.strip()) for line in text.splitlines())
