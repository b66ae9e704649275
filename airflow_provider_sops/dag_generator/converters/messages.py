"""``bk_display`` and ``bk_notify``: a message to the log, and one to people through an Airflow notifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.notifier import BaseNotifier
from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.dag_generator.converters.registry import SOPS_OUTPUTS, NodeConverter
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

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


MakeNotifier = Callable[["ConvertibleNode"], "BaseNotifier | None"]
"""Creates the notifier for a node; ``None`` leaves the node to SOPS."""


class NotifyOperator(BaseOperator):
    """Send a notification; unlike in a callback, a failure to send it fails the task.

    :param notifier: sends it. Its template fields are rendered as fields of this task.
    """

    template_fields: Sequence[str] = ("message",)
    ui_color = "#e1ecff"

    def __init__(self, *, notifier: BaseNotifier, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notifier = notifier
        # Rendered here, since a notifier renders its fields on every call, even its own results: SOPS's strings would
        # become templates.
        self.message = {name: getattr(notifier, name) for name in notifier.template_fields}

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the notification; there are no outputs."""
        for name, value in self.message.items():
            setattr(self.notifier, name, value)
        self.notifier.notify(context)
        return {}


def bk_notify_converter(make_notifier: MakeNotifier) -> NodeConverter:
    """Return a converter that sends the message of ``bk_notify`` nodes through an Airflow notifier.

    ``converters.add("bk_notify", "*", bk_notify_converter(make_notifier))``. A node whose outputs (``code`` and
    ``message`` of the version ``legacy``) the flow uses stays in SOPS.

    :param make_notifier: creates the notifier for a node, with the node's inputs (``bk_notify_title``,
        ``bk_notify_content``, ``bk_more_receiver``, ...) in template fields of the notifier.
    """
    return NodeConverter(_Notify(make_notifier), outputs={})


@dataclass(frozen=True)
class _Notify:
    """The converter for ``bk_notify`` nodes; can be pickled if ``make_notifier`` can."""

    make_notifier: MakeNotifier

    def __call__(self, node: ConvertibleNode) -> BaseOperator | None:
        if set(node.needed_outputs) - set(SOPS_OUTPUTS):
            return None
        notifier = self.make_notifier(node)
        if notifier is None:
            return None
        if not isinstance(notifier, BaseNotifier):
            raise SopsInvalidParameterError(
                f"make_notifier must return a notifier, not a {type(notifier).__name__}",
                advice="Return a BaseNotifier, or None to leave the node to SOPS.",
            )
        return NotifyOperator(**node.task_args, notifier=notifier)
