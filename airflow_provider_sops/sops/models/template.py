"""A template: the answers of ``get_template_info`` and ``get_template_list``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_mapping, read_text
from airflow_provider_sops.sops.constants import is_password

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Template:
    """The answer of ``get_template_info`` and ``get_common_template_info``.

    :param pipeline_tree: the template's tree; its node ids are what ``exclude_task_nodes_id`` takes.
    """

    id: int | None
    name: str
    pipeline_tree: Mapping[str, Any] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, data: Any) -> Template:
        """Read the answer's ``data``."""
        data = read_mapping(data)
        return cls(
            id=read_id(data.get("id")),
            name=read_text(data.get("name")),
            pipeline_tree=read_mapping(data.get("pipeline_tree")),
            raw=data,
        )

    @property
    def constants(self) -> Mapping[str, Any]:
        """The constants' definitions by ``${key}``."""
        return read_mapping(self.pipeline_tree.get("constants"))

    @property
    def activities(self) -> Mapping[str, Any]:
        """The activities (plugin nodes and subprocesses) of the top level by node id."""
        return read_mapping(self.pipeline_tree.get("activities"))

    @property
    def password_keys(self) -> frozenset[str]:
        """``${key}`` of every password-type constant."""
        return frozenset(key for key, constant in self.constants.items() if is_password(constant))


@dataclass(frozen=True, slots=True)
class TemplateListItem:
    """One template of ``get_template_list`` or ``get_common_template_list``."""

    id: int | None
    name: str
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, data: Any) -> TemplateListItem:
        """Read one item."""
        data = read_mapping(data)
        return cls(id=read_id(data.get("id")), name=read_text(data.get("name")), raw=data)
