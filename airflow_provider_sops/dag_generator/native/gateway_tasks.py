"""Tasks that run nothing in SOPS: where branches part or meet, and where a run may leave a node out.

Inside mapped task groups Airflow does not handle decisions and joins itself:

- Airflow 3.3 skips what a branching task has not followed only outside mapped task groups: it looks for the decision of
  the map index -1, finds none, and runs all branches.
- Before Airflow 3.3 a task of the rule ``none_failed_min_one_success`` is skipped before it has been expanded.

So the tasks behind decisions and joins look themselves, on a worker, before they begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator, TriggerRule

from airflow_provider_sops.task_instance.flow_xcom import pull
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.state import read_states
from airflow_provider_sops.task_instance.xcom import DECISION_XCOM_KEY, EXCLUDED_XCOM_KEY
from airflow_provider_sops.version_compat import AIRFLOW_V_3_3_PLUS, SkipMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow.providers.common.compat.sdk import Context

    Hook = Callable[[Context], Any]

#: Where Airflow's SkipMixin keeps which of the tasks behind it are to run.
_FOLLOWED = "followed"


class PassingOperator(BaseOperator):
    """A parallel or converge gateway: the flow passes it once what is before it has ended. No worker runs it."""

    inherits_from_empty_operator = True
    ui_color = "#f0f0f0"

    def execute(self, context: Context) -> None:
        """Do nothing; only ``dag.test()`` comes here, and a worker behind a decision in a mapped task group."""


class ChoiceOperator(BaseOperator, SkipMixin):
    """Let the flow go around a node that the run leaves out, where an Airflow operator stands for the node.

    :param sops_node_id: the node's id in SOPS.
    :param flow_start_task_id: the task that knows which nodes the run leaves out.
    :param operator_task_id: the node's task.
    """

    inherits_from_skipmixin = True
    ui_color = "#f0f0f0"

    def __init__(self, *, sops_node_id: str, flow_start_task_id: str, operator_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sops_node_id = sops_node_id
        self.flow_start_task_id = flow_start_task_id
        self.operator_task_id = operator_task_id

    def execute(self, context: Context) -> None:
        """Skip the node's task if the run leaves the node out."""
        ti: Any = context["ti"]
        with airflow_errors(self.log):
            excluded = pull(ti, self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence()
        if self.sops_node_id not in excluded:
            self.skip_all_except(ti, [self.operator_task_id])
            return
        self.log.info("The node behind this task was left out of the run; the flow goes on behind it.")
        self.skip_all_except(ti, sorted(self.downstream_task_ids - {self.operator_task_id}))


@dataclass(frozen=True, slots=True)
class _Looking:
    """What a task does before it begins. Other than a function in a function, it can be pickled with its task.

    :param look: the look.
    :param then: what the DAG's author wants besides.
    """

    look: Hook
    then: Hook | None

    def __call__(self, context: Context) -> None:
        self.look(context)
        if self.then is not None:
            self.then(context)


def keep_to_followed_ways(tasks: Iterable[BaseOperator]) -> None:
    """Skip the tasks that the flow does not reach.

    :param tasks: all tasks of a flow, in a mapped task group, with their edges.
    """
    all_tasks = {task.task_id: task for task in tasks}
    for task in all_tasks.values():
        if any(isinstance(all_tasks.get(before), SkipMixin) for before in task.upstream_task_ids):
            _look_before(task, skip_unless_followed)
        if task.trigger_rule == TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS and not AIRFLOW_V_3_3_PLUS:
            task.trigger_rule = TriggerRule.NONE_FAILED
            _look_before(task, skip_unless_reached)


def _look_before(task: Any, look: Hook) -> None:
    if task.inherits_from_empty_operator:
        # Airflow would let it succeed without a worker, which alone can look.
        task.inherits_from_empty_operator = False
    task._pre_execute_hook = _Looking(look, task._pre_execute_hook)


def skip_unless_followed(context: Context) -> None:
    """Look at the decisions right before a task that is about to run.

    :raises AirflowSkipException: one of them was for other tasks.
    """
    ti: Any = context["ti"]
    for before in ti.task.upstream_list:
        if not isinstance(before, SkipMixin):
            continue
        decider: Any = before
        with airflow_errors(ti.task.log):
            decision = pull(ti, decider.task_id, DECISION_XCOM_KEY, may_be_skipped=True)
            is_followed = decision.is_missing or ti.task_id in decision.mapping().get(_FOLLOWED, [ti.task_id])
        if not is_followed:
            raise AirflowSkipException(f"{decider.task_id} has led the flow to another branch.")


def skip_unless_reached(context: Context) -> None:
    """Look at how the tasks right before a join have ended.

    :raises AirflowSkipException: none has succeeded.
    """
    ti: Any = context["ti"]
    states = read_states(ti, sorted(ti.task.upstream_task_ids))
    if "success" not in states.values():
        raise AirflowSkipException("The flow reaches this task on none of its branches.")
