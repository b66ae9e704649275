"""The nodes of a tree: activities, subprocesses, gateways and events, as frozen and typed data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_EVENT = "EmptyStartEvent"
END_EVENT = "EmptyEndEvent"
SERVICE_ACTIVITY = "ServiceActivity"
SUBPROCESS = "SubProcess"
PARALLEL_GATEWAY = "ParallelGateway"
CONDITIONAL_PARALLEL_GATEWAY = "ConditionalParallelGateway"
EXCLUSIVE_GATEWAY = "ExclusiveGateway"
CONVERGE_GATEWAY = "ConvergeGateway"

#: Gateways whose branches run side by side and meet at a converge gateway.
FORKS = frozenset({PARALLEL_GATEWAY, CONDITIONAL_PARALLEL_GATEWAY})
#: Gateways that decide by conditions.
DECIDING = frozenset({EXCLUSIVE_GATEWAY, CONDITIONAL_PARALLEL_GATEWAY})

#: Plugins that wait for a person. SOPS calls such a node RUNNING like any other.
HUMAN_PLUGINS = frozenset({"pause_node", "bk_approve"})
#: What a subprocess says of a called template that all projects share.
COMMON = "common"
#: The plugin as which a task shows a subprocess that runs as a task of its own.
INDEPENDENT_SUBPROCESS_PLUGIN = "subprocess_plugin"

NodeKey = tuple[str, ...]
"""The path to a node: ids of the subprocesses around it, outermost first, then its own, all as in the template."""


#: The server's upper limits, whatever a tree says (``TASKFLOW_NODE_AUTO_RETRY_MAX_TIMES`` and ``_MAX_INTERVAL``; the
#: interval's was 10 before 2026).
MOST_AUTO_RETRIES = 10
LONGEST_INTERVAL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class AutoRetry:
    """How often, and after how many seconds, SOPS itself retries a failed node, within the server's limits."""

    times: int
    interval_seconds: int


@dataclass(frozen=True, slots=True)
class TimeoutConfig:
    """After how many seconds SOPS stops a node, and what happens then.

    :param action: ``forced_fail``, or ``forced_fail_and_skip``, after which the flow continues.
    """

    seconds: int
    action: str


@dataclass(frozen=True, slots=True)
class Component:
    """The plugin that an activity runs.

    :param version: ``legacy`` where the tree has none, which is how SOPS reads it.
    :param data: the inputs by name, each with its ``value``, ``hook`` and ``need_render``.
    """

    code: str
    version: str = "legacy"
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def rendered_values(self) -> Iterator[Any]:
        """Yield the inputs that SOPS renders, as they stand in the tree."""
        for value in map(read_mapping, self.data.values()):
            if value.get("need_render", True):
                yield value.get("value")


@dataclass(frozen=True, slots=True)
class Node:
    """What all nodes have in common.

    :param id: the node's id in this tree: in a task the id that SOPS's status uses, in a template the one that
        ``exclude_task_nodes_id`` takes.
    :param key: its path, the same in a template and (for activities) in the tasks made from it.
    :param type: SOPS's word, such as ``ServiceActivity``; empty where the tree gives none.
    :param incoming: ids of the sequence flows that lead to it, as the node itself lists them.
    :param outgoing: ids of the sequence flows that leave it, as the node itself lists them.
    :param sources: ids of the nodes right before it on its level, in the order of ``incoming``.
    :param targets: ids of the nodes right behind it on its level, in the order of ``outgoing``.
    :param template_node_id: an activity's id in the template as the tree says; empty in most templates and in the tasks
        of old servers.
    :param auto_retry: of an activity, if SOPS retries it.
    :param timeout_config: of an activity, if SOPS limits its time.
    :param component: the plugin of an activity; ``None`` for a subprocess that runs inside the same task.
    :param raw: the node as it stands in the tree.
    """

    id: str
    key: NodeKey
    type: str
    name: str = ""
    incoming: tuple[str, ...] = field(default=(), repr=False)
    outgoing: tuple[str, ...] = field(default=(), repr=False)
    sources: tuple[str, ...] = field(default=(), repr=False)
    targets: tuple[str, ...] = field(default=(), repr=False)
    template_node_id: str = ""
    auto_retry: AutoRetry | None = None
    timeout_config: TimeoutConfig | None = None
    component: Component | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def plugin(self) -> str:
        """Code of the plugin that it runs; empty if it runs none."""
        return self.component.code if self.component else ""

    @property
    def waits_for_person(self) -> bool:
        """Whether the node, once it runs, waits for somebody to act in SOPS."""
        return self.plugin in HUMAN_PLUGINS

    @property
    def auto_retry_times(self) -> int:
        """How often SOPS itself retries the node once it has failed; 0 for never."""
        # SOPS retries what is inside a subprocess, never the subprocess as a whole.
        return self.auto_retry.times if self.auto_retry and self.type != SUBPROCESS else 0

    @property
    def auto_retry_interval_seconds(self) -> int:
        """How long SOPS waits before each of these retries; 0 if there are none."""
        return self.auto_retry.interval_seconds if self.auto_retry and self.type != SUBPROCESS else 0

    @property
    def timeout_skip_seconds(self) -> int | None:
        """After what time SOPS itself fails and skips the node; ``None`` if it never does."""
        limit = self.timeout_config
        return limit.seconds if limit and limit.action == "forced_fail_and_skip" else None


class Event(Node):
    """Where a level begins or ends."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """What an exclusive or conditional gateway says about one of its sequence flows.

    :param flow_id: id of the sequence flow.
    :param evaluate: the expression that SOPS evaluates; empty for the default.
    :param is_default: whether SOPS goes this way when no expression is true.
    """

    flow_id: str
    name: str
    evaluate: str
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Gateway(Node):
    """Where a flow forks, decides or converges.

    :param conditions: by the id of the sequence flow, the default included.
    """

    conditions: Mapping[str, Condition] = field(default_factory=dict, repr=False)

    @property
    def forks(self) -> bool:
        """Whether its branches run side by side, all or some of them."""
        return self.type in FORKS

    @property
    def is_exclusive(self) -> bool:
        """Whether exactly one of its branches runs."""
        return self.type == EXCLUSIVE_GATEWAY

    @property
    def converges(self) -> bool:
        """Whether branches meet here."""
        return self.type == CONVERGE_GATEWAY


@dataclass(frozen=True, slots=True)
class Activity(Node):
    """A node that does something: runs a plugin, or as a :class:`SubProcess` another flow.

    :param optional: whether it may be excluded when a task is created.
    :param skippable: whether a person may skip it after a failure.
    :param retryable: whether a person may retry it after a failure.
    :param error_ignorable: whether the flow continues when it fails.
    :param stage_name: the stage that it belongs to, a label only.
    """

    optional: bool = False
    skippable: bool = True
    retryable: bool = True
    error_ignorable: bool = False
    stage_name: str = ""


@dataclass(frozen=True, slots=True)
class SubProcess(Activity):
    """A node that runs another template's flow.

    :param template_id: of that template: in a template's tree the API's id, else SOPS's internal one.
    :param always_use_latest: whether SOPS runs that template's newest version instead of the pinned one.
    :param independent: whether it runs as a SOPS task of its own. Only a task's tree shows this.
    :param unfolded: whether the tree holds the other flow too.
    """

    template_id: str = ""
    always_use_latest: bool = False
    independent: bool = False
    unfolded: bool = False
