"""The nodes of a tree: activities, subprocesses, gateways and events, as frozen and typed data.

Follows the tree as SOPS's editor and API write it. Old names are read too (``isSkipped``, ``can_retry``), what a server
does not know yet is absent, and no value of a wrong type is ever an error here: :mod:`validity` judges, reading does
not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_int, read_mapping, read_text

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
#: The plugin as which a task shows a subprocess that runs as a task of its own.
INDEPENDENT_SUBPROCESS_PLUGIN = "subprocess_plugin"

NodeKey = tuple[str, ...]
"""The path to a node: ids of the subprocesses around it, outermost first, then its own, all as in the template."""


@dataclass(frozen=True, slots=True)
class AutoRetry:
    """How often, and after how many seconds, the server itself retries a failed node."""

    times: int
    interval_seconds: int


@dataclass(frozen=True, slots=True)
class TimeoutConfig:
    """After how many seconds the server stops a node, and what then.

    :param action: ``forced_fail``, or ``forced_fail_and_skip``, after which the flow goes on.
    """

    seconds: int
    action: str


@dataclass(frozen=True, slots=True)
class Component:
    """The plugin that an activity runs.

    :param version: ``legacy`` where the tree names none, as SOPS reads it.
    :param data: the inputs by name, each with its ``value``, ``hook`` and ``need_render``.
    """

    code: str
    version: str
    data: Mapping[str, Any] = field(repr=False)

    def rendered_values(self) -> Iterator[Any]:
        """Yield the inputs that SOPS renders, as they stand in the tree."""
        for value in map(read_mapping, self.data.values()):
            if value.get("need_render", True):
                yield value.get("value")


@dataclass(frozen=True, slots=True)
class Node:
    """What all nodes have.

    :param id: the node's id in this tree: of a task it is the id that SOPS's status uses, of a template the one that
        ``exclude_task_nodes_id`` takes.
    :param key: its path, the same in a template and (for activities) in the tasks made from it.
    :param type: SOPS's word, such as ``ServiceActivity``; empty where the tree gives none.
    :param incoming: ids of the flows that lead to it, as the node itself says.
    :param outgoing: ids of the flows that leave it, as the node itself says, in order.
    :param raw: the node as it stands in the tree.
    """

    id: str
    key: NodeKey
    type: str
    name: str
    incoming: tuple[str, ...] = field(repr=False)
    outgoing: tuple[str, ...] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Event(Node):
    """Where a level begins or ends."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an exclusive or conditional gateway says of one of its flows.

    :param evaluate: the expression that SOPS evaluates, empty for the default flow.
    :param is_default: whether the flow is taken when no expression is true.
    """

    flow_id: str
    name: str
    evaluate: str
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Gateway(Node):
    """A place where the flow forks, decides or converges.

    :param conditions: by flow id, the default flow's among them.
    """

    conditions: Mapping[str, Condition] = field(default_factory=lambda: MappingProxyType({}), repr=False)

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

    :param template_node_id: its id in the template as the tree says; empty in most templates and old servers' tasks.
    :param optional: whether it may be excluded when a task is created.
    :param skippable: whether a person may skip it after a failure.
    :param retryable: whether a person may retry it after a failure.
    :param error_ignorable: whether the flow goes on when it fails.
    :param stage_name: the stage that it belongs to, a label only.
    :param component: its plugin; ``None`` for a subprocess that runs inside the same task.
    """

    template_node_id: str = ""
    optional: bool = False
    skippable: bool = True
    retryable: bool = True
    error_ignorable: bool = False
    auto_retry: AutoRetry | None = None
    timeout_config: TimeoutConfig | None = None
    stage_name: str = ""
    component: Component | None = None

    @property
    def origin(self) -> str:
        """Its id in the template, by the rule with which SOPS itself follows nodes from template to task."""
        return self.template_node_id or self.id

    @property
    def plugin(self) -> str:
        """The plugin's code, else empty."""
        return self.component.code if self.component else ""

    @property
    def waits_for_person(self) -> bool:
        """Whether the node, once it runs, waits for somebody to act in SOPS."""
        return self.plugin in HUMAN_PLUGINS


@dataclass(frozen=True, slots=True)
class SubProcess(Activity):
    """A node that runs another template's flow.

    :param template_id: of that template: in a template's tree as the API counts them, else SOPS's internal one.
    :param template_source: ``project`` or ``common``; empty where the tree does not say.
    :param version: of that template, as the editor pinned it.
    :param always_use_latest: whether the pinned version does not matter.
    :param independent: whether it runs as a SOPS task of its own. Only a task's tree shows this.
    :param unfolded: whether the tree holds the other flow too.
    """

    template_id: str = ""
    template_source: str = ""
    version: str = ""
    always_use_latest: bool = False
    independent: bool = False
    unfolded: bool = False


def read_ids(value: Any) -> tuple[str, ...]:
    """Return ids that SOPS gives as one text or as a list of them; an empty text is none."""
    ids = map(read_text, value if isinstance(value, list) else [value])
    return tuple(each for each in ids if each)


def inner_tree(activity: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the tree inside a subprocess as it stands in an activity; empty if there is none or it is folded."""
    pipeline = read_mapping(activity.get("pipeline"))
    if pipeline or not _is_independent(activity):
        return pipeline
    data = read_mapping(read_mapping(activity.get("component")).get("data"))
    return read_mapping(read_mapping(read_mapping(data.get("subprocess")).get("value")).get("pipeline"))


def read_event(raw: Mapping[str, Any], path: NodeKey) -> Event:
    """Read a start or end event.

    :param path: key of the subprocess around it.
    """
    return Event(**_node_fields(read_text(raw.get("id")), (*path, read_text(raw.get("id"))), raw))


def read_gateway(node_id: str, raw: Mapping[str, Any], path: NodeKey) -> Gateway:
    """Read a gateway and its conditions."""
    conditions = {
        flow_id: Condition(flow_id, read_text(condition.get("name")), read_text(condition.get("evaluate")))
        for flow_id, condition in _mappings(raw.get("conditions"))
    }
    default = read_mapping(raw.get("default_condition"))
    if default_flow := read_text(default.get("flow_id")):
        conditions[default_flow] = Condition(default_flow, read_text(default.get("name")), "", is_default=True)
    return Gateway(**_node_fields(node_id, (*path, node_id), raw), conditions=MappingProxyType(conditions))


def read_activity(node_id: str, raw: Mapping[str, Any], key: NodeKey) -> Activity:
    """Read a plugin node or a subprocess."""
    component = read_mapping(raw.get("component"))
    fields: dict[str, Any] = {
        **_node_fields(node_id, key, raw),
        "template_node_id": read_text(raw.get("template_node_id")),
        "optional": bool(raw.get("optional", False)),
        "skippable": bool(raw.get("skippable", raw.get("isSkipped", True))),
        "retryable": bool(raw.get("retryable", raw.get("can_retry", True))),
        "error_ignorable": bool(raw.get("error_ignorable", False)),
        "auto_retry": _read_auto_retry(read_mapping(raw.get("auto_retry"))),
        "timeout_config": _read_timeout(read_mapping(raw.get("timeout_config"))),
        "stage_name": read_text(raw.get("stage_name")),
        "component": _read_component(component) if component else None,
    }
    independent = _is_independent(raw)
    if not independent and read_text(raw.get("type")) != SUBPROCESS:
        return Activity(**fields)
    called = raw
    if independent:
        called = read_mapping(read_mapping(read_mapping(component.get("data")).get("subprocess")).get("value"))
    return SubProcess(
        **fields,
        template_id=_read_template_id(raw, called),
        template_source=read_text(called.get("template_source")),
        version=read_text(called.get("version")),
        always_use_latest=bool(called.get("always_use_latest", False)),
        independent=independent,
        unfolded=bool(inner_tree(raw)),
    )


def _is_independent(raw: Mapping[str, Any]) -> bool:
    return read_mapping(raw.get("component")).get("code") == INDEPENDENT_SUBPROCESS_PLUGIN


def _read_template_id(raw: Mapping[str, Any], called: Mapping[str, Any]) -> str:
    """Prefer the id that the API takes; tasks keep it beside SOPS's internal one."""
    return read_text(raw.get("original_template_id") or called.get("template_id"))


def _node_fields(node_id: str, key: NodeKey, raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": node_id,
        "key": key,
        "type": read_text(raw.get("type")),
        "name": read_text(raw.get("name")),
        "incoming": read_ids(raw.get("incoming")),
        "outgoing": read_ids(raw.get("outgoing")),
        "raw": raw,
    }


def _read_component(raw: Mapping[str, Any]) -> Component:
    return Component(
        code=read_text(raw.get("code")),
        version=read_text(raw.get("version")) or "legacy",
        data=read_mapping(raw.get("data")),
    )


def _read_auto_retry(raw: Mapping[str, Any]) -> AutoRetry | None:
    if not raw.get("enable"):
        return None
    return AutoRetry(times=read_int(raw.get("times"), 1), interval_seconds=read_int(raw.get("interval")))


def _read_timeout(raw: Mapping[str, Any]) -> TimeoutConfig | None:
    seconds = read_id(raw.get("seconds"))
    if not raw.get("enable") or seconds is None:
        return None
    return TimeoutConfig(seconds=seconds, action=read_text(raw.get("action")) or "forced_fail")


def _mappings(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, each in read_mapping(value).items():
        yield read_text(key), read_mapping(each)
