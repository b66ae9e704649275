"""Steering a SOPS task or one of its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.operators.sops.base import SopsBaseOperator
from airflow_provider_sops.sops.endpoints import NODE_ACTIONS, TASK_ACTIONS
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.xcom import push_task, read_task_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg


class SopsStartTaskOperator(SopsBaseOperator):
    """Start a SOPS task and return its id. Does not wait for it: use ``SopsTaskSensor`` for that.

    A task that was started already is fine, by whomever: SOPS runs a task once. The start is asynchronous; SOPS
    answers before it has begun to run the task. An outage of SOPS is waited out on the worker, for up to
    ``max_outage_seconds``.

    Calls start_task and get_task_detail.

    :param sops_task_id: id of the task. (templated)
    """

    template_fields: Sequence[str] = (*SopsBaseOperator.template_fields, "sops_task_id")

    def __init__(self, *, sops_task_id: int | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sops_task_id = sops_task_id

    def execute(self, context: Context) -> int:
        """Start the task and return its id."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.operators.sops.exactly_once import start_task

        with airflow_errors(self.log):
            sops_task_id = read_task_id(self.sops_task_id)
            self.bear_outages()
            push_task(context, sops_task_id, self.hook.get_task_detail(sops_task_id, fresh=True).task_url)
            start_task(self.hook, sops_task_id, self.log)
            self.log.info("SOPS task %s is started.", sops_task_id)
            return sops_task_id


class _SopsSteeringOperator(SopsBaseOperator):
    """Common ground: a task, an action and the link.

    :param sops_task_id: id of the task. (templated)
    :param action: what to do. (templated)
    """

    template_fields: Sequence[str] = (*SopsBaseOperator.template_fields, "sops_task_id", "action")
    actions: tuple[str, ...] = ()

    def __init__(self, *, sops_task_id: int | str | XComArg, action: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sops_task_id = sops_task_id
        self.action = action

    def prepare(self, context: Context) -> int:
        """Check the parameters, set the link and return the task's id; outages are borne from now on."""
        if self.action not in self.actions:
            raise SopsInvalidParameterError(f"action is {self.action!r}; it must be one of {', '.join(self.actions)}")
        sops_task_id = read_task_id(self.sops_task_id)
        self.bear_outages()
        push_task(context, sops_task_id, self.hook.get_task_detail(sops_task_id, fresh=True).task_url)
        return sops_task_id


class SopsOperateTaskOperator(_SopsSteeringOperator):
    """Start, pause, resume or revoke a SOPS task.

    SOPS lets the node that runs at that moment finish: ``pause`` and ``revoke`` keep the next one from starting. It
    refuses what the task's state does not allow, and the operator then fails with SOPS's own words.

    An outage of SOPS is waited out on the worker, for up to ``max_outage_seconds``. An action whose answer was lost is
    sent again unless the task's state shows that it was done.

    Calls operate_task, get_task_detail and, after a lost answer, get_task_status.

    :param sops_task_id: id of the task. (templated)
    :param action: ``start``, ``pause``, ``resume`` or ``revoke``. (templated)
    """

    actions = TASK_ACTIONS

    def execute(self, context: Context) -> None:
        """Send the action."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.operators.sops.actions import act_on_task

        with airflow_errors(self.log):
            sops_task_id = self.prepare(context)
            act_on_task(self.hook, sops_task_id, self.action, self.log)
            self.log.info("SOPS task %s: %s is done.", sops_task_id, self.action)


class SopsOperateNodeOperator(_SopsSteeringOperator):
    """Retry, skip, answer, pause or force-fail one node of a SOPS task.

    An action that SOPS refuses is sent again for about five seconds: a node shows its state a moment before it can be
    acted on. A failed node inside a subprocess is named by its own id; a subprocess as a whole can be neither retried
    nor skipped.

    An outage of SOPS is waited out on the worker, for up to ``max_outage_seconds``. An action whose answer was lost is
    sent again only if the node still looks as it did before.

    Calls operate_node, get_task_detail and get_task_status.

    :param sops_task_id: id of the task. (templated)
    :param node_id: id of the node in the *task's* tree, not in the template's. (templated)
    :param action: ``retry`` and ``skip`` (failed nodes), ``callback`` (answers a pause node), ``forced_fail``,
        ``pause``, ``resume``, ``pause_subproc``, ``resume_subproc``, ``skip_exg`` and ``skip_cpg`` (failed
        gateways), ``retry_subprocess``. (templated)
    :param inputs: new inputs of the node, for ``retry``. (templated)
    :param data: data of the answer, for ``callback``. (templated)
    :param flow_id: the flow to follow, for ``skip_exg``. (templated)
    """

    template_fields: Sequence[str] = (
        *_SopsSteeringOperator.template_fields,
        "sops_node_id",
        "inputs",
        "data",
        "flow_id",
    )
    template_fields_renderers = {"inputs": "json", "data": "json"}  # noqa: RUF012 - Airflow's own form
    actions = NODE_ACTIONS

    def __init__(
        self,
        *,
        node_id: str,
        inputs: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        flow_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # `node_id` is taken: Airflow calls a task so in its graph.
        self.sops_node_id = node_id
        self.inputs = inputs
        self.data = data
        self.flow_id = flow_id

    def execute(self, context: Context) -> None:
        """Send the action."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.operators.sops.actions import act_on_node, find_node

        with airflow_errors(self.log):
            if not self.sops_node_id:
                raise SopsInvalidParameterError("node_id is empty; name a node of the task's tree")
            sops_task_id = self.prepare(context)
            act_on_node(
                self.hook,
                sops_task_id,
                self.sops_node_id,
                self.action,
                self.log,
                before=find_node(self.hook, sops_task_id, self.sops_node_id),
                inputs=None if self.inputs is None else dict(self.inputs),
                data=None if self.data is None else dict(self.data),
                flow_id=self.flow_id,
            )
            self.log.info("SOPS task %s, node %s: %s is done.", sops_task_id, self.sops_node_id, self.action)
