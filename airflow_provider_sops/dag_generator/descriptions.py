"""What Airflow shows of a flow beside its tasks' names: documentation in Markdown, and what kind of node a task is.

All texts from SOPS are data: shortened, and escaped so that they are neither Markdown nor HTML.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_sops.dag_generator.constant_form import kept_value
from airflow_provider_sops.dag_generator.task_ids import kind_of
from airflow_provider_sops.service.reading import read_int, read_mapping, read_text
from airflow_provider_sops.service.storable import storable
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot

#: What kinds the tasks are that stand for no single node.
FLOW_START: Final = "flow start"
FLOW: Final = "flow"
FLOW_END: Final = "flow end"
SUBPROCESS_START: Final = "subprocess start"
SUBPROCESS_END: Final = "subprocess end"
LOOP: Final = "loop"
CHOICE: Final = "optional node?"

#: Above this many nodes the tasks have no documentation of their own: it would make the DAG in Airflow's database
#: noticeably larger.
MOST_DESCRIBED_NODES = 500
_MOST_ROWS = 100
_LONGEST_CELL = 80
_LONGEST_KIND = 100
#: SOPS's word for a plugin without versions.
_UNVERSIONED = "legacy"
_SPECIAL = str.maketrans({character: f"&#{ord(character)};" for character in "\\`*_{}[]<>#|~&!$^=\"'"})


def shown_kind(node: Node) -> str:
    """Return what a node is, in SOPS's words: its plugin's code, or the kind of gateway."""
    kind = kind_of(node)
    return _shortened(_plain(kind if isinstance(node, Activity) else kind.replace("_", " ")), _LONGEST_KIND)


def describe(task: Any, tree: PipelineTree, node: Node) -> None:
    """Let Airflow show of a node's task what the node is, and its documentation unless it has another.

    The documentation has only what Airflow does not show beside it: not the name, and not the kind of node.
    """
    show_kind(task, shown_kind(node))
    if task.doc_md is None:
        task.doc_md = _node_description(tree, node)


def show_kind(task: Any, kind: str) -> None:
    """Let graph and grid show what a task is instead of its class, unless the class has such a name itself."""
    if not hasattr(type(task), "custom_operator_name"):
        task.custom_operator_name = kind


def flow_description(snapshot: Snapshot, given: Collection[str]) -> str:
    """Return the documentation of a flow's DAG: its template, constants, nodes and outputs.

    :param given: the constants that the DAG's author sets, whose values may be secret.
    """
    tree = snapshot.tree
    parts = [_template(snapshot), *_constants(tree, given), *_nodes(tree), *_outputs(tree)]
    # Airflow reads a file if the text ends like its name.
    return "\n".join(parts) + "\n"


def _node_description(tree: PipelineTree, node: Node) -> str | None:
    """Return the documentation of an activity; ``None`` where the flow has too many nodes for that.

    There is nothing more to say of a gateway.
    """
    if len(tree.nodes) > MOST_DESCRIBED_NODES or not isinstance(node, Activity):
        return None
    facts = [f"Id in SOPS: {escaped(node.id)}"]
    if node.component is not None and node.component.version not in ("", _UNVERSIONED):
        facts.append(f"plugin version {escaped(node.component.version)}")
    if node.stage_name:
        facts.append(f"stage {escaped(node.stage_name)}")
    if node.optional:
        facts.append("optional")
    if node.error_ignorable:
        facts.append("its failures are ignored")
    if node.auto_retry:
        facts.append(f"SOPS retries it {node.auto_retry.times} times, every {node.auto_retry.interval_seconds} s")
    if node.timeout_config:
        facts.append(f"stopped after {node.timeout_config.seconds} s")
    # Airflow reads a file if the text ends like its name.
    return ", ".join(facts) + "."


def escaped(text: str) -> str:
    """Return a text of SOPS as Markdown that shows it, on one line and shortened."""
    shown = _shortened(_plain(text), _LONGEST_CELL)
    return shown if shown.isalnum() else shown.translate(_SPECIAL)


def _plain(text: str) -> str:
    if not text.isprintable():
        text = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(text.split())


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _template(snapshot: Snapshot) -> str:
    if snapshot.template_id is None:
        return "A flow of SOPS."
    kind = "public template" if snapshot.template_source == "common" else "template"
    name = f"{kind} {snapshot.template_id}: {escaped(snapshot.template_name)}"
    # A web address has no character that would end the link.
    parts = [f"SOPS [{name}](<{snapshot.template_url}>)" if snapshot.template_url else f"SOPS {name}"]
    if snapshot.project_name:
        parts.append(f"project {escaped(snapshot.project_name)}")
    if snapshot.bk_biz_id:
        place = "project id" if snapshot.scope == "project" else "business"
        parts.append(f"{place} {escaped(snapshot.bk_biz_id)}")
    if snapshot.edit_time:
        parts.append(f"saved {escaped(snapshot.edit_time)}")
    return ", ".join(parts) + "."


def _constants(tree: PipelineTree, given: Collection[str]) -> Iterable[str]:
    rows = []
    for key, raw in _ordered(tree.levels[()].constants):
        if raw.get("show_type") != "show" or is_password(raw):
            continue
        value = "set by this DAG" if key in given else escaped(_text(kept_value(raw)))
        rows.append([escaped(key), escaped(read_text(raw.get("name"))), value, escaped(read_text(raw.get("desc")))])
    return _table("Constants", ["Key", "Name", "Value", "Description"], rows)


def _nodes(tree: PipelineTree) -> Iterable[str]:
    nodes = [node for key in tree.graph.order if not isinstance(node := tree.nodes[key], Event)]
    rows = [
        [
            escaped(" > ".join([*(tree.nodes[node.key[:depth]].name for depth in range(1, len(node.key))), node.name])),
            escaped(shown_kind(node)),
            escaped(node.stage_name) if isinstance(node, Activity) else "",
        ]
        for node in nodes[:_MOST_ROWS]
    ]
    return _table("Nodes", ["Node", "Plugin", "Stage"], rows, count=len(nodes))


def _outputs(tree: PipelineTree) -> Iterable[str]:
    level = tree.levels[()]
    rows = []
    for key in level.outputs:
        raw = read_mapping(level.constants.get(key))
        if not is_password(raw):
            rows.append([escaped(key), escaped(read_text(raw.get("name")))])
    return _table("Outputs", ["Key", "Name"], rows)


def _ordered(constants: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    known = [(key, read_mapping(raw)) for key, raw in constants.items()]
    return sorted(known, key=lambda item: (read_int(item[1].get("index")), item[0]))


def _text(value: Any) -> str:
    return read_text(value) if isinstance(value, str) else json.dumps(storable(value), ensure_ascii=False)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, count: int | None = None) -> list[str]:
    if not rows:
        return []
    count = len(rows) if count is None else count
    lines = ["", f"### {title}", "", _row(header), _row(["---"] * len(header)), *map(_row, rows[:_MOST_ROWS])]
    return [*lines, "", f"{count - _MOST_ROWS} more are not listed."] if count > _MOST_ROWS else lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
