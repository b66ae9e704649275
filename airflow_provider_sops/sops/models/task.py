"""A task apart from its state: the answers of its creation, its detail, and lists of tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_mapping, read_text
from airflow_provider_sops.service.storable import keys_of_replaced
from airflow_provider_sops.service.text import web_address
from airflow_provider_sops.sops.constants import is_password, variable_name
from airflow_provider_sops.sops.models.dated import Dated
from airflow_provider_sops.sops.models.node import read_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sops.service.storable import Path


@dataclass(frozen=True, slots=True)
class CreatedTask:
    """The answer of ``create_task`` (and of ``create_and_start_task``, ``fast_create_task``).

    :param task_id: the new task's id.
    :param task_url: its page in SOPS; empty if SOPS names none or no web address.
    :param claim_url: the page on which somebody claims it, for ``flow_type="common_func"`` and from new servers only.
    :param pipeline_tree: the tree of the task with its own, new node ids.
    """

    task_id: int
    task_url: str = ""
    claim_url: str = ""
    pipeline_tree: Mapping[str, Any] = field(default_factory=dict, repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, data: Any) -> CreatedTask:
        """Read the answer's ``data``; ``task_id`` is -1 if the answer has no id."""
        data = read_mapping(data)
        task_id = read_id(data.get("task_id"))
        return cls(
            task_id=-1 if task_id is None else task_id,
            task_url=web_address(read_text(data.get("task_url"))),
            claim_url=web_address(read_text(data.get("function_task_claim_url"))),
            pipeline_tree=read_mapping(data.get("pipeline_tree")),
            raw=data,
        )


@dataclass(frozen=True, slots=True)
class TaskDetail(Dated):
    """The answer of ``get_task_detail``.

    :param outputs: the task's outputs as ``{"name": value}`` for ``${name}``, JSON types kept. Empty unless the task is
        FINISHED. SOPS caches this answer for 60 seconds, so read outputs with ``fresh``.
    :param constants: the constants' definitions by ``${key}``, with their input values, not rendered.
    :param pipeline_tree: the task's tree.
    :param changed_outputs: names of the outputs that could not be kept exactly as SOPS sent them.
    """

    id: int | None
    name: str
    task_url: str
    template_id: int | None
    outputs: Mapping[str, Any] = field(repr=False)
    constants: Mapping[str, Any] = field(repr=False)
    pipeline_tree: Mapping[str, Any] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)
    changed_outputs: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Any, replaced: Sequence[Path] = ()) -> TaskDetail:
        """Read the answer's ``data``; servers of 2019 use other names for some fields.

        :param replaced: where something in ``data`` was replaced.
        """
        data = read_mapping(data)
        outputs, changed = read_outputs(data.get("outputs"), keys_of_replaced(replaced, "outputs"))
        return cls(
            id=read_id(data.get("id")),
            name=read_text(data.get("name") or data.get("instance_name")),
            task_url=web_address(read_text(data.get("task_url"))),
            template_id=read_id(data.get("template_id")),
            outputs={variable_name(key): value for key, value in outputs.items()},
            constants=read_mapping(data.get("constants")),
            pipeline_tree=read_mapping(data.get("pipeline_tree")),
            raw=data,
            changed_outputs=tuple(map(variable_name, changed)),
        )

    @property
    def password_names(self) -> frozenset[str]:
        """Names of the task's password-type variables."""
        return frozenset(variable_name(key) for key, constant in self.constants.items() if is_password(constant))

    @property
    def shown_outputs(self) -> dict[str, Any]:
        """``outputs`` without password-type variables, which must not leave the process."""
        secret = self.password_names
        return {name: value for name, value in self.outputs.items() if name not in secret}


@dataclass(frozen=True, slots=True)
class TaskListItem(Dated):
    """One task of ``get_task_list``. Old servers leave fields out: ``None`` and empty texts say nothing.

    :param create_method: ``api``, ``app`` (by hand), ``periodic``, ``clocked``, ...
    :param creator: the user.
    :param template_source: ``project`` (from old servers ``business``), ``common``, or ``onetime`` for none.
    :param is_child: whether a subprocess of another task has made it.
    """

    id: int
    name: str
    is_started: bool
    is_finished: bool
    template_id: int | None
    create_method: str = ""
    creator: str = ""
    template_source: str = ""
    is_child: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, data: Any) -> TaskListItem:
        """Read one item; an id that is not a number becomes -1."""
        data = read_mapping(data)
        task_id = read_id(data.get("id"))
        return cls(
            id=-1 if task_id is None else task_id,
            name=read_text(data.get("name")),
            is_started=bool(data.get("is_started")),
            is_finished=bool(data.get("is_finished")),
            template_id=read_id(data.get("template_id")),
            create_method=read_text(data.get("create_method")),
            creator=read_text(data.get("creator")),
            template_source=read_text(data.get("template_source")),
            is_child=data.get("is_child_taskflow") is True,
            raw=data,
        )
