"""A SOPS task apart from its state: its flow as a drawing, constants and outputs, without secrets. No I/O.

Texts of SOPS stay data: characters that nobody sees, or that turn the direction of a text, are escaped here, and the
page writes them as text only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.drawing.picture.layout import lay_out, route
from airflow_provider_sops.drawing.tree import figures_of, lines_of
from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.service.secrets import HIDDEN
from airflow_provider_sops.service.text import visible
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.variables import COMPONENT_OUTPUTS, EXPRESSION
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_secrets import TaskSecrets

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from airflow_provider_sops.drawing.picture import Figure, Line
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.pipeline_tree import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

#: The inputs of an approval and of a pause that say who is asked, and what.
_VERIFIERS, _QUESTION = "bk_verifier", ("bk_approve_title", "bk_approve_message", "description")
_LONGEST_VALUE, _LONGEST_FILLED = 20_000, 500


@dataclass(frozen=True)
class KnownTask:
    """A SOPS task apart from its state, with what is to be hidden of it.

    :param detail: as SOPS gives it.
    """

    detail: TaskDetail

    @cached_property
    def secrets(self) -> TaskSecrets:
        """What is to be hidden."""
        return TaskSecrets([self.detail]).work_out()

    @cached_property
    def tree(self) -> PipelineTree:
        """Its flow."""
        return PipelineTree(self.detail.pipeline_tree)

    @cached_property
    def drawing(self) -> dict[str, Any]:
        """All its levels as figures and lines with their places, and an ``id`` that changes with them."""
        return drawing_of(self.tree, self.shown)

    @property
    def waits_for_people(self) -> bool:
        """Whether it has nodes that wait for people."""
        return any(node.waits_for_person for node in self.tree.nodes.values())

    @property
    def name(self) -> str:
        """Its name without the key behind it."""
        key = TaskKey.in_name(self.detail.name)
        return self.full_name.rpartition(" #")[0] if key else self.full_name

    @property
    def full_name(self) -> str:
        """Its name as SOPS shows it."""
        return self.shown(self.detail.name)

    def shown(self, text: str) -> str:
        """Return a text of the flow without passwords, and with everything in it to be seen."""
        return visible(self.secrets.known.hide_in(text) if self.secrets.exist else text)

    def path_of(self, key: NodeKey) -> tuple[str, ...]:
        """Return the ids of a node in the task, behind those of the subprocesses around it."""
        return tuple(self.tree.nodes[key[:depth]].id for depth in range(1, len(key) + 1))

    def find(self, node_id: str) -> Node | None:
        """Return a node by its id in the task."""
        return next((node for node in self.tree.nodes.values() if node.id == node_id), None)

    def constants(self) -> list[dict[str, Any]]:
        """Return what the task was given."""
        found = []
        for key, raw in self.detail.constants.items():
            constant = read_mapping(raw)
            if constant.get("source_type") == COMPONENT_OUTPUTS:
                continue
            value = HIDDEN if is_password(constant) else self.secrets.known.hide(constant.get("value"))
            found.append(
                {"key": visible(key), "name": self.shown(read_text(constant.get("name"))), "value": shown_value(value)}
            )
        return found

    def outputs(self) -> list[dict[str, Any]]:
        """Return what the task has put out; nothing before it is FINISHED."""
        outputs = self.secrets.outputs(self.detail.shown_outputs)
        return [{"key": visible(name), "value": shown_value(value)} for name, value in outputs.items()]

    def asked(self, node: Node) -> dict[str, str] | None:
        """Return who is asked by a node that waits for a person, and what; ``None`` for other nodes."""
        if not node.waits_for_person or node.component is None:
            return None
        inputs = {name: read_mapping(raw).get("value") for name, raw in node.component.data.items()}
        # A subprocess has constants of its own, and only SOPS knows what they were given.
        is_inside = len(node.key) > 1
        question = (self._filled(inputs.get(name), is_inside=is_inside) for name in _QUESTION)
        who = self._filled(inputs.get(_VERIFIERS), is_inside=is_inside)
        return {"who": who, "what": "\n".join(filter(None, question))}

    def _filled(self, value: Any, *, is_inside: bool) -> str:
        """Return an input with what the task's constants were given, as far as they are short and can be shown."""
        text = read_text(value) if isinstance(value, str | int) else ""
        return self.shown(text if is_inside or len(text) > _LONGEST_VALUE else EXPRESSION.sub(self._given, text))

    def _given(self, reference: re.Match[str]) -> str:
        constant = read_mapping(self.detail.constants.get(reference[0]))
        value = constant.get("value")
        if (
            is_password(constant)
            or constant.get("source_type") == COMPONENT_OUTPUTS
            or not isinstance(value, str | int)
        ):
            return reference[0]
        given = read_text(value)
        return given if len(given) <= _LONGEST_FILLED else reference[0]


def shown_value(value: Any) -> str:
    """Return a value as a text for people: a text as it is, all else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return visible(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…")


def drawing_of(tree: PipelineTree, shown: Callable[[str], str]) -> dict[str, Any]:
    """Return the levels of a tree as figures and lines with their places, and an ``id`` that changes with them.

    :param shown: makes a text of the flow one that may be shown.
    """
    levels = []
    for path, level in tree.levels.items():
        figures, lines = figures_of(level, {}), lines_of(level)
        layout = lay_out(figures, lines)
        ids = [tree.nodes[path[:depth]].id for depth in range(1, len(path) + 1)]
        levels.append(
            {
                "path": ids,
                "name": shown(tree.nodes[path].name) if path else "",
                "figures": [_drawn_figure(each, layout.boxes[each.id], shown) for each in figures],
                "lines": [_drawn_line(each, layout, shown) for each in lines],
            }
        )
    text = json.dumps(levels, ensure_ascii=True, sort_keys=True)
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:16], "levels": levels}


def _drawn_figure(figure: Figure, box: Any, shown: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": figure.id,
        "shape": figure.shape.value,
        "name": shown(figure.name),
        "detail": shown(figure.detail),
        "optional": figure.is_optional,
        "box": [round(box.x, 1), round(box.y, 1), box.width, box.height],
    }


def _drawn_line(line: Line, layout: Any, shown: Callable[[str], str]) -> dict[str, Any]:
    points = route(layout.boxes[line.source], layout.boxes[line.target], line.sides, layout.ways.get(line.id, ()))
    return {
        "points": [[round(x, 1), round(y, 1)] for x, y in points],
        "label": shown(line.label),
        "words": shown(line.words),
    }
