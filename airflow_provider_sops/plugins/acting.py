"""What somebody does in SOPS from the tab: checked, done in the name of the connection's user, and written down."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from airflow.models.log import Log
from airflow.providers.common.compat.sdk import AirflowException, conf
from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.text import log_entry

if TYPE_CHECKING:
    from airflow_provider_sops.plugins.live_tasks import Answer, LiveTasks
    from airflow_provider_sops.plugins.run_tasks import RunTask

log = logging.getLogger(__name__)

Action = Literal["pause", "resume", "revoke", "retry", "skip", "resume_node", "answer", "continue"]
_ON_TASKS = ("pause", "resume", "revoke")


class Order(BaseModel):
    """The body of a request that acts.

    :param run_id: with ``task_id`` and ``map_index`` the task instance whose SOPS task is meant.
    :param node_id: the node; empty for the task as a whole.
    :param inputs: of a retry: new values for all inputs of the node; ``None`` for those of the try before.
    :param approve: what is answered to an approval.
    """

    model_config = ConfigDict(extra="forbid")

    run_id: str = Field(max_length=250)
    task_id: str = Field(max_length=250)
    map_index: int = -1
    action: Action
    node_id: str = Field(default="", max_length=100)
    inputs: dict[str, Any] | None = None
    approve: bool | None = None


def actions_allowed() -> bool:
    """Whether people may act in SOPS from here, as ``[sops] ui_actions`` says."""
    return bool(conf.getboolean("sops", "ui_actions", fallback=True))


def check_same_site(request: Request) -> None:
    """Refuse what another website lets a browser send with the user's cookie.

    Browsers say where a request comes from. One that says nothing is no browser, and has no cookie by accident.

    :raises HTTPException: it comes from elsewhere, or is no JSON, which a form of another website cannot send.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Only application/json is accepted.")
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = {request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="") or "").netloc}
    if site is not None and site != "same-origin":
        raise HTTPException(403, "This request comes from another website.")
    if site is None and origin is not None and urlsplit(origin).netloc not in own - {""}:
        raise HTTPException(403, "This request comes from another website.")


def do(
    live: LiveTasks, task: RunTask, answer: Answer, order: Order, *, dag_id: str, session: Any, user: Any
) -> str | None:
    """Carry out an order and write down who gave it, in Airflow's audit log and the server's.

    :param answer: what was last known of the task.
    :return: why SOPS has not done it; ``None`` if it has.
    :raises HTTPException: the task is not known, or in its state nobody can do that.
    """
    name = _check(answer, order)
    about = {
        "sops_task_id": task.sops_task_id,
        "sops_conn_id": task.site.sops_conn_id,
        "node_id": order.node_id or None,
        "node": name or None,
        # Their values may be secret.
        "inputs": sorted(order.inputs) if order.inputs is not None else None,
        "approve": order.approve,
    }
    about = {key: value for key, value in about.items() if value is not None}
    entry = Log(
        event=f"sops_{order.action}",
        owner=user.get_name(),
        owner_display_name=user.get_name(),
        extra=json.dumps({**about, "outcome": "sent"}),
        dag_id=dag_id,
        run_id=order.run_id,
        task_id=order.task_id,
        map_index=order.map_index,
    )
    session.add(entry)
    # Whatever happens then, it is known who wanted it.
    session.commit()
    refusal = None
    try:
        live.act(task, order.action, order.node_id, order.inputs, approve=bool(order.approve))
    except (ServiceError, AirflowException) as error:
        refusal = log_entry(str(error))
        if answer.known is not None:
            refusal = answer.known.secrets.message(refusal)
    outcome = "refused" if refusal else "done"
    entry.extra = json.dumps({**about, "outcome": outcome, **({"reason": refusal[:500]} if refusal else {})})
    session.commit()
    log.info("%s in SOPS by %r: %s, %s", order.action, user.get_name(), json.dumps(about), outcome)
    return refusal


def _check(answer: Answer, order: Order) -> str:
    """Return the name of the node that is acted on; empty for the task as a whole.

    :raises HTTPException: that cannot be done now.
    """
    view = answer.view
    if answer.known is None or not view:
        raise HTTPException(503, f"SOPS does not answer: {answer.problem}")
    if order.action == "answer" and order.approve is None:
        raise HTTPException(422, "An answer to an approval says yes or no.")
    if order.inputs is not None and order.action != "retry":
        raise HTTPException(422, "Only a retry has inputs.")
    if order.action in _ON_TASKS:
        if order.node_id or order.action not in view["actions"]:
            raise HTTPException(409, f"The SOPS task is {view['state']}: it cannot be told to {order.action}.")
        return ""
    row = next((each for each in view["nodes"] if each["id"] == order.node_id), None)
    if row is None:
        raise HTTPException(404, "The SOPS task has no such node.")
    if order.action not in row["actions"]:
        raise HTTPException(409, f"The node is {row['look'] or 'not reached'}: {order.action} is not possible.")
    return str(row["name"])
