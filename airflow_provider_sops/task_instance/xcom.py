"""What the tasks of this package pass to each other, and to the UI, through XCom: every key, and what it holds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

# Pushed by every operator and sensor for SOPS.
#: The id of the SOPS task.
TASK_ID_XCOM_KEY = "sops_task_id"
#: The address of its page in SOPS; missing if SOPS gives none, empty where the tasks of a flow ask for it.
TASK_URL_XCOM_KEY = "sops_task_url"
#: The address of the page on which somebody claims it; only with ``flow_type="common_func"``.
CLAIM_URL_XCOM_KEY = "sops_claim_url"
#: Its last known state word; pushed by those that wait.
TASK_STATE_XCOM_KEY = "sops_task_state"

# Pushed by the tasks of a flow that `SopsDag` makes.
#: By ``key_text`` of a node in the template: the ids on the way to it in the SOPS task; pushed by ``start``.
NODE_PATHS_XCOM_KEY = "sops_node_paths"
#: ``key_text`` of the subprocesses that run as SOPS tasks of their own; pushed by ``start``, by earlier versions only
#: if there are any.
INDEPENDENT_XCOM_KEY = "sops_independent_subprocesses"
#: How a node has ended, as SOPS says; pushed by the task that stands for it.
NODE_XCOM_KEY = "sops_node"
#: The same, and the outputs, of each node in a loop or a subprocess that is one task; pushed by that task.
NODES_XCOM_KEY = "sops_nodes"
#: Values of a level's variables by ``${key}``; pushed by every task that puts some out.
VARIABLES_XCOM_KEY = "sops_variables"
#: What a run was given for the constants of the flow, or a subprocess for its own, by ``${key}``.
CONSTANTS_XCOM_KEY = "sops_constants"
#: Ids of the nodes that a run leaves out.
EXCLUDED_XCOM_KEY = "sops_excluded"

# Pushed by the operator and the sensors for EnOS.
#: The id of the flow instance; pushed by the operator.
FLOW_INSTANCE_ID_XCOM_KEY = "enos_flow_instance_id"
#: The last known status word of the instance.
INSTANCE_STATUS_XCOM_KEY = "enos_status"

# Airflow's own.
#: What a task returned.
RETURN_XCOM_KEY = "return_value"
#: Which of the tasks behind a branching task are to run.
DECISION_XCOM_KEY = "skipmixin_key"


#: What is said of values that were changed.
CHANGED = "These %s hold what Airflow cannot store (see docs/running-a-flow.md) and were changed: %s"


def tell_changed(what: str, names: Iterable[str]) -> None:
    """Log which values are not exactly as they were sent, because logs, XComs or Airflow's database cannot store them.

    :param what: the values of what, for example ``outputs of SOPS task 7``.
    """
    shown = ", ".join(map(quoted, names))
    if shown:
        log.warning(CHANGED, what, shown)


#: What this process has pushed of SOPS tasks, by task instance: links need it once more when the task instance leaves
#: the process. With ``dag.test()`` a process has many of them, one after another.
_pushed: dict[Any, dict[str, str]] = {}
_MOST_PUSHED = 16


def push_task(context: Context, sops_task_id: int, task_url: str, claim_url: str = "") -> None:
    """Make a SOPS task known to the links and to other tasks, before anything that takes long."""
    ti: Any = context["ti"]
    ti.xcom_push(key=TASK_ID_XCOM_KEY, value=sops_task_id)
    if task_url:
        ti.xcom_push(key=TASK_URL_XCOM_KEY, value=task_url)
    if claim_url:
        ti.xcom_push(key=CLAIM_URL_XCOM_KEY, value=claim_url)
    ti_id = getattr(ti, "id", None)
    _pushed.pop(ti_id, None)
    while len(_pushed) >= _MOST_PUSHED:
        del _pushed[next(iter(_pushed))]
    _pushed[ti_id] = {TASK_URL_XCOM_KEY: task_url, CLAIM_URL_XCOM_KEY: claim_url}


def pushed_here(ti: Any) -> Mapping[str, str] | None:
    """Return the addresses that ``push_task`` has just pushed in this process, by key; ``None`` if it has not.

    :param ti: the running task instance of Airflow 3, where each try has an id of its own.
    """
    return _pushed.get(getattr(ti, "id", None))


def push_state(context: Context, state: str) -> None:
    """Make the last known state word of the SOPS task known to other tasks."""
    ti: Any = context["ti"]
    ti.xcom_push(key=TASK_STATE_XCOM_KEY, value=str(state))


def read_task_id(value: Any) -> int:
    """Return a ``sops_task_id`` as it comes out of a template.

    :raises SopsInvalidParameterError: it is not a positive number, such as the ``None`` of a missing XCom.
    """
    try:
        number = int(str(value).strip())
    except ValueError:
        number = 0
    if number < 1:
        raise SopsInvalidParameterError(
            f"sops_task_id is {value!r}, which is not the id of a SOPS task",
            advice="If it comes from XCom, check that the task which pushes it has run in this DAG run.",
        )
    return number
