"""``bk_display``: a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode


class DisplayOperator(BaseOperator):
    """Write a message to the task's log.

    :param message: the message, of any type. (templated)
    """

    template_fields: Sequence[str] = ("message",)
    ui_color = "#e1ecff"

    def __init__(self, *, message: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.message = message

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the message; there are no outputs."""
        self.log.info("%s", self.message)
        return {}


def display(node: ConvertibleNode) -> BaseOperator | None:
    """Create the operator for a ``bk_display`` node."""
    return DisplayOperator(**node.task_args, message=node.inputs.get("bk_display_message", ""))
