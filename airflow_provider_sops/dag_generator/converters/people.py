"""``pause_node`` and ``bk_approve``: people answer in Airflow. Needs Airflow 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Param, literal
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLEntryOperator

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode
    from airflow_provider_sops.dag_generator.converters.registry import Outputs

_CALLBACK_DATA = "callback_data"
#: SOPS's word for an approval.
_APPROVED = "通过"


def _callback_data(answer: Any) -> Any:
    return (answer["params_input"] or {}).get(_CALLBACK_DATA, {})


def _approve_result(answer: Any) -> str:
    return _APPROVED


PAUSE_OUTPUTS: Outputs = {_CALLBACK_DATA: _callback_data}
#: A rejection fails the task, so a task with outputs was approved. There is no ticket number (``sn``).
APPROVE_OUTPUTS: Outputs = {"approve_result": _approve_result}


class PauseOperator(HITLEntryOperator):
    """Wait until someone continues the task in Airflow's required actions, optionally with data.

    Nothing continues automatically: if the node has a time limit, the task fails when it expires.
    """

    template_fields: Collection[str] = HITLEntryOperator.template_fields

    def __init__(self, **kwargs: Any) -> None:
        # Without options, HITLEntryOperator answers with its own option when the time is over.
        data = Param({}, type="object", title=_CALLBACK_DATA, description="The node's output callback_data, as JSON.")
        # The form asks for nothing else, so not for the params of default_args.
        super().__init__(**{**kwargs, "options": [self.OK], "params": {_CALLBACK_DATA: data}})


class ApproveOperator(ApprovalOperator):
    """Wait until someone approves in Airflow's required actions; a rejection fails the task.

    Airflow's permissions decide who may answer. The request names the people whom SOPS would have asked.

    :param name: the title of a request that has none.
    :param verifiers: the people whom SOPS would have asked, separated by commas. (templated)
    """

    template_fields: Collection[str] = (*ApprovalOperator.template_fields, "verifiers")

    def __init__(self, *, name: str, verifiers: Any = "", **kwargs: Any) -> None:
        super().__init__(fail_on_reject=True, **kwargs)
        self.name = name
        self.verifiers = verifiers

    def execute(self, context: Context) -> Any:
        """Ask."""
        self.subject = str(self.subject or self.name)
        parts = [str(self.body or ""), f"bk_verifier: {self.verifiers}" if self.verifiers else ""]
        self.body = "\n\n".join(part for part in parts if part)
        return super().execute(context)


def pause(node: ConvertibleNode) -> BaseOperator | None:
    """Create the operator for a ``pause_node``."""
    description = node.inputs.get("description")
    return PauseOperator(
        **_task_args(node),
        subject=literal(node.name),
        body=None if description is None else description.map(_as_text),
    )


def approve(node: ConvertibleNode) -> BaseOperator | None:
    """Create the operator for a ``bk_approve`` node; one whose flow goes on after a rejection stays in SOPS."""
    blocks = node.inputs.get("rejected_block")
    if blocks is not None and not (blocks.is_literal and blocks.literal is True):
        return None
    return ApproveOperator(
        **_task_args(node),
        name=node.name,
        subject=node.inputs["bk_approve_title"],
        body=node.inputs.get("bk_approve_message"),
        verifiers=node.inputs.get("bk_verifier"),
    )


def _task_args(node: ConvertibleNode) -> dict[str, Any]:
    """Return the operators' arguments; their time limit applies to the answer, not to the request."""
    limit = node.task_args.get("execution_timeout")
    return {"response_timeout": limit, **node.task_args, "execution_timeout": None}


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)
