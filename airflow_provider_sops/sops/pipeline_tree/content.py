"""What a template does, regardless of how it is drawn and stored: as a hash, and how two versions of it differ.

The content is what SOPS runs: nodes, sequence flows, conditions, constants and outputs of every level. Left out are
positions, labels, ids that SOPS computes, what ``get_template_info`` adds for display, and the values of password
constants. Two ways to write the same (``isSkipped`` and ``skippable``, a text and a list of one, another order of keys
or of what is a set) count as one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping
from airflow_provider_sops.sops.constants import is_password, without_password
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON, Activity, SubProcess
from airflow_provider_sops.sops.pipeline_tree.validity import label_of
from airflow_provider_sops.sops.pipeline_tree.variables import COMPONENT_OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sops.sops.pipeline_tree.levels import Level, SequenceFlow
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

_NOT_CONTENT = frozenset(
    {
        "converge_gateway_id",
        "id",
        "incoming",
        "labels",
        "loop",
        "pipeline",
        "template_node_id",
        # Read under their new names.
        "can_retry",
        "isSkipped",
    }
)
_NOT_CONTENT_OF_CONSTANTS = frozenset({"schema"})
_SECRET = frozenset({"meta", "value", "value_emptied"})
#: What the editor notes about the line of a condition.
_NOT_CONTENT_OF_CONDITIONS = frozenset({"loc", "tag"})
#: Lists of a node whose order means nothing.
_SETS = ("outgoing", "hooked_constants", "scheme_id_list")

_HASH, _FIRST_HASH = "sha256-2", "sha256"


def content_hash(tree: PipelineTree) -> str:
    """Return the hash of a template's content, ``sha256-2:`` and 64 digits.

    The content of subprocesses counts only where the tree unfolds them.
    """
    levels = [
        [
            list(path),
            {node.key[-1]: _content_of_node(node) for node in level.nodes.values()},
            {each.id: [each.source, each.target] for each in level.sequence_flows.values()},
            _content_of_constants(level),
            sorted(set(level.outputs)),
        ]
        for path, level in sorted(tree.levels.items())
    ]
    return _hash(_HASH, levels)


def matches_hash(tree: PipelineTree, recorded: str) -> bool:
    """Whether a tree is the one of which a snapshot recorded the hash.

    Snapshots of earlier versions of this package have a hash, ``sha256:``, that depended on the order in which SOPS had
    listed subprocesses. It proves nothing where several orders are possible, since a snapshot does not keep the order.
    """
    if not recorded.startswith(f"{_FIRST_HASH}:"):
        return recorded == content_hash(tree)
    siblings = Counter(path[:-1] for path in tree.levels if path)
    return recorded == _first_hash(tree) or any(count > 1 for count in siblings.values())


def _first_hash(tree: PipelineTree) -> str:
    levels = [
        [
            list(path),
            {node.key[-1]: _first_content_of_node(node) for node in level.nodes.values()},
            {each.id: [each.source, each.target] for each in level.sequence_flows.values()},
            {key: _first_content_of_constant(read_mapping(raw)) for key, raw in level.constants.items()},
            sorted(level.outputs),
        ]
        for path, level in tree.levels.items()
    ]
    return _hash(_FIRST_HASH, levels)


def _hash(kind: str, content: Any) -> str:
    return f"{kind}:{hashlib.sha256(_canonical(content).encode()).hexdigest()}"


def _canonical(value: Any) -> str:
    """Return a JSON value as the text that all orders of its keys have in common."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def differences(old: PipelineTree, new: PipelineTree) -> list[str]:
    """Return in which nodes, sequence flows and constants two trees of one template differ, one sentence each.

    Values are not quoted: those of plugin inputs and constants may be long, or secret.

    :return: empty if the content is the same.
    """
    found: list[str] = []
    for path, level in new.levels.items():
        if path not in old.levels:
            if path in old.nodes:
                found.append(f"{label_of(old.nodes[path])}: the flow inside it was not known before")
        else:
            found += _of_levels(old.levels[path], level)
    for path in old.levels:
        if path not in new.levels and path in new.nodes:
            found.append(f"{label_of(new.nodes[path])}: the flow inside it is no longer known")
    return found


def _of_levels(old: Level, new: Level) -> Iterator[str]:
    olds = {node.key: node for node in old.nodes.values()}
    news = {node.key: node for node in new.nodes.values()}
    yield from (f"{label_of(node)} was removed" for key, node in olds.items() if key not in news)
    yield from (f"{label_of(node)} was added" for key, node in news.items() if key not in olds)
    for key, node in news.items():
        if key in olds:
            before, after = _content_of_node(olds[key]), _content_of_node(node)
            if fields := _changed_fields(before, after):
                yield f"{label_of(node)} changed: {', '.join(fields)}"
    yield from _of_sequence_flows(old, new)
    where = f" of {' > '.join(new.path)}" if new.path else ""
    yield from _of_constants(_content_of_constants(old), _content_of_constants(new), where)
    if set(old.outputs) != set(new.outputs):
        yield f"the outputs{where} changed from {_listed(old.outputs)} to {_listed(new.outputs)}"


def _of_sequence_flows(old: Level, new: Level) -> Iterator[str]:
    before = {(each.id, each.source, each.target): each for each in old.sequence_flows.values()}
    after = {(each.id, each.source, each.target): each for each in new.sequence_flows.values()}
    yield from (f"{_words(each, old)} was removed" for ends, each in before.items() if ends not in after)
    yield from (f"{_words(each, new)} was added" for ends, each in after.items() if ends not in before)


def _words(sequence_flow: SequenceFlow, level: Level) -> str:
    ends = (sequence_flow.source, sequence_flow.target)
    source, target = (label_of(level.nodes[end]) if end in level.nodes else repr(end) for end in ends)
    return f"the sequence flow from {source} to {target}"


def _of_constants(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from (f"constant {key}{where} was removed" for key in old if key not in new)
    yield from (f"constant {key}{where} was added" for key in new if key not in old)
    for key, constant in new.items():
        if key in old and (fields := _changed_fields(old[key], constant)):
            yield f"constant {key}{where} changed: {', '.join(fields)}"


def _changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the fields that differ; the inputs of a plugin as ``component.data.<input>``."""
    fields = []
    for field in dict.fromkeys((*old, *new)):
        before, after = old.get(field), new.get(field)
        # In Python true equals 1, which SOPS tells apart.
        if _canonical(before) == _canonical(after) and (field in old) == (field in new):
            continue
        inner: list[str] = []
        if field in ("component", "data"):
            inner = _changed_fields(read_mapping(before), read_mapping(after))
        fields += [f"{field}.{part}" for part in inner] or [field]
    return fields


def _listed(keys: tuple[str, ...]) -> str:
    return ", ".join(sorted(keys)) or "none"


def _content_of_node(node: Node) -> dict[str, Any]:
    """Return what a node does, by SOPS's names for it."""
    content = _first_content_of_node(node)
    content.update({field: sorted(content[field], key=_canonical) for field in _SETS if read_list(content.get(field))})
    if content.get("template_source") != COMMON:
        # Says nothing but that the called template is no common one.
        content.pop("template_source", None)
    if "conditions" in content:
        conditions = read_mapping(content["conditions"])
        content["conditions"] = {key: _content_of_condition(each) for key, each in conditions.items()}
    if "default_condition" in content:
        content["default_condition"] = _content_of_condition(content["default_condition"])
    return content


def _content_of_condition(condition: Any) -> dict[str, Any]:
    return {key: value for key, value in read_mapping(condition).items() if key not in _NOT_CONTENT_OF_CONDITIONS}


def _first_content_of_node(node: Node) -> dict[str, Any]:
    content = {key: value for key, value in node.raw.items() if key not in _NOT_CONTENT}
    content["outgoing"] = list(node.outgoing)
    if isinstance(node, Activity):
        content["skippable"], content["retryable"] = node.skippable, node.retryable
    if isinstance(node, SubProcess):
        # They are the values of the inner level's shown constants once it is unfolded.
        if node.unfolded:
            content.pop("constants", None)
        if node.always_use_latest:
            content.pop("version", None)
    return content


def _content_of_constants(level: Level) -> dict[str, dict[str, Any]]:
    """Return the constants of a level by key, of passwords without the value."""
    return {key: _content_of_constant(read_mapping(raw)) for key, raw in level.constants.items()}


def _content_of_constant(constant: Mapping[str, Any]) -> dict[str, Any]:
    content = _first_content_of_constant(constant)
    # Of an output's sources the first one counts; those of an input are a set.
    if content.get("source_type") != COMPONENT_OUTPUTS and read_mapping(content.get("source_info")):
        content["source_info"] = {
            node_id: sorted(fields, key=_canonical) if isinstance(fields, list) else fields
            for node_id, fields in content["source_info"].items()
        }
    return content


def _first_content_of_constant(constant: Mapping[str, Any]) -> dict[str, Any]:
    hidden = _NOT_CONTENT_OF_CONSTANTS
    if is_password(constant):
        constant, hidden = without_password(constant), hidden | _SECRET
    return {key: value for key, value in constant.items() if key not in hidden}
