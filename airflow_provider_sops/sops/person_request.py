"""What a node that waits for a person asks, and whom."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.service.text import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.models import NodeData
    from airflow_provider_sops.sops.node_result import NodePath

_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class WaitingNode:
    """A node that waits for a person.

    :param path: its id in the task, behind those of the subprocesses around it.
    :param plugin: its plugin's code.
    :param name: what it is called; empty if it has no name.
    """

    path: NodePath
    plugin: str
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {"path": list(self.path), "plugin": self.plugin, "name": self.name}

    @classmethod
    def from_json(cls, data: Any) -> WaitingNode:
        """Read back what ``to_json`` gave."""
        data = read_mapping(data)
        path = tuple(map(read_text, read_list(data.get("path"))))
        return cls(path, read_text(data.get("plugin")), read_text(data.get("name")))


@dataclass(frozen=True, slots=True)
class PersonRequest:
    """What a node asks: the inputs of ``bk_approve`` or ``pause_node``, in SOPS's own words.

    :param title: the title of an approval; a pause has none.
    :param text: what is to be approved, or what the pause is for.
    :param verifiers: who may answer an approval, as SOPS names them; empty for anybody.
    """

    title: str = ""
    text: str = ""
    verifiers: str = ""

    @classmethod
    def of(cls, data: NodeData) -> PersonRequest:
        """Return what the inputs of a node say, as SOPS has rendered them.

        :param data: the node's data, without passwords.
        """
        inputs = data.inputs
        return cls(
            title=_text(inputs, "bk_approve_title"),
            text=_text(inputs, "bk_approve_message") or _text(inputs, "description"),
            verifiers=_text(inputs, "bk_verifier"),
        )

    def lines(self) -> tuple[str, ...]:
        """Return what to show of it; nothing for what is empty."""
        told = {"who": self.verifiers, "title": self.title, "text": self.text}
        return tuple(f"{name}: {value}" for name, value in told.items() if value)


def _text(inputs: Mapping[str, Any], name: str) -> str:
    value = inputs.get(name)
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    return shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _LONGEST_TEXT)
