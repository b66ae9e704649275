"""Choose the Airflow task ids of a tree's nodes.

A task id consists of the node's name, reduced to ``A-Z a-z 0-9 _ . -``, and the end of its id in SOPS:
``deploy_web__abae2494``. It depends on nothing else, so it and the task's history survive changes around the node. If
nothing readable remains of a name in another script, the plugin or the kind of gateway replaces it:
``bk_display__abae2494``. People see the full name, which is the display name.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.service.text import visible
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

#: The limits of Airflow's metadata database: for a task id including the ids of its groups, and for a display name.
LONGEST_TASK_ID = 250
LONGEST_DISPLAY_NAME = 2000

_LONGEST_PART = 60
_LONGEST_STAGE = 32
_ID_CHARACTERS = 8
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")
_WORD_BORDER = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class TaskName:
    """The names of one node.

    :param task_id: its id within the task group of its enclosing subprocess; for a subprocess, the id of its own group.
    :param full_task_id: the same with the ids of all groups as prefix, as Airflow's UI and API show it.
    :param display_name: its name in SOPS; for an unnamed gateway or event, its kind.
    """

    task_id: str
    full_task_id: str
    display_name: str


def name_tasks(tree: PipelineTree, group_id: str = "", *, stages: bool = False) -> dict[NodeKey, TaskName]:
    """Return the names of all nodes of a tree, including those in subprocesses.

    :param group_id: full id of the task group that will contain them; empty for none.
    :param stages: whether each stage has its own task group.
    :raises SopsInvalidParameterError: the groups around a node leave too little of Airflow's 250 characters.
    """
    names: dict[NodeKey, TaskName] = {}
    # The ids of the top-level groups; the outermost level comes first.
    taken: set[str] = set()
    # Every level comes after its enclosing one.
    for path, level in tree.levels.items():
        around = names[path].full_task_id if path else group_id
        prefix = f"{around}." if around else ""
        left = LONGEST_TASK_ID - len(prefix) - (_LONGEST_STAGE + 1 if stages else 0)
        longest = _longest_part(left)
        if longest < _ID_CHARACTERS:
            raise SopsInvalidParameterError(
                f"subprocess {' > '.join(path)}: with the ids of all their groups its tasks' ids would exceed"
                f" {LONGEST_TASK_ID} characters",
                advice="Give the task group a shorter id, or nest it less deeply.",
            )
        for key, task_id in _unique_ids(level.nodes.values(), longest, taken).items():
            stage = stage_id(tree.nodes[key]) if stages else ""
            full_task_id = f"{prefix}{stage}.{task_id}" if stage else f"{prefix}{task_id}"
            names[key] = TaskName(task_id, full_task_id, _display_name(tree.nodes[key]))
        if not path:
            taken = {names[key].full_task_id for key in names if key in tree.levels}
    return names


def stage_id(node: Node) -> str:
    """Return the id, within the level, of the task group of a node's stage; empty if the node has no stage."""
    name = node.stage_name if isinstance(node, Activity) else ""
    if not name:
        return ""
    readable = readable_part(name)[: _LONGEST_STAGE - _ID_CHARACTERS - 2].strip("_-") or "stage"
    return f"{readable}__{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:_ID_CHARACTERS]}"


def _longest_part(left: int) -> int:
    """Return how long an id may be so that ids nested inside it still fit."""
    wanted = min(_LONGEST_PART, left * 2 // 5)
    return max(wanted, min(_ID_CHARACTERS, left))


def _unique_ids(nodes: Iterable[Node], longest: int, taken: Collection[str]) -> dict[NodeKey, str]:
    """Choose ids of the nodes of one level.

    :param taken: ids of top-level groups. Airflow 2 rejects a nested group with the same id.
    """
    chosen: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        chosen[_task_id(node, _end_of_id(node), longest)].append(node)
    return {
        # The ends of two ids hardly ever match; digests never do.
        node.key: task_id if len(alike) == 1 and task_id not in taken else _task_id(node, _digest(node), longest)
        for task_id, alike in chosen.items()
        for node in alike
    }


def _task_id(node: Node, mark: str, longest: int) -> str:
    readable = readable_part(node.name) or readable_part(kind_of(node))
    readable = readable[: max(longest - len(mark) - 2, 0)].strip("_-")
    return f"{readable}__{mark}" if readable else mark


def readable_part(name: str) -> str:
    """Return the part of a name that is valid in an id or a file name; empty if nothing is."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return _ILLEGAL.sub("_", plain).strip("_-")


def _end_of_id(node: Node) -> str:
    return _ILLEGAL.sub("", node.key[-1])[-_ID_CHARACTERS:] or _digest(node)


def _digest(node: Node) -> str:
    return hashlib.sha256(node.key[-1].encode()).hexdigest()[:_ID_CHARACTERS]


def kind_of(node: Node) -> str:
    """Return what a node is: its plugin's code, ``subprocess``, or the kind of gateway or event."""
    if isinstance(node, SubProcess):
        return "subprocess"
    if isinstance(node, Activity) and node.plugin:
        return node.plugin
    return _WORD_BORDER.sub("_", node.type.removeprefix("Empty")).lower() or "node"


def _display_name(node: Node) -> str:
    # PostgreSQL accepts any character but this one.
    name = visible(node.name.replace("\0", "\N{SYMBOL FOR NULL}")) or kind_of(node).replace("_", " ")
    return name if len(name) <= LONGEST_DISPLAY_NAME else f"{name[: LONGEST_DISPLAY_NAME - 1]}…"
