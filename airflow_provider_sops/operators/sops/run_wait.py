"""The wait of a run for the end of its SOPS task: here or in the triggerer, and to people where they are needed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_sops.operators.sops.person_needed import call_for_person
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.outcome import outcome_error
from airflow_provider_sops.sops.person_request import PersonRequest
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_secrets import nodes_to_tell_apart
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy, WaitResult
from airflow_provider_sops.task_instance.node_report import EndedNode
from airflow_provider_sops.task_instance.outputs import read_secrets
from airflow_provider_sops.task_instance.required_action import (
    Answer,
    Asked,
    RequestState,
    give_answer,
    open_request,
)
from airflow_provider_sops.task_instance.task_follower import TaskFollower

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.operators.sops.execution import Execution
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.person_request import WaitingNode
    from airflow_provider_sops.triggers.sops import SopsTaskTrigger


class RunWait:
    """Waits for the end of one SOPS task.

    :param execution: the operator that runs it.
    :param sops_task_id: the task.
    :param task_url: its page in SOPS, for messages.
    """

    def __init__(self, execution: Execution, sops_task_id: int, task_url: str) -> None:
        self._execution = execution
        self._hook, self._settings, self._log = execution.hook, execution.settings, execution.log
        self._sops_task_id = sops_task_id
        self._task_url = task_url

    def begin(self, detail: TaskDetail, *, deferrable: bool, overcome: tuple[str, ...]) -> WaitResult:
        """Wait in the triggerer, once the settings' first seconds are over, or here.

        :param detail: the task.
        :param overcome: marks of the failures whose nodes were just retried.
        :raises TaskDeferred: with ``deferrable``; the wait goes on in ``resume``.
        """
        policy = self._settings.policy(self._execution.ti, time.time(), overcome)
        if deferrable and not self._settings.defer_after_seconds:
            self._wait_in_triggerer(policy, nodes_to_tell_apart(detail))
        follower = TaskFollower(self._hook, self._sops_task_id, policy, self._log, detail=detail)
        if not deferrable:
            while (result := follower.to_the_end()).outcome == Outcome.PERSON_NEEDED:
                self._call_for_person(result)
            return result
        followed = follower.for_a_while(self._settings.defer_after_seconds)
        if isinstance(followed, WaitPolicy):
            self._wait_in_triggerer(followed, nodes_to_tell_apart(detail))
        self._go_on_after(followed, policy, nodes_to_tell_apart(detail))
        return followed

    def resume(self, trigger: SopsTaskTrigger, event: Mapping[str, Any]) -> WaitResult:
        """Take over from a trigger, and return how the wait ended.

        :raises TaskDeferred: somebody is needed, or has answered in Airflow; the wait goes on in the triggerer.
        """
        answer = Answer.from_event(event)
        if answer is not None:
            self._give(answer, trigger)
        result = WaitResult.from_event(event)
        self._go_on_after(result, trigger.policy, trigger.human_nodes, trigger.asked)
        return result

    def _go_on_after(
        self,
        result: WaitResult,
        policy: WaitPolicy,
        human_nodes: Mapping[str, str] | None,
        asked: Asked | None = None,
    ) -> None:
        """Turn to people if the wait only stopped for that, and go on in the triggerer."""
        if result.outcome == Outcome.PERSON_NEEDED:
            self._call_for_person(result)
        elif result.outcome == Outcome.ASKED:
            for node in result.waiting:
                asked = self._ask(node, asked)
        else:
            return
        self._wait_in_triggerer(policy.after_announcing(result), human_nodes, asked)

    def _wait_in_triggerer(
        self, policy: WaitPolicy, human_nodes: Mapping[str, str] | None, asked: Asked | None = None
    ) -> NoReturn:
        from airflow_provider_sops.triggers.sops import SopsTaskTrigger

        trigger = SopsTaskTrigger(
            **site_of(self._hook).arguments,
            sops_task_id=self._sops_task_id,
            task_url=self._task_url,
            policy=policy,
            revoke_on_kill=self._settings.revoke_on_kill,
            human_nodes=human_nodes,
            asked=asked,
        )
        # An answer in Airflow ends the deferral without an event of the trigger.
        kwargs = {"trigger": trigger.arguments} if asked is not None and asked.is_open else None
        self._execution.defer(trigger=trigger, method_name="execute_complete", kwargs=kwargs)
        raise AssertionError("the operator's defer has returned")

    def _call_for_person(self, result: WaitResult) -> None:
        error = outcome_error(result, self._sops_task_id, self._task_url, self._execution.next_steps)
        call_for_person(self._settings.on_node_failed, self._execution.context, error, result.failure_marks, self._log)

    def _ask(self, node: WaitingNode, asked: Asked | None) -> Asked | None:
        """Ask in Airflow what a node asks in SOPS, and return about which node Airflow asks now."""
        name = node.name or node.path[-1]
        if asked is not None and asked.is_open:
            self._log.warning(
                "Node %s is not among Airflow's Required Actions: a task has one request there, and that of another "
                "node is open. Answer in SOPS.",
                quoted(name),
            )
            return asked
        secrets = read_secrets(self._hook, [self._sops_task_id])
        reader = EndedNode(node.path, node.plugin, "")
        data = reader.read_data(self._hook, self._sops_task_id, secrets, self._log)
        request = PersonRequest() if data is None else PersonRequest.of(secrets.node(node.path[-1], data)[0])
        state = open_request(self._execution.ti, name, node.plugin, request, self._log)
        return Asked(node.path, node.plugin, state)

    def _give(self, answer: Answer, trigger: SopsTaskTrigger) -> NoReturn:
        """Send SOPS an answer that somebody has given in Airflow, and go on with the wait."""
        asked = trigger.asked
        if asked is None or asked.state != RequestState.OPEN:
            self._log.warning("%s has answered what was asked before; no node takes that.", answer.who)
        else:
            give_answer(self._hook, self._sops_task_id, asked.path, asked.plugin, answer, self._log)
        policy = replace(trigger.policy, always_fresh=True)
        self._wait_in_triggerer(policy, trigger.human_nodes, None if asked is None else asked.closed)
