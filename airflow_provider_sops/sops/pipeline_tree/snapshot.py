"""Snapshots: a template as it was at one moment, to be kept beside DAG files.

A snapshot is a JSON object: which template of which SOPS it shows, the address of its page if that is known, the hash
of its content, and the tree with its subprocesses unfolded. It does not say when it was taken, so that an unchanged
template gives the same file again. The values of password constants are emptied, in every subprocess, and marked by
``value_emptied``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_mapping, read_text
from airflow_provider_sops.service.text import web_address
from airflow_provider_sops.sops.constants import is_password, without_password
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.content import content_hash, matches_hash
from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree, find_holder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.models import Template

FORMAT = "airflow-sops snapshot"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot.

    :param template_id: the template's id in SOPS; ``None`` if the tree was not read from a server.
    :param template_source: ``business`` or ``common``.
    :param bk_biz_id: the business or project that it was read through; empty if there was none.
    :param scope: what ``bk_biz_id`` is.
    :param project_name: the template's project, for people.
    :param edit_time: when the template was last saved, as SOPS writes it.
    :param recorded_hash: of the tree when the snapshot was taken, as that version of this package computed it; empty if
        it is not known.
    :param tree: the tree, without passwords.
    :param template_url: the template's page in SOPS; empty if it is not known. It does not count in comparisons.
    """

    template_id: int | None
    template_name: str
    template_source: str
    bk_biz_id: str
    scope: str
    project_name: str
    edit_time: str
    recorded_hash: str
    tree: PipelineTree = field(repr=False)
    template_url: str = ""

    @property
    def content_hash(self) -> str:
        """The hash of the tree as it is."""
        return content_hash(self.tree)

    @property
    def was_edited(self) -> bool:
        """Whether the tree is not the one that was taken."""
        return bool(self.recorded_hash) and not matches_hash(self.tree, self.recorded_hash)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "content_hash": self.content_hash,
            "template": {
                "id": self.template_id,
                "name": self.template_name,
                "source": self.template_source,
                "bk_biz_id": self.bk_biz_id,
                "scope": self.scope,
                "project_name": self.project_name,
                "edit_time": self.edit_time,
                **({"url": self.template_url} if self.template_url else {}),
            },
            "pipeline_tree": self.tree.to_dict(),
        }


def take_snapshot(template: Template, *, template_source: str, bk_biz_id: int | str | None, scope: str) -> Snapshot:
    """Take a snapshot of a template.

    :param template: as get_template_info answers it, with its subprocesses unfolded.
    :param template_source: ``business`` or ``common``, as requested.
    """
    tree = PipelineTree(without_passwords(template.pipeline_tree))
    return Snapshot(
        template_id=template.id,
        template_name=template.name,
        template_source=template_source,
        bk_biz_id=read_text(bk_biz_id),
        scope=scope,
        project_name=read_text(template.raw.get("project_name")),
        edit_time=read_text(template.raw.get("edit_time")),
        recorded_hash=content_hash(tree),
        tree=tree,
    )


def read_snapshot(content: Any) -> Snapshot:
    """Read a snapshot, or whatever else holds a tree, about which less is known then.

    :param content: the JSON object.
    :raises SopsInvalidParameterError: there is no tree in it, or a newer version of this package has written it.
    """
    holder = find_holder(content)
    version = read_id(holder.get("format_version")) or FORMAT_VERSION
    if holder.get("format") == FORMAT and version > FORMAT_VERSION:
        raise SopsInvalidParameterError(
            f"this snapshot has the format version {version}", advice="Update airflow-provider-sops to read it."
        )
    template = read_mapping(holder.get("template"))
    tree = PipelineTree.from_dict(holder)
    return Snapshot(
        template_id=read_id(template.get("id")),
        template_name=read_text(template.get("name")),
        template_source=read_text(template.get("source")) or "business",
        bk_biz_id=read_text(template.get("bk_biz_id")),
        scope=read_text(template.get("scope")),
        project_name=read_text(template.get("project_name")),
        edit_time=read_text(template.get("edit_time")),
        recorded_hash=read_text(holder.get("content_hash")),
        tree=tree,
        template_url=web_address(read_text(template.get("url"))),
    )


def without_passwords(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a tree and empty every password constant, wherever in the tree it is."""
    return {key: _without_passwords(value) for key, value in tree.items()}


def _without_passwords(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_passwords(each) for each in value]
    if not isinstance(value, dict):
        return value
    if is_password(value):
        return {**without_password(value), "value_emptied": True}
    return {key: _without_passwords(each) for key, each in value.items()}
