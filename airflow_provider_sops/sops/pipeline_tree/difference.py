"""In which nodes, flows and constants two trees of one template differ, in words.

Values are not told: those of plugin inputs and constants may be long, or secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.pipeline_tree.content import content_of_constants, content_of_node
from airflow_provider_sops.sops.pipeline_tree.validity import label_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sops.sops.pipeline_tree.levels import Flow, Level
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree


def differences(old: PipelineTree, new: PipelineTree) -> list[str]:
    """Return what is different in ``new``, one sentence each; empty if the content is the same."""
    found: list[str] = []
    for path, level in new.levels.items():
        if path not in old.levels:
            if path in old.nodes:
                found.append(f"{label_of(old.nodes[path])}: the flow inside it was not known before")
        else:
            found += _of_levels(old.levels[path], level)
    for path in old.levels:
        if path not in new.levels and path in new.nodes:
            found.append(f"{label_of(new.nodes[path])}: the flow inside it is not known any more")
    return found


def _of_levels(old: Level, new: Level) -> Iterator[str]:
    olds = {node.key: node for node in old.nodes.values()}
    news = {node.key: node for node in new.nodes.values()}
    yield from (f"{label_of(node)} was removed" for key, node in olds.items() if key not in news)
    yield from (f"{label_of(node)} was added" for key, node in news.items() if key not in olds)
    for key, node in news.items():
        if key in olds:
            before, after = content_of_node(olds[key]), content_of_node(node)
            if fields := _changed_fields(before, after):
                yield f"{label_of(node)} changed: {', '.join(fields)}"
    yield from _of_flows(old, new)
    where = f" of {' > '.join(new.path)}" if new.path else ""
    yield from _of_constants(content_of_constants(old), content_of_constants(new), where)
    if sorted(old.outputs) != sorted(new.outputs):
        yield f"the outputs{where} changed from {_listed(old.outputs)} to {_listed(new.outputs)}"


def _of_flows(old: Level, new: Level) -> Iterator[str]:
    before = {_ends(flow): flow for flow in old.flows.values()}
    after = {_ends(flow): flow for flow in new.flows.values()}
    yield from (f"{_words(flow, old)} was removed" for ends, flow in before.items() if ends not in after)
    yield from (f"{_words(flow, new)} was added" for ends, flow in after.items() if ends not in before)


def _ends(flow: Flow) -> tuple[str, str, str]:
    return flow.id, flow.source, flow.target


def _words(flow: Flow, level: Level) -> str:
    ends = (label_of(level.nodes[end]) if end in level.nodes else repr(end) for end in (flow.source, flow.target))
    return f"the flow from {next(ends)} to {next(ends)}"


def _of_constants(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from (f"constant {key}{where} was removed" for key in old if key not in new)
    yield from (f"constant {key}{where} was added" for key in new if key not in old)
    for key, constant in new.items():
        if key in old and (fields := _changed_fields(old[key], constant)):
            yield f"constant {key}{where} changed: {', '.join(fields)}"


def _changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Name the fields that differ; of a plugin its inputs, as ``component.data.<input>``."""
    fields = []
    for field in dict.fromkeys((*old, *new)):
        before, after = old.get(field), new.get(field)
        if before == after and (field in old) == (field in new):
            continue
        inner: list[str] = []
        if field in ("component", "data"):
            inner = _changed_fields(read_mapping(before), read_mapping(after))
        fields += [f"{field}.{part}" for part in inner] or [field]
    return fields


def _listed(keys: tuple[str, ...]) -> str:
    return ", ".join(sorted(keys)) or "none"
