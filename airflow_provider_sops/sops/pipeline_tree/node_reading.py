"""Reads the nodes of a tree as SOPS's editor and API write it.

Old field names are read too (``isSkipped``, ``can_retry``), and fields that an old server does not know yet may be
missing. A value of the wrong type never raises here: :mod:`validity` judges, reading does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_mapping, read_text
from airflow_provider_sops.sops.pipeline_tree.nodes import (
    INDEPENDENT_SUBPROCESS_PLUGIN,
    LONGEST_INTERVAL_SECONDS,
    MOST_AUTO_RETRIES,
    SUBPROCESS,
    Activity,
    AutoRetry,
    Component,
    Condition,
    Event,
    Gateway,
    SubProcess,
    TimeoutConfig,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey


def read_ids(value: Any) -> tuple[str, ...]:
    """Return ids that SOPS gives as one text or as a list of texts; an empty text is none."""
    ids = map(read_text, value if isinstance(value, list) else [value])
    return tuple(each for each in ids if each)


def inner_tree(activity: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the tree inside a subprocess as it stands in an activity; empty if there is none or it is folded."""
    pipeline = read_mapping(activity.get("pipeline"))
    if pipeline or not _is_independent(activity):
        return pipeline
    return read_mapping(_called_template(activity).get("pipeline"))


def read_event(node_id: str, key: NodeKey, raw: Mapping[str, Any], links: Mapping[str, tuple[str, ...]]) -> Event:
    """Read a start or end event.

    :param links: ``incoming``, ``outgoing``, ``sources`` and ``targets`` of the node.
    """
    return Event(**_node_fields(node_id, key, raw, links))


def read_gateway(node_id: str, key: NodeKey, raw: Mapping[str, Any], links: Mapping[str, tuple[str, ...]]) -> Gateway:
    """Read a gateway and its conditions; parameters as of ``read_event``."""
    return Gateway(**_node_fields(node_id, key, raw, links), conditions=read_conditions(raw))


def read_conditions(raw: Mapping[str, Any]) -> Mapping[str, Condition]:
    """Read the conditions of a gateway, by the id of the sequence flow."""
    conditions = {}
    for name, value in read_mapping(raw.get("conditions")).items():
        flow_id, condition = read_text(name), read_mapping(value)
        conditions[flow_id] = Condition(flow_id, read_text(condition.get("name")), read_text(condition.get("evaluate")))
    default = read_mapping(raw.get("default_condition"))
    if flow_id := read_text(default.get("flow_id")):
        conditions[flow_id] = Condition(flow_id, read_text(default.get("name")), "", is_default=True)
    return conditions


def read_activity(node_id: str, key: NodeKey, raw: Mapping[str, Any], links: Mapping[str, tuple[str, ...]]) -> Activity:
    """Read a plugin node or a subprocess; parameters as of ``read_event``."""
    fields: dict[str, Any] = {
        **_node_fields(node_id, key, raw, links),
        "template_node_id": read_text(raw.get("template_node_id")),
        "auto_retry": _read_auto_retry(read_mapping(raw.get("auto_retry"))),
        "component": _read_component(read_mapping(raw.get("component"))),
        "optional": bool(raw.get("optional", False)),
        "skippable": bool(raw.get("skippable", raw.get("isSkipped", True))),
        "retryable": bool(raw.get("retryable", raw.get("can_retry", True))),
        "error_ignorable": bool(raw.get("error_ignorable", False)),
        "timeout_config": _read_timeout(read_mapping(raw.get("timeout_config"))),
        "stage_name": read_text(raw.get("stage_name")),
    }
    independent = _is_independent(raw)
    if not independent and fields["type"] != SUBPROCESS:
        return Activity(**fields)
    called = _called_template(raw) if independent else raw
    return SubProcess(
        **fields,
        # Tasks keep the id that the API takes beside SOPS's internal one.
        template_id=read_text(raw.get("original_template_id") or called.get("template_id")),
        always_use_latest=bool(called.get("always_use_latest", False)),
        independent=independent,
        unfolded=bool(inner_tree(raw)),
    )


def _node_fields(
    node_id: str, key: NodeKey, raw: Mapping[str, Any], links: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    name, node_type = read_text(raw.get("name")), read_text(raw.get("type"))
    return {"id": node_id, "key": key, "type": node_type, "name": name, "raw": raw, **links}


def _is_independent(raw: Mapping[str, Any]) -> bool:
    return read_mapping(raw.get("component")).get("code") == INDEPENDENT_SUBPROCESS_PLUGIN


def _called_template(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an independent subprocess runs, which is an input of its plugin."""
    data = read_mapping(read_mapping(raw.get("component")).get("data"))
    return read_mapping(read_mapping(data.get("subprocess")).get("value"))


def _read_component(raw: Mapping[str, Any]) -> Component | None:
    if not raw:
        return None
    version = read_text(raw.get("version")) or "legacy"
    return Component(read_text(raw.get("code")), version, read_mapping(raw.get("data")))


def _read_auto_retry(raw: Mapping[str, Any]) -> AutoRetry | None:
    if not raw.get("enable"):
        return None
    return AutoRetry(
        times=_within(raw.get("times", MOST_AUTO_RETRIES), MOST_AUTO_RETRIES),
        interval_seconds=_within(raw.get("interval", 0), LONGEST_INTERVAL_SECONDS),
    )


def _within(value: Any, limit: int) -> int:
    """Return a number as the server reads it: the limit for one that it cannot read."""
    try:
        return min(abs(int(value)), limit)
    except (TypeError, ValueError, OverflowError):
        return limit


def _read_timeout(raw: Mapping[str, Any]) -> TimeoutConfig | None:
    seconds = read_id(raw.get("seconds"))
    if not raw.get("enable") or seconds is None:
        return None
    return TimeoutConfig(seconds=seconds, action=read_text(raw.get("action")) or "forced_fail")
