"""The passwords of a SOPS task, and what may be shown of its texts, inputs, outputs and logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.secrets import HIDDEN, Secrets, secret_texts
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.pipeline_tree import TreeIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.sops.models import NodeData, NodeStatus, TaskDetail, TaskStatus
    from airflow_provider_sops.sops.pipeline_tree.password_flow import PasswordFlow

#: Stands for a text in which a password could not be found if it were there.
WITHHELD = "(withheld: it may hold a password of the flow that cannot be told apart here; look at the flow in SOPS)"
#: What the engine adds to the outputs of each plugin, and in part to the inputs.
OUTPUTS_OF_ENGINE = ("_result", "_loop", "_inner_loop")


class TaskSecrets:
    """Hides the passwords of one SOPS task.

    :param details: the task, and before it the tasks around one that an independent subprocess has started, outermost
        first. ``None`` if any could not be read: then all is withheld that could hold a password.
    """

    def __init__(self, details: Sequence[TaskDetail] | None) -> None:
        self._is_readable = details is not None
        self._details = tuple(details or ())

    @cached_property
    def exist(self) -> bool:
        """Whether there is, or may be, any password."""
        return not self._is_readable or any(is_password(constant) for constant in self._constants())

    @cached_property
    def known(self) -> Secrets:
        """The passwords, as far as the tasks themselves tell them."""
        return Secrets(self.known_texts)

    @cached_property
    def known_texts(self) -> frozenset[str]:
        """The texts of ``known``."""
        from airflow_provider_sops.sops.pipeline_tree.password_flow import password_texts

        texts: set[str] = set()
        for constant in self._constants():
            if is_password(constant):
                texts |= password_texts(constant)
        for detail in self._details:
            texts |= secret_texts([detail.outputs.get(name) for name in detail.password_names])
        return frozenset(texts)

    @property
    def are_all_known(self) -> bool:
        """Whether there is no password beside ``known``."""
        if not self.exist:
            return True
        return self._flow is not None and not self._flow.has_unknown and not self._is_unknown_around

    def work_out(self) -> TaskSecrets:
        """Do now what takes long for a large flow, and return the same object."""
        if self.exist:
            _ = self.known, self._flow, self._is_unknown_around
        return self

    @property
    def are_known(self) -> bool:
        """Whether the tasks could be read."""
        return self._is_readable

    def tree(self) -> TreeIndex | None:
        """Return the nodes of the task, whose names hold no password, if it was read."""
        return self.named(TreeIndex(self._details[-1].pipeline_tree)) if self._details else None

    def named(self, tree: TreeIndex) -> TreeIndex:
        """Return the nodes of the task with names that hold no password."""
        return tree.renamed(self.known.hide_in) if self.exist else tree

    def status(self, status: TaskStatus) -> TaskStatus:
        """Return a status whose error texts and names hold no password."""
        if not self.exist:
            return status
        return replace(
            status,
            name=self.known.hide_in(status.name),
            nodes=self._named(status.nodes),
            ex_data={node_id: self.error(node_id, text) for node_id, text in status.ex_data.items()},
        )

    def named_node(self, node: NodeStatus) -> NodeStatus:
        """Return a node whose name holds no password; without a name, if the task could not be read."""
        if not self._is_readable:
            return replace(node, name="")
        return self._named({node.id: node})[node.id] if self.exist else node

    def error(self, node_id: str, text: str) -> str:
        """Return the error text of a node without passwords."""
        if not text or not self.exist:
            return text
        return WITHHELD if self._is_opaque(node_id) else self.known.hide_in(text)

    def message(self, text: str) -> str:
        """Return a text about the task as a whole without passwords."""
        if not self.exist:
            return text
        return self.known.hide_in(text) if self.are_all_known else WITHHELD

    def node(self, node_id: str, data: NodeData, log_text: str = "") -> tuple[NodeData, str]:
        """Return what there is to tell of a node, and its log, without passwords.

        An input that refers to a password is hidden as a whole.

        :param node_id: the node's id in the task.
        """
        if not self.exist:
            return data, log_text
        secrets = self.seen_by(node_id, data)
        names = self._flow.secret_inputs(node_id) if self._flow else data.inputs
        if secrets is None:
            outputs = {name: _withheld(name, value) for name, value in data.outputs.items()}
            told = (outputs, data.ex_data and WITHHELD, log_text and WITHHELD)
        else:
            told = (secrets.hide(data.outputs), secrets.hide_in(data.ex_data), secrets.hide_in(log_text))
        inputs = {
            self.known.hide(name): HIDDEN if name in names else (secrets or self.known).hide(value)
            for name, value in data.inputs.items()
        }
        return replace(data, inputs=inputs, outputs=told[0], ex_data=told[1], raw={}), told[2]

    def outputs(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return outputs of the task, by name, without passwords."""
        if not self.exist:
            return dict(outputs)
        return {name: WITHHELD if self._is_unknown(name) else self.known.hide(value) for name, value in outputs.items()}

    def reveals(self, name: str, value: Any, secrets: Secrets) -> bool:
        """Whether an output of the task, by its name, holds a password.

        :param secrets: what nodes have seen besides the passwords that the task tells.
        """
        return self.exist and (self._is_unknown(name) or (self.known | secrets).occur_in(value))

    def has_secret_inputs(self, node_id: str) -> bool:
        """Whether a node is given a password, or something made of one."""
        return self.exist and (self._flow is None or bool(self._flow.secret_inputs(node_id)))

    def seen_by(self, node_id: str, data: NodeData) -> Secrets | None:
        """Return the secrets that a node may tell; ``None`` if they are not all known."""
        if self._flow is None or self._is_unknown_around:
            return None
        seen = self._flow.seen_by(node_id, data.inputs)
        return None if seen is None else self.known | Secrets(seen)

    @cached_property
    def _flow(self) -> PasswordFlow | None:
        """The way of the passwords through the task itself."""
        return _password_flow(self._details[-1]) if self._details else None

    @cached_property
    def _is_unknown_around(self) -> bool:
        return any(_password_flow(detail).has_unknown for detail in self._details[:-1])

    def _is_opaque(self, node_id: str) -> bool:
        return self._flow is None or self._is_unknown_around or self._flow.is_opaque(node_id)

    def _is_unknown(self, name: str) -> bool:
        return self._flow is None or self._is_unknown_around or self._flow.is_unknown(f"${{{name}}}")

    def _named(self, nodes: Mapping[str, NodeStatus]) -> dict[str, NodeStatus]:
        return {
            node_id: replace(node, name=self.known.hide_in(node.name), children=self._named(node.children))
            for node_id, node in nodes.items()
        }

    def _constants(self) -> Iterator[Any]:
        """Yield all definitions of variables, at every level, also of subprocesses that run as tasks of their own."""
        waiting: list[Any] = [each for detail in self._details for each in (detail.constants, detail.pipeline_tree)]
        while waiting:
            each = waiting.pop()
            if isinstance(each, Mapping):
                if "custom_type" in each or "source_tag" in each:
                    yield each
                waiting += each.values()
            elif isinstance(each, list):
                waiting += each


def nodes_to_tell_apart(detail: TaskDetail) -> dict[str, str] | None:
    """Return the plugins of a task's nodes that wait for people, by id, for ``SopsTaskTrigger``.

    ``None`` where the name of some node holds a password: then the trigger has to read the task first.
    """
    known = TaskSecrets([detail]).known
    index = TreeIndex(detail.pipeline_tree)
    return None if any(known.occur_in(node.name) for node in index) else index.human_plugins


def _password_flow(detail: TaskDetail) -> PasswordFlow:
    # A DAG file has no use for it.
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.password_flow import PasswordFlow

    return PasswordFlow(PipelineTree(detail.pipeline_tree))


def _withheld(name: str, value: Any) -> Any:
    is_plain = value is None or isinstance(value, bool) or (name in OUTPUTS_OF_ENGINE and isinstance(value, int))
    return value if is_plain else WITHHELD
